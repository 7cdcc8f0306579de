// Answers shows the side-cars of steps as JSON. Each is loaded when it is opened.
import { create } from "./dom.js";

const maxCharacters = 200_000;

export class Answers {
  constructor() {
    this.root = create("div", { className: "answers" });
    this.shown = new Map(); // by the URL of the side-car
  }

  update(images) {
    for (const { title, answer } of images) {
      if (!answer || this.shown.has(answer)) continue;
      this.shown.set(answer, this.add(title, answer));
    }
    for (const [url, element] of this.shown) {
      if (images.some((image) => image.answer === url)) continue;
      element.remove();
      this.shown.delete(url);
    }
  }

  add(title, url) {
    const text = create("pre", { tabIndex: 0, textContent: "…", "aria-label": `Answer of ${title}` });
    const details = create("details", {}, create("summary", { textContent: `Answer of ${title} as JSON` }), text);
    details.addEventListener("toggle", () => load(url, text), { once: true });
    this.root.append(details);
    return details;
  }
}

async function load(url, element) {
  try {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(await answer.text());
    const text = JSON.stringify(await answer.json(), null, 2);
    element.textContent = text.length > maxCharacters ? `${text.slice(0, maxCharacters)}\n… and ${text.length - maxCharacters} more characters` : text;
  } catch (reason) {
    element.textContent = `The answer could not be read: ${reason.message}`;
  }
}
