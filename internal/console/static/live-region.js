// <live-region src="/live?..."> replaces each element of the page by the one with the same id that the server sends, and
// puts a new one into the first element with data-prepend or data-append below it, or below the element whose id is the new
// one's data-in. All streams have the strip, so a region with data-spare needs none of its own if there is another one.
//
// The page changes at once, and then at most every 30 ms: laying out a long list takes longer than its changes.
//
// Browsers allow few connections to one host, for all tabs together: a page that nobody sees has none.
const maxRows = 200;
const changeEvery = 30; // ms

class LiveRegion extends HTMLElement {
  static observedAttributes = ["src"];

  connectedCallback() {
    this.onVisibility = () => (document.hidden ? this.close() : this.open());
    document.addEventListener("visibilitychange", this.onVisibility);
    this.open();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.close();
  }

  attributeChangedCallback() {
    if (!this.isConnected) return;
    this.close();
    this.open();
  }

  open() {
    if (this.source || document.hidden || !this.getAttribute("src") || this.isSpare()) return;
    const url = new URL(this.getAttribute("src"), location.href);
    if (this.last) url.searchParams.set("last_event_id", this.last);
    this.source = new EventSource(url);
    this.source.addEventListener("opened", (event) => {
      this.last ??= event.lastEventId;
      this.toggleAttribute("open", true);
    });
    this.source.onmessage = (event) => {
      this.last = event.lastEventId;
      this.take(event.data);
    };
    this.source.addEventListener("reload", () => location.reload());
  }

  close() {
    this.source?.close();
    this.source = undefined;
    this.toggleAttribute("open", false);
  }

  isSpare() {
    return this.hasAttribute("data-spare") && document.querySelector("live-region[src]:not([data-spare])") !== null;
  }

  // take shows a fragment now, or with others when it is time.
  take(html) {
    if (this.waiting) {
      this.waiting.push(html);
      return;
    }
    this.update(html).forEach((fresh) => fresh.classList.add("new"));
    this.rest();
  }

  rest() {
    this.waiting = [];
    setTimeout(() => {
      const all = this.waiting;
      this.waiting = undefined;
      if (all.length === 0) return;
      all.forEach((html) => this.update(html)); // without the animation of new elements, which would never end
      this.rest();
    }, changeEvery);
  }

  // update returns the elements that the page did not have.
  update(html) {
    const added = [];
    const template = document.createElement("template");
    template.innerHTML = html;
    for (const fresh of [...template.content.children]) {
      const have = document.getElementById(fresh.id);
      fresh.sent = fresh.outerHTML; // what the server sent, before the page marks the element as new
      if (!have) {
        this.insert(fresh);
        added.push(fresh);
      } else if ((have.sent ?? have.outerHTML) !== fresh.sent) {
        have.replaceWith(fresh);
      }
    }
    return added;
  }

  insert(fresh) {
    const region = document.getElementById(fresh.dataset.in) ?? this;
    const first = region.querySelector("[data-prepend]");
    if (first) {
      first.prepend(fresh);
      while (first.children.length > maxRows) first.lastElementChild.remove();
    } else {
      region.querySelector("[data-append]")?.append(fresh);
    }
  }
}

customElements.define("live-region", LiveRegion);
