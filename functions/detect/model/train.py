#!/usr/bin/env python3
"""Trains the demo detector on images from scenes.py and exports it to ONNX.

The number of iterations is fixed and every image has its own seed, so the same
command trains on the same images, with any number of rendering workers. A folder
has the renderings and a checkpoint; an interrupted run continues from there.
"""
import argparse
import collections
import copy
import itertools
import math
import multiprocessing as mp
import os
import pickle
import time

import numpy as np
import torch
import torch.nn as nn
from PIL import Image

import scenes
from network import NC, SIDE, Detector, Exported, grid, loss_of

HERE = os.path.dirname(os.path.abspath(__file__))
SHAPES = [(1, 1), (1, 0.75), (1, 0.75), (1, 0.5625), (0.75, 1)]
BANK, TABLES = None, None  # set before the workers are forked


# --- images ------------------------------------------------------------------------

def kept(path, make):
    """Returns the content of the file of an earlier run, or else the result of make."""
    if not os.path.exists(path):
        made = make()
        with open(path + ".part", "wb") as f:
            pickle.dump(made, f, protocol=5)
        os.replace(path + ".part", path)
    with open(path, "rb") as f:
        return pickle.load(f)


def render(args):
    """Renders objects, backgrounds and whole scenes with the seed of the training."""
    with mp.Pool(args.workers) as pool:
        bank = kept(f"{args.work}/bank-{args.seed}-{args.sprites}-{args.backgrounds}.pickle",
                    lambda: scenes.Bank(args.seed, args.sprites, args.backgrounds, pool))
        shapes = [(480, 360), (480, 270), (480, 480)]
        jobs = [((args.seed, 5, i), *shapes[i % 3], 1) for i in range(args.tables)]
        return bank, kept(f"{args.work}/tables-{args.seed}-{args.tables}.pickle", lambda: pool.map(scenes._table_job, jobs, 4))


def table(rng, side):
    """Returns one of the whole scenes, cropped without losing objects, and recoloured."""
    pic, rows = TABLES[rng.integers(len(TABLES))]
    rows = rows.copy()
    if rng.random() < 0.5:
        h, w = pic.shape[:2]
        x1, y1 = (int(rng.uniform(0, min(v, n * 0.3))) for v, n in ((rows[:, 1].min(), w), (rows[:, 2].min(), h)))
        x2, y2 = (int(rng.uniform(max(v, n * 0.7), n)) for v, n in ((rows[:, 3].max(), w), (rows[:, 4].max(), h)))
        pic, rows[:, 1:] = pic[y1:y2, x1:x2], rows[:, 1:] - np.array([x1, y1, x1, y1], np.float32)
    if rng.random() < 0.3:
        pic = pic[..., rng.permutation(3)]
    h, w = pic.shape[:2]
    size = max(1, round(w * side / max(w, h))), max(1, round(h * side / max(w, h)))
    rows[:, 1:] *= np.array([size[0] / w, size[1] / h] * 2, np.float32)
    return np.asarray(Image.fromarray(pic).resize(size, Image.BILINEAR)), rows


def example(seed, side, times=1):
    """Returns several variants of one image and its rows, because rendering takes long."""
    rng = np.random.default_rng(seed)
    drawn = int(side * (1.5 if rng.random() < 0.3 else 1))  # some are scaled down afterwards, like large images
    if rng.random() < 0.5:
        pic, rows = table(rng, drawn)
    else:
        w, h = SHAPES[rng.integers(len(SHAPES))]
        pic, rows = BANK.collage(rng, int(drawn * w), int(drawn * h))
    return [finish(pic, rows.copy(), rng, side) for _ in range(times)]


def finish(pic, rows, rng, side):
    if rng.random() < 0.5:
        pic, rows[:, [1, 3]] = pic[:, ::-1], pic.shape[1] - rows[:, [3, 1]]
    pic, s, x, y = scenes.letterbox(scenes.wear(pic, rng), side)
    rows[:, 1:] = rows[:, 1:] * s + np.array([x, y, x, y], np.float32)
    return pic, rows


def batches(job):
    """Returns two batches of the same scenes."""
    seed, step, size, side = job
    out = []
    for made in zip(*(example((seed, 9, step, i), side, 2) for i in range(size))):
        truth = np.full((size, max(1, max(len(r) for _, r in made)), 5), -1, np.float32)
        for t, (_, r) in zip(truth, made):
            t[:len(r)] = r
        out.append((np.stack([p for p, _ in made]), truth))
    return out


def images(pics):
    return torch.from_numpy(pics).permute(0, 3, 1, 2).float().div_(255).contiguous(memory_format=torch.channels_last)


def stream(pool, jobs, ahead=12, apart=20):
    """Yields batches in order. Only a few are rendered ahead, to limit the memory. The
    second batch of a job follows some steps after the first."""
    waiting, later = collections.deque(), collections.deque()
    for job in itertools.chain(jobs, [None] * ahead):
        if job:
            waiting.append(pool.apply_async(batches, (job,)))
        if waiting and (len(waiting) > ahead or not job):
            first, second = waiting.popleft().get()
            later.append(second)
            yield first
            if len(later) > apart:
                yield later.popleft()
    yield from later


# --- training ------------------------------------------------------------------------

def export(net, path, note):
    import onnx
    net = copy.deepcopy(net).eval()
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    torch.onnx.export(Exported(net), torch.zeros(1, 3, SIDE, SIDE), path, opset_version=13, input_names=["images"],
                      output_names=["output0"], dynamic_axes={"images": {0: "batch"}, "output0": {0: "batch"}})
    model = onnx.load(path)
    model.producer_name, model.producer_version, model.doc_string = "imageflow", "1", note
    for d, n in zip(model.graph.output[0].type.tensor_type.shape.dim[1:], (4 + NC, len(grid(SIDE)[1]))):
        d.dim_value = n
    meta = dict(description="ImageFlow demo detector, trained on rendered pictures", author="ImageFlow", date="2026-11-25",
                version="2.0.0", license="the repository's own", stride=32, task="detect", batch=1, imgsz=[SIDE, SIDE],
                names=dict(enumerate(scenes.CLASSES)), channels=3, end2end=False, args=dict(dynamic=True, nms=False))
    del model.metadata_props[:]
    for k, v in meta.items():
        model.metadata_props.add(key=k, value=str(v))
    onnx.checker.check_model(model)
    # The rename is atomic, so that a concurrent reader never gets a partial file.
    onnx.save(model, path + ".part")
    os.replace(path + ".part", path)


def calibrate(net, path, seed, count=300):
    """Shifts all confidences so that F1 (at IoU 0.5) is best at 0.5, measured on images like
    those of the training. The order of the detections, and so the average precision,
    does not change."""
    import evaluate
    model, scores, rights, total = evaluate.Model(path), [], [], 0
    for i in range(count):
        pic, truth = example((seed, 10, i), SIDE)[0]
        found = model.detect(pic, 0.05)
        scores.append(found[:, 5])
        rights.append(evaluate.match(found, truth, 0.5))
        total += len(truth)
    scores, rights = np.concatenate(scores), np.concatenate(rights)
    order = np.argsort(-scores)
    hits = np.cumsum(rights[order])
    best = float(scores[order][(2 * hits / (np.arange(len(hits)) + 1 + total)).argmax()])
    for c in net.classes:
        c.bias.data.sub_(math.log(best / (1 - best)))
    print(f"confidence {best:.3f} becomes 0.5", flush=True)


class Run:
    """A network in training, and the running mean of its weights, which is exported."""

    def __init__(self, args):
        self.args, self.total, self.step = args, args.small + args.large, 0
        self.net = Detector().to(memory_format=torch.channels_last)
        self.mean = copy.deepcopy(self.net)
        decay, plain = [], []
        for p in self.net.parameters():
            (decay if p.ndim > 1 else plain).append(p)
        self.opt = torch.optim.AdamW([dict(params=decay, weight_decay=0.02), dict(params=plain, weight_decay=0.0)], lr=args.lr)
        self.params = sum(p.numel() for p in self.net.parameters())
        self.note = f"{self.params} parameters, seed {args.seed}, {self.total} iterations"
        self.path = f"{args.work}/checkpoint-{args.seed}.pt"
        if os.path.exists(self.path):
            state = torch.load(self.path)
            self.step = state["step"]
            for k in ("net", "mean", "opt"):
                getattr(self, k).load_state_dict(state[k])
            print(f"continuing from step {self.step}", flush=True)

    def save(self):
        state = dict(step=self.step, net=self.net.state_dict(), mean=self.mean.state_dict(), opt=self.opt.state_dict())
        torch.save(state, self.path + ".part")
        os.replace(self.path + ".part", self.path)

    def jobs(self):
        """Returns the rendering jobs of the remaining steps. One job serves two steps."""
        return [(self.args.seed, i, self.args.batch, self.args.small_side if i < self.args.small else self.args.large_side)
                for i in range(self.step, self.total, 2)]

    def learn(self, pics, truth):
        """Trains one step on one batch and returns its losses."""
        cosine = 0.5 + 0.5 * math.cos(math.pi * self.step / self.total)
        lr = self.args.lr * min(1, (self.step + 1) / 200) * (0.01 + 0.99 * cosine)
        for g in self.opt.param_groups:
            g["lr"] = lr
        losses = loss_of(self.net(images(pics)), torch.from_numpy(truth), pics.shape[1])
        self.opt.zero_grad(set_to_none=True)
        (losses[0] + 6 * losses[1] + 1.5 * losses[2]).backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        self.opt.step()
        keep = min(0.998, (self.step + 1) / (self.step + 20))
        with torch.no_grad():
            for m, p in zip(*(itertools.chain(n.parameters(), n.buffers()) for n in (self.mean, self.net))):
                m.copy_(m * keep + p * (1 - keep) if m.dtype.is_floating_point else p)
        self.step += 1
        return np.array([float(v) for v in losses])


def arguments():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    ap.add_argument("--out", default=os.path.join(HERE, "repository/yolo/1/model.onnx"))
    ap.add_argument("--work", default=os.path.join(HERE, "../../../.cache/training"),
                    help="folder of the renderings and the checkpoint")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--small", type=int, default=2250, help="iterations at --small-side, which are cheaper")
    ap.add_argument("--small-side", type=int, default=224)
    ap.add_argument("--large", type=int, default=2250, help="iterations at --large-side")
    ap.add_argument("--large-side", type=int, default=320,
                    help="the exported model has a larger input, which finds small objects better")
    ap.add_argument("--batch", type=int, default=16)
    ap.add_argument("--lr", type=float, default=2e-3)
    ap.add_argument("--sprites", type=int, default=1500, help="rendered objects for each class")
    ap.add_argument("--backgrounds", type=int, default=1000)
    ap.add_argument("--tables", type=int, default=3000, help="rendered whole scenes")
    ap.add_argument("--workers", type=int, default=2, help="rendering processes")
    return ap.parse_args()


def main():
    args, began = arguments(), time.time()
    global BANK, TABLES
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    os.makedirs(args.work, exist_ok=True)
    BANK, TABLES = render(args)
    print(f"rendered in {time.time() - began:.0f} s", flush=True)
    run, sums = Run(args), np.zeros(3)
    print(run.note, flush=True)
    with mp.Pool(args.workers, os.nice, (5,)) as pool:  # rendering has a lower priority than training
        for pics, truth in stream(pool, run.jobs()):
            sums += run.learn(pics, truth)
            if run.step % 50 == 0:
                losses = f"class {sums[0] / 50:.3f} box {sums[1] / 50:.3f} side {sums[2] / 50:.3f}"
                print(f"{run.step}/{run.total} {losses} {time.time() - began:.0f} s", flush=True)
                sums[:] = 0
            if run.step % 250 == 0:
                run.save()
                export(run.mean, args.out, f"{run.note}, interrupted at {run.step}")
    export(run.mean, args.out, run.note)
    calibrate(run.mean, args.out, args.seed)
    export(run.mean, args.out, run.note)
    print(f"done in {time.time() - began:.0f} s: {args.out}, {os.path.getsize(args.out)} bytes", flush=True)


if __name__ == "__main__":
    main()
