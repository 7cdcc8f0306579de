// <live-region src="/live?..."> replaces each element of the page by the one with the same id that the server sends, and
// puts new ones into the first element below it with data-prepend or data-append. All streams have the strip, so a region
// with data-spare needs none of its own if there is another one.
const maxRows = 200;

class LiveRegion extends HTMLElement {
  connectedCallback() {
    if (!this.getAttribute("src") || this.isSpare()) return;
    this.source = new EventSource(this.getAttribute("src"));
    this.source.onopen = () => this.toggleAttribute("open", true);
    this.source.onmessage = (event) => this.update(event.data);
    this.source.addEventListener("reload", () => location.reload());
  }

  isSpare() {
    return this.hasAttribute("data-spare") && document.querySelector("live-region[src]:not([data-spare])") !== null;
  }

  disconnectedCallback() {
    this.source?.close();
  }

  update(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    for (const fresh of [...template.content.children]) {
      const have = document.getElementById(fresh.id);
      fresh.sent = fresh.outerHTML; // what the server sent, before the page marks the element as new
      if (!have) {
        this.insert(fresh);
      } else if ((have.sent ?? have.outerHTML) !== fresh.sent) {
        have.replaceWith(fresh);
      }
    }
  }

  insert(fresh) {
    const first = this.querySelector("[data-prepend]");
    if (first) {
      first.prepend(fresh);
      while (first.children.length > maxRows) first.lastElementChild.remove();
    } else {
      this.querySelector("[data-append]")?.append(fresh);
    }
    fresh.classList.add("new");
  }
}

customElements.define("live-region", LiveRegion);
