#!/usr/bin/env python3
"""Scores the exported model with onnxruntime: letterbox, decode, class-aware NMS.

    evaluate.py --render DIR    renders held-out images and heldout.json
    evaluate.py --images FILE   scores the model on a heldout.json and the images next to it
    evaluate.py --show IMAGE    prints the detections in one image

It shares no code with the service: `make heldout` scores both and compares.

Average precision is the area under the interpolated precision-recall curve
(101 recall points, as COCO defines it), averaged over the classes. Precision
and recall are over all classes, at one confidence.
"""
import argparse
import ast
import json
import multiprocessing as mp
import os
import time

import numpy as np
import onnxruntime as ort
from PIL import Image

import scenes

HERE = os.path.dirname(os.path.abspath(__file__))
THRESHOLDS = np.arange(0.5, 0.96, 0.05)


class Model:
    def __init__(self, path, threads=1):
        opts = ort.SessionOptions()
        opts.intra_op_num_threads = threads
        self.run = ort.InferenceSession(path, opts, providers=["CPUExecutionProvider"])
        meta = self.run.get_modelmeta().custom_metadata_map
        self.names, self.side = ast.literal_eval(meta["names"]), ast.literal_eval(meta["imgsz"])[0]
        self.ms = []

    def detect(self, pic, confidence=0.001, overlap=0.45):
        """Returns rows [class, x1, y1, x2, y2, score] in pixels of the image, by descending score."""
        boxed, s, px, py = scenes.letterbox(pic, self.side)
        x = np.ascontiguousarray(boxed.transpose(2, 0, 1)[None], np.float32) / 255
        began = time.perf_counter()
        out = self.run.run(["output0"], {"images": x})[0][0]
        self.ms.append((time.perf_counter() - began) * 1e3)
        score, cls = out[4:].max(0), out[4:].argmax(0)
        keep = np.nonzero(score >= confidence)[0]
        keep = keep[np.argsort(-score[keep], kind="stable")][:1000]
        (cx, cy, w, h), score, cls = out[:4, keep], score[keep], cls[keep]
        box = np.stack([(cx - w / 2 - px) / s, (cy - h / 2 - py) / s, (cx + w / 2 - px) / s, (cy + h / 2 - py) / s], 1)
        box = np.clip(box, 0, [pic.shape[1], pic.shape[0]] * 2)
        left, found = np.ones(len(keep), bool), []
        for i in range(len(keep)):
            if left[i]:
                found.append([cls[i], *box[i], score[i]])
                left &= ~((ious(box[i], box) > overlap) & (cls == cls[i]))
        return np.array(found[:300], np.float64).reshape(-1, 6)


def ious(a, many):
    w = np.clip(np.minimum(a[2], many[:, 2]) - np.maximum(a[0], many[:, 0]), 0, None)
    h = np.clip(np.minimum(a[3], many[:, 3]) - np.maximum(a[1], many[:, 1]), 0, None)
    area = (many[:, 2] - many[:, 0]) * (many[:, 3] - many[:, 1])
    return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + area - w * h + 1e-9)


def match(found, truth, threshold):
    """Returns for each detection, by descending score, whether it matches an object that no
    earlier one matches."""
    free, right = np.ones(len(truth), bool), np.zeros(len(found), bool)
    for i, f in enumerate(found):
        v = ious(f[1:5], truth[:, 1:]) * (free & (truth[:, 0] == f[0])) if len(truth) else np.zeros(0)
        if len(v) and v.max() >= threshold:
            free[v.argmax()], right[i] = False, True
    return right


def average_precision(right, score, total):
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(right[order])
    recall, precision = hits / max(total, 1), hits / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1] if len(precision) else precision
    at = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    if not len(precision):
        return 0.0
    return float(np.where(at < len(precision), precision[np.minimum(at, len(precision) - 1)], 0).mean())


def score(model, images, confidence):
    founds, truths = [model.detect(p) for p, _ in images], [t for _, t in images]
    ap = {}
    for c in range(len(model.names)):
        total = sum((t[:, 0] == c).sum() for t in truths)
        if not total:
            continue
        mine = [(f[f[:, 0] == c], t[t[:, 0] == c]) for f, t in zip(founds, truths)]
        s = np.concatenate([f[:, 5] for f, _ in mine])
        ap[c] = [average_precision(np.concatenate([match(f, t, th) for f, t in mine]), s, total) for th in THRESHOLDS]
    sure = [f[f[:, 5] >= confidence] for f in founds]
    hits, made, total = sum(match(f, t, 0.5).sum() for f, t in zip(sure, truths)), sum(map(len, sure)), sum(map(len, truths))
    table = np.array(list(ap.values()))
    return dict(pictures=len(images), objects=int(total), precision=round(hits / max(made, 1), 4), recall=round(hits / total, 4),
                map50=round(float(table[:, 0].mean()), 4), map50_95=round(float(table.mean()), 4),
                classes={model.names[c]: dict(objects=int(sum((t[:, 0] == c).sum() for t in truths)), ap50=round(v[0], 4),
                                              ap50_95=round(float(np.mean(v)), 4)) for c, v in ap.items()})


def heldout(folder, seed, collages, tables):
    """Renders images of 480 by 360 pixels, with the defects of cameras and codecs. They are
    PNG files, so that every decoder reads the same pixels."""
    os.makedirs(folder, exist_ok=True)
    with mp.Pool() as pool:
        bank = scenes.Bank(seed, 60, 60, pool)
        whole = pool.map(scenes._table_job, [((seed, 7, i), 480, 360, 1) for i in range(tables)], 4)
    rngs = [np.random.default_rng((seed, 6, i)) for i in range(collages)]
    made = [("collage", scenes.wear(p, r), t) for r in rngs for p, t in [bank.collage(r, 480, 360)]]
    made += [("table", scenes.wear(p, np.random.default_rng((seed, 8, i))), t) for i, (p, t) in enumerate(whole)]
    index = []
    for i, (kind, pic, rows) in enumerate(made):
        name = f"{i:03d}.png"
        Image.fromarray(pic).save(os.path.join(folder, name), compress_level=1)
        index.append(dict(file=name, kind=kind, objects=scenes.to_json(rows)))
    scenes.write_index(os.path.join(folder, "heldout.json"), index)


def read_index(path):
    """Returns the kinds, images and objects of a heldout.json."""
    with open(path) as f:
        index = json.load(f)
    keys, folder = ("class_id", "x1", "y1", "x2", "y2"), os.path.dirname(path)
    return [(e.get("kind", ""), np.asarray(Image.open(os.path.join(folder, e["file"])).convert("RGB")),
             np.array([[o[k] for k in keys] for o in e["objects"]]).reshape(-1, 5)) for e in index]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", default=os.path.join(HERE, "repository/yolo/1/model.onnx"))
    ap.add_argument("--render", metavar="DIR")
    ap.add_argument("--seed", type=int, default=777,
                    help="of the held-out images; not the one of the training (default %(default)s)")
    ap.add_argument("--collages", type=int, default=200)
    ap.add_argument("--tables", type=int, default=100)
    ap.add_argument("--images", metavar="FILE")
    ap.add_argument("--show", metavar="IMAGE")
    ap.add_argument("--confidence", type=float, default=0.5, help="for precision and recall (default %(default)s)")
    ap.add_argument("--out", help="file for the scores, as JSON")
    args = ap.parse_args()
    if args.render:
        return heldout(args.render, args.seed, args.collages, args.tables)
    model = Model(args.model)
    if args.show:
        pic = np.asarray(Image.open(args.show).convert("RGB"))
        for c, *box, s in model.detect(pic, args.confidence):
            print(f"{model.names[int(c)]:7s} {s:.3f}", *(f"{v:7.1f}" for v in box))
        return
    if not args.images:
        ap.error("one of --render, --images and --show is needed")
    all_ = read_index(args.images)
    result = dict(confidence=args.confidence, match_iou=0.5, nms_iou=0.45, onnxruntime=ort.__version__,
                  all=score(model, [e[1:] for e in all_], args.confidence))
    result["run_ms_median"] = round(float(np.median(model.ms)), 2)
    for kind in sorted({e[0] for e in all_} - {""}):
        result[kind] = score(model, [e[1:] for e in all_ if e[0] == kind], args.confidence)
    text = json.dumps(result, indent=1)
    if args.out:
        with open(args.out, "w") as f:
            f.write(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
