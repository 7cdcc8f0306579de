// The rows of a script of make clients-test: README.md describes them.

// row prints a row. Whatever does not begin with "ok" is a failure.
function row(client, operation, outcome = 'ok') {
  console.log([client, operation, String(outcome).split(/\s+/).join(' ').slice(0, 300)].join('\t'));
}

// attempt calls the function and prints a row: ok with the text that it resolves to, or the error.
async function attempt(client, operation, call) {
  try {
    const note = await call();
    row(client, operation, note ? 'ok ' + note : 'ok');
  } catch (error) {
    console.error(error);
    row(client, operation, `${error.name}: ${error.message}`);
  }
}

module.exports = { attempt, row };
