// Slider shows two images in the same place. What is left of the slider shows one of them, and the rest the other.
import { create, label, setOptions } from "./dom.js";

export class Slider {
  constructor() {
    this.left = new Side("Left");
    this.right = new Side("Right");
    this.range = create("input", { type: "range", min: 0, max: 100, step: 0.5, value: 50, "aria-label": "Part of the left image" });
    this.stage = create("div", { className: "stage" }, this.right.image, this.left.image,
      create("span", { className: "divider" }), this.left.tag, this.right.tag, this.range);
    const controls = create("div", { className: "controls" }, label("Left", this.left.select), label("Right", this.right.select));
    this.root = create("figure", { className: "compare", hidden: true },
      create("figcaption", { textContent: "Before and after" }), this.stage, controls);
    this.range.addEventListener("input", () => this.move());
    for (const side of [this.left, this.right]) {
      side.select.addEventListener("change", () => { side.isChosen = true; this.show(); });
    }
    for (const image of [this.left.image, this.right.image]) image.addEventListener("load", () => this.shape());
  }

  // update offers images, and shows the first and the last unless others are chosen.
  update(images) {
    this.root.hidden = images.length < 2;
    if (this.root.hidden) return;
    this.images = new Map(images.map((image) => [image.id, image]));
    const options = images.map((image) => [image.id, image.title]);
    this.left.offer(options, images[0].id);
    this.right.offer(options, images.at(-1).id);
    this.show();
  }

  show() {
    this.left.show(this.images);
    this.right.show(this.images);
    this.move();
  }

  // shape gives the stage the aspect ratio of the right image, or of the left one if the browser cannot show the right one.
  shape() {
    const image = this.right.image.naturalWidth > 0 ? this.right.image : this.left.image;
    this.stage.style.aspectRatio = `${image.naturalWidth} / ${image.naturalHeight}`;
  }

  move() {
    this.stage.style.setProperty("--at", `${this.range.value}%`);
    this.range.setAttribute("aria-valuetext", `${Math.round(this.range.value)} % ${this.left.tag.textContent}`);
  }
}

// Side is one of the two images, and the choice of it.
class Side {
  constructor(name) {
    this.image = create("img", { className: name.toLowerCase(), decoding: "sync" });
    this.tag = create("span", { className: `tag ${name.toLowerCase()}` });
    this.select = create("select");
    this.image.addEventListener("error", () => { this.tag.textContent += " (this browser cannot show it)"; });
  }

  offer(options, usual) {
    if (!this.isChosen) this.select.value = ""; // the usual image may be another one now
    setOptions(this.select, options, usual);
  }

  show(images) {
    const image = images.get(this.select.value);
    if (this.image.getAttribute("src") === image.url) return;
    this.image.src = image.url;
    this.image.alt = this.tag.textContent = image.title;
  }
}
