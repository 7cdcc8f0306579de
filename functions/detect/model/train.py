#!/usr/bin/env python3
"""Trains the demo detector on pictures from scenes.py and exports it to ONNX.

The number of iterations is fixed, not the time, and every picture comes from
its own seed: the same command learns from the same pictures, whatever the
number of workers that render them.
"""
import argparse
import collections
import copy
import itertools
import math
import multiprocessing as mp
import os
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as Fn

import scenes

SIDE, STRIDES, NC = 320, (8, 16, 32), len(scenes.CLASSES)


# --- the network ---------------------------------------------------------------

def conv(cin, cout, k=3, s=1):
    return nn.Sequential(nn.Conv2d(cin, cout, k, s, k // 2, bias=False), nn.BatchNorm2d(cout, momentum=0.03, eps=1e-3), nn.ReLU(True))


class Residual(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.f = nn.Sequential(conv(c, c // 2, 1), conv(c // 2, c))

    def forward(self, x):
        return x + self.f(x)


class Detector(nn.Module):
    """A small pyramid. The head's convolution is shared by the three strides;
    their normalisations are not, unless told so: their statistics differ."""

    def __init__(self, neck=40, shared_norm=False):
        super().__init__()
        self.p2 = nn.Sequential(conv(3, 16, 3, 2), conv(16, 24, 3, 2), Residual(24))
        self.p3 = nn.Sequential(conv(24, 40, 3, 2), Residual(40), Residual(40))
        self.p4 = nn.Sequential(conv(40, 64, 3, 2), Residual(64), Residual(64))
        self.p5 = nn.Sequential(conv(64, 80, 3, 2), Residual(80))
        self.wide = conv(240, 80, 1)  # pooled neighbourhoods: large objects need the whole view
        self.lateral = nn.ModuleList(nn.Conv2d(c, neck, 1) for c in (40, 64, 80))
        self.merge = nn.ModuleList((conv(neck, neck), conv(neck, neck)))
        head = conv(neck, neck)
        self.heads = nn.ModuleList(head if shared_norm or not i else nn.Sequential(head[0], copy.deepcopy(head[1]), head[2])
                                   for i, _ in enumerate(STRIDES))
        # Separate outputs for each stride: they see objects of different size.
        self.boxes = nn.ModuleList(nn.Conv2d(neck, 4, 1) for _ in STRIDES)
        self.classes = nn.ModuleList(nn.Conv2d(neck, NC, 1) for _ in STRIDES)
        for b, c in zip(self.boxes, self.classes):
            nn.init.constant_(b.bias, 1.0)
            nn.init.constant_(c.bias, -5.0)  # objects are rare among the anchors

    def forward(self, x):
        """Returns centres-and-sizes in pixels (N,4,A) and class logits (N,NC,A)."""
        p3 = self.p3(self.p2(x))
        p4 = self.p4(p3)
        p5 = self.p5(p4)
        a = Fn.max_pool2d(p5, 5, 1, 2)
        p5 = self.wide(torch.cat((p5, a, Fn.max_pool2d(a, 5, 1, 2)), 1))
        n5 = self.lateral[2](p5)
        n4 = self.merge[1](self.lateral[1](p4) + Fn.interpolate(n5, scale_factor=2.0, mode="nearest"))
        n3 = self.merge[0](self.lateral[0](p3) + Fn.interpolate(n4, scale_factor=2.0, mode="nearest"))
        boxes, logits = [], []
        for f, head, box, cls, s in zip((n3, n4, n5), self.heads, self.boxes, self.classes, STRIDES):
            f = head(f)
            boxes.append((Fn.softplus(box(f)) * s).flatten(2))
            logits.append(cls(f).flatten(2))
        d = torch.cat(boxes, 2)  # distances to left, top, right, bottom
        points = grid(int(x.shape[2]))
        near, far = points - d[:, :2], points + d[:, 2:]
        return torch.cat(((near + far) / 2, far - near), 1), torch.cat(logits, 2)


def grid(side):
    """The anchors' centres (2,A) in pixels."""
    out = []
    for s in STRIDES:
        c = (torch.arange(side // s) + 0.5) * s
        y, x = torch.meshgrid(c, c, indexing="ij")
        out.append(torch.stack((x.reshape(-1), y.reshape(-1))))
    return torch.cat(out, 1)


class Exported(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        boxes, logits = self.net(images)
        return torch.cat((boxes, logits.sigmoid()), 1)


# --- the loss -----------------------------------------------------------------------

def iou(a, b, complete=False):
    """IoU of xyxy boxes, or the complete IoU, which also pulls boxes that do not touch."""
    w = (torch.minimum(a[..., 2], b[..., 2]) - torch.maximum(a[..., 0], b[..., 0])).clamp(0)
    h = (torch.minimum(a[..., 3], b[..., 3]) - torch.maximum(a[..., 1], b[..., 1])).clamp(0)
    aw, ah, bw, bh = a[..., 2] - a[..., 0], a[..., 3] - a[..., 1], b[..., 2] - b[..., 0], b[..., 3] - b[..., 1]
    inter = w * h
    v = inter / (aw * ah + bw * bh - inter + 1e-7)
    if not complete:
        return v
    cw = torch.maximum(a[..., 2], b[..., 2]) - torch.minimum(a[..., 0], b[..., 0])
    ch = torch.maximum(a[..., 3], b[..., 3]) - torch.minimum(a[..., 1], b[..., 1])
    gap = (a[..., 0] + a[..., 2] - b[..., 0] - b[..., 2]) ** 2 + (a[..., 1] + a[..., 3] - b[..., 1] - b[..., 3]) ** 2
    shape = 4 / math.pi ** 2 * (torch.atan(bw / (bh + 1e-7)) - torch.atan(aw / (ah + 1e-7))) ** 2
    with torch.no_grad():
        alpha = shape / (1 - v + shape + 1e-7)
    return v - gap / 4 / (cw ** 2 + ch ** 2 + 1e-7) - alpha * shape


def loss_of(boxes, logits, truth, side, topk=9):
    """truth is (N,M,5), rows [class, x1, y1, x2, y2], class -1 where unused.

    Each object takes the few anchors inside it that are best by score and
    overlap together, so that score and box learn to agree.
    """
    c, s = boxes[:, :2].transpose(1, 2), boxes[:, 2:].transpose(1, 2)
    pred, logits = torch.cat((c - s / 2, c + s / 2), 2), logits.transpose(1, 2)
    target = torch.zeros_like(logits)
    with torch.no_grad():
        pts = grid(side).t()[None, None]
        box, cls, used = truth[:, :, None, 1:], truth[..., 0].long(), truth[..., 0] >= 0
        inside = ((pts > box[..., :2]) & (pts < box[..., 2:])).all(-1) & used[..., None]
        over = iou(pred[:, None], box) * inside  # (N,M,A)
        score = logits.sigmoid().gather(2, cls.clamp(0)[:, None].expand(-1, logits.shape[1], -1)).transpose(1, 2)
        fit = (score.sqrt() * over ** 6 + 1e-12) * inside
        top = fit.topk(topk, 2)
        chosen = torch.zeros_like(fit).scatter_(2, top.indices, 1.0) * inside
        # An anchor that two objects want goes to the one it overlaps more.
        owner = (over * chosen + chosen * 1e-9).argmax(1)
        chosen = chosen * Fn.one_hot(owner, truth.shape[1]).transpose(1, 2)
        fit = fit * chosen
        weight = (fit / fit.amax(2, keepdim=True).clamp(1e-12) * (over * chosen).amax(2, keepdim=True)).sum(1)
        mine = chosen.sum(1) > 0
        want = truth.gather(1, owner[..., None].expand(-1, -1, 5))
        target[mine] = Fn.one_hot(want[..., 0].long().clamp(0), NC).float()[mine] * weight[mine][:, None]
    total = weight.sum().clamp(1)
    lc = Fn.binary_cross_entropy_with_logits(logits, target, reduction="sum") / total
    lb = ((1 - iou(pred[mine], want[mine][:, 1:], True)) * weight[mine]).sum() / total
    return lc, lb


# --- pictures ----------------------------------------------------------------------

SHAPES = [(1, 1), (1, 0.75), (1, 0.75), (1, 0.5625), (0.75, 1)]
BANK, TABLES = None, None  # set before the workers are forked


def example(seed, side):
    rng = np.random.default_rng(seed)
    if TABLES and rng.random() < 0.3:
        pic, rows = TABLES[rng.integers(len(TABLES))]
        rows = rows.copy()
        if rng.random() < 0.5:
            pic, rows[:, [1, 3]] = pic[:, ::-1], pic.shape[1] - rows[:, [3, 1]]
        if rng.random() < 0.3:
            pic = pic[..., rng.permutation(3)]
    else:
        w, h = SHAPES[rng.integers(len(SHAPES))]
        pic, rows = BANK.collage(rng, int(side * w), int(side * h))
    pic, s, x, y = scenes.letterbox(scenes.wear(pic, rng), side)
    rows[:, 1:] = rows[:, 1:] * s + np.array([x, y, x, y], np.float32)
    return pic, rows


def batch(job):
    seed, step, size, side = job
    made = [example((seed, 9, step, i), side) for i in range(size)]
    truth = np.full((size, max(1, max(len(r) for _, r in made)), 5), -1, np.float32)
    for t, (_, r) in zip(truth, made):
        t[:len(r)] = r
    return np.stack([p for p, _ in made]), truth


def images(pics):
    return torch.from_numpy(pics).permute(0, 3, 1, 2).float().div_(255).contiguous(memory_format=torch.channels_last)


def state(net):
    return itertools.chain(net.parameters(), net.buffers())


def stream(pool, jobs, ahead=24):
    """Batches in order, a few rendered ahead: all of them would fill the memory."""
    waiting = collections.deque()
    for job in jobs:
        waiting.append(pool.apply_async(batch, (job,)))
        if len(waiting) > ahead:
            yield waiting.popleft().get()
    while waiting:
        yield waiting.popleft().get()


# --- training ------------------------------------------------------------------------

def export(net, path, note):
    import onnx
    net = copy.deepcopy(net).eval()
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    torch.onnx.export(Exported(net), torch.zeros(1, 3, SIDE, SIDE), path, opset_version=13, input_names=["images"],
                      output_names=["output0"], dynamic_axes={"images": {0: "batch"}, "output0": {0: "batch"}})
    model = onnx.load(path)
    model.producer_name, model.producer_version, model.doc_string = "imageflow", "1", note
    meta = dict(description="ImageFlow demo detector, trained on rendered pictures", author="ImageFlow", date="2026-11-24",
                version="1.0.0", license="the repository's own", stride=32, task="detect", batch=1, imgsz=[SIDE, SIDE],
                names=dict(enumerate(scenes.CLASSES)), channels=3, end2end=False, args=dict(dynamic=True, nms=False))
    del model.metadata_props[:]
    for k, v in meta.items():
        model.metadata_props.add(key=k, value=str(v))
    onnx.checker.check_model(model)
    # Under another name first: whoever loads the model meanwhile gets a whole one.
    onnx.save(model, path + ".part")
    os.replace(path + ".part", path)


def load(net, path, pics):
    """Continues from an exported model. Its normalisations are folded into its
    convolutions; they are unfolded again with the statistics of some pictures,
    so that the network computes the same and can learn on."""
    import onnx
    from onnx import numpy_helper
    graph = onnx.load(path).graph
    values = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
    for n in graph.node:
        if n.op_type == "Identity" and n.input[0] in values:  # what is shared is written once
            values[n.output[0]] = values[n.input[0]]
    order, seen = [], set()
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            m.register_forward_hook(lambda m, *_: order.append(m))
    net.eval()
    with torch.no_grad():
        net(pics[:1])
    shifts = {}
    for conv_, node in zip(order, [n for n in graph.node if n.op_type == "Conv"], strict=True):
        conv_._forward_hooks.clear()
        conv_.weight.data.copy_(values[node.input[1]])
        shifts[conv_] = values[node.input[2]]
        if conv_.bias is not None:
            conv_.bias.data.copy_(shifts[conv_])

    def unfold(block):
        def hook(norm, inputs):
            if norm not in seen:
                seen.add(norm)
                var, mean = torch.var_mean(inputs[0], (0, 2, 3), unbiased=False)
                norm.running_mean.copy_(mean), norm.running_var.copy_(var)
                norm.weight.copy_((var + norm.eps).sqrt()), norm.bias.copy_(mean + shifts[block[0]])
        return block[1].register_forward_pre_hook(hook)

    hooks = [unfold(m) for m in net.modules() if isinstance(m, nn.Sequential) and len(m) == 3 and isinstance(m[1], nn.BatchNorm2d)]
    with torch.no_grad():
        net(pics)
    for h in hooks:
        h.remove()
    net.train()


def calibrate(net, path, seed, count=150):
    """Shifts all confidences so that 0.5 is where precision and recall are best
    together (F1, at IoU 0.5), measured on training-like pictures. The order of
    detections, and so the average precision, stays."""
    import evaluate
    model, scores, rights, total = evaluate.Model(path), [], [], 0
    for i in range(count):
        pic, truth = example((seed, 10, i), SIDE)
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


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    ap.add_argument("--out", default=os.path.join(here, "repository/yolo/1/model.onnx"))
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--small", type=int, default=1700, help="iterations at --small-side, where most is learnt cheaply")
    ap.add_argument("--small-side", type=int, default=224)
    ap.add_argument("--large", type=int, default=600, help="iterations at the full side, 320")
    ap.add_argument("--batch", type=int, default=16)
    ap.add_argument("--lr", type=float, default=3e-3)
    ap.add_argument("--sprites", type=int, default=300, help="rendered objects for each class")
    ap.add_argument("--backgrounds", type=int, default=300)
    ap.add_argument("--tables", type=int, default=500, help="rendered whole scenes")
    ap.add_argument("--shared-norm", action="store_true", help="one normalisation for the head's three strides")
    ap.add_argument("--start", help="an exported model to continue from")
    ap.add_argument("--calibrate", action="store_true", help="shift confidences so that 0.5 is the best threshold")
    ap.add_argument("--workers", type=int, default=2, help="processes that render")
    args = ap.parse_args()

    global BANK, TABLES
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    began = time.time()
    with mp.Pool(args.workers) as pool:
        BANK = scenes.Bank(args.seed, args.sprites, args.backgrounds, pool)
        shapes = [(320, 240), (320, 180), (320, 320)]
        TABLES = pool.map(scenes._table_job, [((args.seed, 5, i), *shapes[i % 3], 1) for i in range(args.tables)], 4)
    print(f"rendered in {time.time() - began:.0f} s", flush=True)

    total = args.small + args.large
    net = Detector(shared_norm=args.shared_norm)
    params = sum(p.numel() for p in net.parameters())
    print(f"{params} parameters", flush=True)
    if args.start:
        print(f"continues from {args.start}", flush=True)
        load(net, args.start, images(batch((args.seed, total, 32, SIDE))[0]))
    mean = copy.deepcopy(net)  # the running mean of the weights is what is exported
    decay, plain = [], []
    for p in net.parameters():
        (decay if p.ndim > 1 else plain).append(p)
    opt = torch.optim.AdamW([dict(params=decay, weight_decay=0.02), dict(params=plain, weight_decay=0.0)], lr=args.lr)
    jobs = [(args.seed, i, args.batch, args.small_side if i < args.small else SIDE) for i in range(total)]
    sums = np.zeros(2)
    with mp.Pool(args.workers, os.nice, (5,)) as pool:  # rendering must not starve the network
        for i, (pics, truth) in enumerate(stream(pool, jobs)):
            lr = args.lr * min(1, (i + 1) / 40) * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * i / total)))
            for g in opt.param_groups:
                g["lr"] = lr
            lc, lb = loss_of(*net(images(pics)), torch.from_numpy(truth), jobs[i][3])
            opt.zero_grad(set_to_none=True)
            (lc + 4 * lb).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 10.0)
            opt.step()
            keep = min(0.99, (i + 1) / (i + 20))
            with torch.no_grad():
                for m, p in zip(state(mean), state(net)):
                    m.copy_(m * keep + p * (1 - keep) if m.dtype.is_floating_point else p)
            sums += float(lc), float(lb)
            if (i + 1) % 50 == 0:
                print(f"{i + 1}/{total} class {sums[0] / 50:.3f} box {sums[1] / 50:.3f} {time.time() - began:.0f} s", flush=True)
                sums[:] = 0
            if (i + 1) % 500 == 0 and i + 1 < total:
                export(mean, args.out, f"{params} parameters, interrupted at iteration {i + 1} of {total}")
    note = f"{params} parameters, seed {args.seed}, {total} iterations"
    export(mean, args.out, note)
    if args.calibrate:
        calibrate(mean, args.out, args.seed)
        export(mean, args.out, note)
    print(f"done in {time.time() - began:.0f} s: {args.out}, {os.path.getsize(args.out)} bytes", flush=True)


if __name__ == "__main__":
    main()
