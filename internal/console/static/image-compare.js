// <image-compare> shows the images of one execution: two on top of each other with a slider between them, the detections as
// boxes, and the answers of the steps as JSON. It takes them from the elements .image beside it, and follows their changes.
import { Slider } from "./compare-slider.js";
import { Detections } from "./detections.js";
import { Answers } from "./answers.js";

class ImageCompare extends HTMLElement {
  connectedCallback() {
    if (!this.views) {
      this.views = [new Slider(), new Detections(), new Answers(this.dataset.execution)];
      this.append(...this.views.map((view) => view.root));
    }
    this.observer = new MutationObserver(() => this.update());
    this.observer.observe(this.parentElement, { childList: true, subtree: true });
    this.update();
  }

  disconnectedCallback() {
    this.observer.disconnect();
  }

  update() {
    const images = [...this.parentElement.querySelectorAll(".image")].map((element) => ({ id: element.id, ...element.dataset }));
    const text = JSON.stringify(images);
    if (text === this.text) return; // the views change this element, too
    this.text = text;
    for (const view of this.views) view.update(images);
  }
}

customElements.define("image-compare", ImageCompare);
