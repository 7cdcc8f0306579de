// Answers shows the side-cars of steps, and what the gateway says about the execution, as JSON. Each is loaded whenever it is
// opened.
import { create, visible } from "./dom.js";

const maxCharacters = 200_000;

export class Answers {
  // execution is the URL of the gateway's answer; without it, only the side-cars are shown.
  constructor(execution) {
    this.root = create("div", { className: "answers" });
    this.execution = execution ? [answerOf("the gateway about the execution", execution)] : [];
    this.shown = new Map(); // by the URL of the side-car
  }

  update(images) {
    const answers = images.filter(({ answer }) => answer);
    this.shown = new Map(answers.map(({ answer, title }) => [answer, this.shown.get(answer) ?? answerOf(title, answer)]));
    const wanted = [...this.shown.values(), ...this.execution];
    for (const element of [...this.root.children]) if (!wanted.includes(element)) element.remove();
    wanted.forEach((element, i) => {
      if (this.root.children[i] !== element) this.root.insertBefore(element, this.root.children[i] ?? null);
    });
  }
}

function answerOf(name, url) {
  const text = create("pre", { tabIndex: 0, textContent: "…", role: "region", "aria-label": `Answer of ${name}` });
  const details = create("details", {}, create("summary", { textContent: `Answer of ${name} as JSON` }), text);
  details.addEventListener("toggle", () => { if (details.open) load(url, text); });
  return details;
}

async function load(url, element) {
  try {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(await answer.text());
    const text = visible(JSON.stringify(await answer.json(), null, 2));
    const rest = text.length - maxCharacters;
    element.textContent = rest > 0 ? `${text.slice(0, maxCharacters)}\n… and ${rest} more characters` : text;
  } catch (reason) {
    element.textContent = `The answer could not be read: ${reason.message}`;
  }
}
