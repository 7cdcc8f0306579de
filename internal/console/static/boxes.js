// Boxes draws detections on a canvas over an image: boxes or turned boxes, polygons of masks, and keypoints.
import { create, percent } from "./dom.js";

const minKeypoint = 0.25; // as in the boxes that the step draws

export class Boxes {
  // report gets the detection under the pointer or the focus, or null.
  constructor(report) {
    this.report = report;
    this.image = create("img");
    this.image.addEventListener("error", () => { this.image.alt = "The image that the detection read, which this browser cannot show"; });
    this.canvas = create("canvas", { "aria-hidden": "true" });
    this.root = create("div", { className: "stage" }, this.image, this.canvas);
    this.shown = [];
    new ResizeObserver(() => this.paint()).observe(this.root);
    this.canvas.addEventListener("pointermove", (event) => this.highlight(this.at(event.offsetX, event.offsetY)));
    this.canvas.addEventListener("pointerleave", () => this.highlight(null));
  }

  // load shows an image. Detections are in its pixels, width × height.
  load(url, width, height) {
    this.image.src = url;
    [this.width, this.height] = [width, height];
    this.root.style.aspectRatio = `${width} / ${height}`;
    this.image.alt = "The image that the detection read";
  }

  draw(shown) {
    this.shown = shown;
    this.highlight(null);
    this.paint();
  }

  highlight(found) {
    if (found && !this.shown.includes(found)) found = null;
    this.report(found);
    if (found === this.current) return;
    this.current = found;
    this.paint();
  }

  // fit returns where the image is in the canvas, in CSS pixels.
  fit() {
    const { clientWidth, clientHeight } = this.canvas;
    const scale = Math.min(clientWidth / this.width, clientHeight / this.height);
    return { scale, left: (clientWidth - this.width * scale) / 2, top: (clientHeight - this.height * scale) / 2 };
  }

  // at returns the smallest box around a point of the canvas, or null.
  at(x, y) {
    const { scale, left, top } = this.fit();
    [x, y] = [(x - left) / scale, (y - top) / scale];
    const area = ({ bbox: { x1, y1, x2, y2 } }) => (x2 - x1) * (y2 - y1);
    return this.shown.filter(({ bbox: { x1, y1, x2, y2 } }) => x >= x1 && x <= x2 && y >= y1 && y <= y2)
      .sort((a, b) => area(a) - area(b))[0] ?? null;
  }

  paint() {
    const { clientWidth, clientHeight } = this.canvas;
    if (!this.width || !clientWidth) return;
    this.canvas.width = clientWidth * devicePixelRatio;
    this.canvas.height = clientHeight * devicePixelRatio;
    const { scale, left, top } = this.fit();
    const pen = new Pen(this.canvas.getContext("2d"), devicePixelRatio * scale, devicePixelRatio * left, devicePixelRatio * top);
    for (const found of this.shown) if (found !== this.current) pen.detection(found, this.current ? 0.35 : 1, 2);
    if (this.current) pen.detection(this.current, 1, 4);
    for (const found of this.current ? [this.current] : this.shown) pen.name(found);
  }
}

// Pen draws in pixels of an image.
class Pen {
  constructor(context, scale, left, top) {
    Object.assign(this, { context, scale, left, top });
    context.lineJoin = "round";
    context.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
    context.textBaseline = "middle";
  }

  x(x) { return this.left + x * this.scale; }
  y(y) { return this.top + y * this.scale; }

  detection(found, opacity, width) {
    const { context } = this;
    context.globalAlpha = opacity;
    context.strokeStyle = context.fillStyle = found.colour;
    for (const { points } of found.mask?.polygons ?? []) {
      this.path(points);
      context.globalAlpha = opacity * 0.35;
      context.fill();
      context.globalAlpha = opacity;
    }
    const { x1, y1, x2, y2 } = found.bbox;
    this.path(found.rotated_box?.corners ?? [x1, y1, x2, y1, x2, y2, x1, y2]);
    this.outline(width);
    for (const { x, y, confidence } of found.keypoints ?? []) {
      if ((confidence ?? 1) >= minKeypoint) this.dot(x, y);
    }
    context.globalAlpha = 1;
  }

  // outline draws a line with dark edges, which can be seen on images of any colour.
  outline(width) {
    const { context } = this;
    const colour = context.strokeStyle;
    context.strokeStyle = "#000a";
    context.lineWidth = (width + 2) * devicePixelRatio;
    context.stroke();
    context.strokeStyle = colour;
    context.lineWidth = width * devicePixelRatio;
    context.stroke();
  }

  // path begins a closed line through points x1 y1 x2 y2 and so on.
  path(points) {
    this.context.beginPath();
    for (let i = 0; i + 1 < points.length; i += 2) this.context.lineTo(this.x(points[i]), this.y(points[i + 1]));
    this.context.closePath();
  }

  dot(x, y) {
    this.context.beginPath();
    this.context.arc(this.x(x), this.y(y), 3 * devicePixelRatio, 0, 2 * Math.PI);
    this.context.fill();
  }

  // name writes class and confidence above a box, or in it where there is no room.
  name({ class_name: name, confidence, bbox, colour }) {
    const { context } = this;
    const text = `${name.slice(0, 40)} ${percent(confidence)}`;
    const height = 18 * devicePixelRatio;
    const width = context.measureText(text).width + 8 * devicePixelRatio;
    const left = Math.max(0, Math.min(this.x(bbox.x1), context.canvas.width - width));
    const top = Math.max(0, this.y(bbox.y1) - height);
    context.fillStyle = colour;
    context.fillRect(left, top, width, height);
    context.fillStyle = "#000";
    context.fillText(text, left + 4 * devicePixelRatio, top + height / 2);
  }
}
