// create returns an element with properties, attributes (names with a hyphen, role, for) and children.
export function create(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

// label returns a control with a text before it.
export function label(text, control) {
  return create("label", {}, `${text} `, control);
}

// setOptions makes the options of a select [value, text] and keeps what is selected, or else selects a value.
export function setOptions(select, options, otherwise) {
  const chosen = options.some(([value]) => value === select.value) ? select.value : otherwise;
  select.replaceChildren(...options.map(([value, text]) => create("option", { value, textContent: text })));
  select.value = chosen;
}

// percent returns a part of one as a text.
export function percent(part) {
  return `${Math.round(part * 100)} %`;
}

// visible returns a text of a stranger in which characters that have no form, or turn the direction of writing, are visible as
// their code points, as in the pages that the server makes. Lines stay.
export function visible(text) {
  return text.replace(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\uFFFD]/gu,
    (character) => `⟨U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}
