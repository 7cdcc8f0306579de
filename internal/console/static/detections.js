// Detections shows what a detection found as boxes over the image that it read, and as a table. Classes and the confidence
// are chosen in the page, of what the side-car has.
import { Boxes } from "./boxes.js";
import { create, label, percent, setOptions, visible } from "./dom.js";

export class Detections {
  constructor() {
    this.select = create("select");
    this.choice = label("Detection", this.select);
    this.boxes = new Boxes((found) => this.describe(found));
    this.threshold = create("input", { type: "range", max: 1, step: 0.01 });
    this.level = create("output");
    this.classes = create("fieldset", { className: "classes" });
    this.count = create("output", { className: "count" });
    this.hover = create("output", { className: "hover" });
    this.note = create("p", { className: "muted" });
    this.rows = create("tbody");
    this.controls = create("div", { className: "controls" }, this.choice,
      create("label", {}, "Confidence at least ", this.threshold, this.level), this.classes);
    this.root = create("figure", { className: "detections", hidden: true },
      create("figcaption", { textContent: "Detections" }), this.boxes.root, create("p", { className: "figures" }, this.count, this.hover),
      this.controls, this.note, table(this.rows));
    this.threshold.addEventListener("input", () => this.showChosen());
    this.select.addEventListener("change", () => this.show());
  }

  // update shows the detections of the last image that has some, unless others are chosen.
  update(images) {
    this.images = images;
    const detected = images.filter((image) => image.detections);
    this.root.hidden = detected.length === 0;
    if (this.root.hidden) return;
    this.choice.hidden = detected.length === 1;
    setOptions(this.select, detected.map((image) => [image.id, image.title]), detected.at(-1).id);
    this.show();
  }

  async show() {
    const image = this.images.find(({ id }) => id === this.select.value);
    if (image.detections === this.shown && image.url === this.of) return;
    [this.shown, this.of] = [image.detections, image.url];
    try {
      const answer = await fetch(image.detections);
      if (!answer.ok) throw new Error(await answer.text());
      const response = await answer.json();
      if (this.of === image.url) this.read(response); // otherwise another one has been chosen since
    } catch (reason) {
      this.shown = "";
      this.note.textContent = `The detections could not be read: ${reason.message}`;
    }
  }

  // read takes a side-car, which is a DetectionResponse. One without a source is of the image that the page shows.
  read({ detections = [], classifications = [], metadata = {} }) {
    const isMapped = metadata.original_width > 0; // the boxes are in pixels of the original
    const source = isMapped ? metadata.original : metadata.source;
    const frame = Math.min(...detections.map((found) => found.frame ?? 0));
    this.all = detections.filter((found) => (found.frame ?? 0) === frame)
      .map((found) => ({ ...found, class_name: visible(found.class_name), colour: colourOf(found.class_id) }));
    this.boxes.load(source ? urlOf(source, this.images) : this.of, isMapped ? metadata.original_width : metadata.image_width,
      isMapped ? metadata.original_height : metadata.image_height);
    const lowest = Math.min(metadata.confidence_threshold || 1, ...detections.map((found) => found.confidence));
    this.threshold.min = this.threshold.value = Math.floor(lowest * 100) / 100;
    this.note.textContent = noteOf(detections, this.all, classifications, metadata);
    this.offerClasses();
    this.rows.replaceChildren(...this.all.map((found) => this.row(found)));
    this.showChosen();
  }

  offerClasses() {
    this.boxesOf = new Map();
    for (const { class_name: name, colour } of this.all) {
      if (this.boxesOf.has(name)) continue;
      const box = create("input", { type: "checkbox", checked: true });
      const swatch = create("span", { className: "swatch", "aria-hidden": "true" });
      swatch.style.backgroundColor = colour;
      const count = create("span");
      box.addEventListener("change", () => this.showChosen());
      this.boxesOf.set(name, { box, count, label: create("label", {}, box, swatch, create("bdi", { textContent: name }), count) });
    }
    this.classes.hidden = this.boxesOf.size === 0;
    this.classes.replaceChildren(create("legend", { textContent: "Classes" }), ...[...this.boxesOf.values()].map((entry) => entry.label));
  }

  row(found) {
    const { x1, y1, x2, y2 } = found.bbox;
    const name = create("button", { type: "button" }, create("bdi", { textContent: found.class_name }));
    const row = create("tr", {}, create("td", {}, name), create("td", { className: "number", textContent: percent(found.confidence) }),
      create("td", { className: "number", textContent: `${Math.round(x1)}, ${Math.round(y1)}` }),
      create("td", { className: "number", textContent: `${Math.round(x2 - x1)} × ${Math.round(y2 - y1)}` }));
    for (const [type, which] of [["focusin", found], ["pointerenter", found], ["focusout", null], ["pointerleave", null]]) {
      row.addEventListener(type, () => this.boxes.highlight(which));
    }
    found.row = row;
    return row;
  }

  // showChosen shows the detections of the classes and the confidence that are chosen.
  showChosen() {
    const isConfident = (found) => found.confidence >= this.threshold.valueAsNumber;
    const shown = this.all.filter((found) => isConfident(found) && this.boxesOf.get(found.class_name).box.checked);
    for (const [name, { count }] of this.boxesOf) {
      count.textContent = ` (${this.all.filter((found) => found.class_name === name && isConfident(found)).length})`;
    }
    for (const found of this.all) found.row.hidden = !shown.includes(found);
    this.level.textContent = percent(this.threshold.valueAsNumber);
    this.count.textContent = `${shown.length} of ${this.all.length} shown`;
    this.boxes.draw(shown);
  }

  describe(found) {
    this.hover.textContent = found ? `${found.class_name}, ${percent(found.confidence)}` : "";
    for (const { row } of this.all) row.classList.toggle("current", row === found?.row);
  }
}

function table(rows) {
  const head = ["Class", "Confidence", "Left, top", "Size"].map((textContent, i) => create("th", { scope: "col", textContent, className: i > 0 ? "number" : "" }));
  return create("details", { className: "found" }, create("summary", { textContent: "Detections as a table" }),
    create("table", {}, create("thead", {}, create("tr", {}, ...head)), rows));
}

// urlOf returns the URL of a version of an image: of one that the page shows, if it is among them.
function urlOf({ bucket, object_key: key, etag }, images) {
  const same = images.find(({ url }) => {
    const query = new URL(url, location).searchParams;
    return query.get("key") === key && query.get("etag") === etag;
  });
  return same?.url ?? `/object?${new URLSearchParams({ bucket, key, etag })}`;
}

// noteOf says what the figure does not show.
function noteOf(detections, shown, classifications, metadata) {
  const notes = [];
  if (classifications.length > 0) {
    notes.push(`The model classifies the whole image: ${classifications.map((c) => `${visible(c.class_name)} ${percent(c.confidence)}`).join(", ")}.`);
  } else if (detections.length === 0) {
    notes.push(`Nothing was found with a confidence of at least ${percent(metadata.confidence_threshold)}.`);
  }
  if (detections.length > shown.length) notes.push(`These are those of frame ${shown[0].frame}. The table in the answer has all.`);
  if (shown.some(({ mask }) => mask?.rle && !mask.polygons?.length)) notes.push("Masks as run lengths are not drawn.");
  return notes.join(" ");
}

// colourOf returns the colour of a class, on which black text can be read. Classes that follow each other differ clearly.
function colourOf(id) {
  return `oklch(0.8 0.17 ${(id * 137.5 + 30) % 360})`;
}
