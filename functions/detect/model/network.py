"""The network and its losses."""
import copy
import math

import torch
import torch.nn as nn
import torch.nn.functional as Fn

import scenes

SIDE, STRIDES, NC = 384, (8, 16, 32), len(scenes.CLASSES)  # SIDE is the input size of the exported model
BINS = 16  # the sides of a box are 0 to 15 strides from its anchor


def conv(cin, cout, k=3, s=1):
    norm = nn.BatchNorm2d(cout, momentum=0.03, eps=1e-3)
    return nn.Sequential(nn.Conv2d(cin, cout, k, s, k // 2, bias=False), norm, nn.ReLU(True))


def twins(block):
    """Returns one block for each stride. The convolution is shared; the normalisation is
    not, because the statistics of the strides differ."""
    return nn.ModuleList(nn.Sequential(block[0], copy.deepcopy(block[1]), block[2]) for _ in STRIDES)


class Residual(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.f = nn.Sequential(conv(c, c // 2, 1), conv(c // 2, c))

    def forward(self, x):
        return x + self.f(x)


class Detector(nn.Module):
    """A small feature pyramid in both directions, with one head for boxes and one for classes."""

    def __init__(self, neck=48):
        super().__init__()
        self.p2 = nn.Sequential(conv(3, 16, 3, 2), conv(16, 32, 3, 2), Residual(32))
        self.p3 = nn.Sequential(conv(32, 64, 3, 2), Residual(64), Residual(64))
        self.p4 = nn.Sequential(conv(64, 96, 3, 2), Residual(96), Residual(96))
        self.p5 = nn.Sequential(conv(96, 128, 3, 2), Residual(128), Residual(128))
        self.wide = conv(384, 128, 1)  # pooled neighbourhoods, for large objects
        self.lateral = nn.ModuleList(nn.Conv2d(c, neck, 1) for c in (64, 96, 128))
        self.down = nn.ModuleList(conv(neck, neck) for _ in range(2))
        self.step = nn.ModuleList(conv(neck, neck, 3, 2) for _ in range(2))
        self.up = nn.ModuleList(conv(neck, neck) for _ in range(2))
        self.box1, self.box2, self.cls1, self.cls2 = (twins(conv(neck, neck)) for _ in range(4))
        # Separate outputs for each stride, because the sizes of their objects differ.
        self.boxes = nn.ModuleList(nn.Conv2d(neck, 4 * BINS, 1) for _ in STRIDES)
        self.classes = nn.ModuleList(nn.Conv2d(neck, NC, 1) for _ in STRIDES)
        for c in self.classes:
            nn.init.constant_(c.bias, -5.0)  # objects are rare among the anchors

    def features(self, x):
        """Returns the features of each stride for boxes and for classes."""
        p3 = self.p3(self.p2(x))
        p4 = self.p4(p3)
        p5 = self.p5(p4)
        a = Fn.max_pool2d(p5, 5, 1, 2)
        p5 = self.wide(torch.cat((p5, a, Fn.max_pool2d(a, 5, 1, 2)), 1))
        n5 = self.lateral[2](p5)
        n4 = self.down[1](self.lateral[1](p4) + Fn.interpolate(n5, scale_factor=2.0, mode="nearest"))
        n3 = self.down[0](self.lateral[0](p3) + Fn.interpolate(n4, scale_factor=2.0, mode="nearest"))
        n4 = self.up[0](n4 + self.step[0](n3))
        n5 = self.up[1](n5 + self.step[1](n4))
        return [(self.box2[i](self.box1[i](f)), self.cls2[i](self.cls1[i](f))) for i, f in enumerate((n3, n4, n5))]

    def forward(self, x):
        """Returns centres-and-sizes in pixels (N,4,A), class logits (N,NC,A) and
        the logits of each side's distance (N,4,BINS,A)."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.training):  # twice as fast on a CPU with bfloat16
            seen = self.features(x)
        points, stride = grid(int(x.shape[2]))
        sides = torch.cat([out(f.float()).flatten(2) for out, (f, _) in zip(self.boxes, seen)], 2)
        logits = torch.cat([out(f.float()).flatten(2) for out, (_, f) in zip(self.classes, seen)], 2)
        sides = sides.reshape(-1, 4, BINS, len(stride))
        # The distances to left, top, right and bottom are the means over the bins.
        d = (sides.softmax(2) * torch.arange(BINS, dtype=torch.float32).view(BINS, 1)).sum(2) * stride
        near, far = points - d[:, :2], points + d[:, 2:]
        return torch.cat(((near + far) / 2, far - near), 1), logits, sides


def grid(side):
    """Returns the centres (2,A) and strides (A) of the anchors, in pixels."""
    points, strides = [], []
    for s in STRIDES:
        c = (torch.arange(side // s) + 0.5) * s
        y, x = torch.meshgrid(c, c, indexing="ij")
        points.append(torch.stack((x.reshape(-1), y.reshape(-1))))
        strides.append(torch.full((len(c) ** 2,), float(s)))
    return torch.cat(points, 1), torch.cat(strides)


class Exported(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        boxes, logits, _ = self.net(images)
        return torch.cat((boxes, logits.sigmoid()), 1)


def iou(a, b, complete=False):
    """Returns the IoU of xyxy boxes, or the complete IoU, which has a gradient for disjoint boxes too."""
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


def assign(pred, logits, truth, points, topk=9):
    """Assigns anchors to objects: of the anchors inside an object, those with the best
    combination of score and IoU, so that scores and boxes become consistent.

    Boxes are xyxy. Returns the chosen anchors (N,A), their rows of truth (N,A,5)
    and their weights (N,A)."""
    pts = points.t()[None, None]
    box, cls, used = truth[:, :, None, 1:], truth[..., 0].long(), truth[..., 0] >= 0
    inside = ((pts > box[..., :2]) & (pts < box[..., 2:])).all(-1) & used[..., None]
    over = iou(pred[:, None], box) * inside  # (N,M,A)
    score = logits.sigmoid().gather(2, cls.clamp(0)[:, None].expand(-1, logits.shape[1], -1)).transpose(1, 2)
    fit = (score.sqrt() * over ** 6 + 1e-12) * inside
    chosen = torch.zeros_like(fit).scatter_(2, fit.topk(topk, 2).indices, 1.0) * inside
    # An anchor of two objects is assigned to the one with the higher IoU.
    owner = (over * chosen + chosen * 1e-9).argmax(1)
    chosen = chosen * Fn.one_hot(owner, truth.shape[1]).transpose(1, 2)
    fit = fit * chosen
    weight = (fit / fit.amax(2, keepdim=True).clamp(1e-12) * (over * chosen).amax(2, keepdim=True)).sum(1)
    return chosen.sum(1) > 0, truth.gather(1, owner[..., None].expand(-1, -1, 5)), weight


def loss_of(out, truth, side):
    """Returns the losses of classes, boxes and distances. truth is (N,M,5) with rows
    [class, x1, y1, x2, y2]; unused rows have class -1."""
    boxes, logits, sides = out
    points, stride = grid(side)
    c, s = boxes[:, :2].transpose(1, 2), boxes[:, 2:].transpose(1, 2)
    pred, logits = torch.cat((c - s / 2, c + s / 2), 2), logits.transpose(1, 2)
    target = torch.zeros_like(logits)
    with torch.no_grad():
        mine, want, weight = assign(pred, logits, truth, points)
        target[mine] = Fn.one_hot(want[..., 0].long().clamp(0), NC).float()[mine] * weight[mine][:, None]
        near, far = points.t() - want[..., 1:3], want[..., 3:] - points.t()
        goal = (torch.cat((near, far), 2) / stride[:, None])[mine].clamp(0, BINS - 1.01)
    total, weight = weight.sum().clamp(1), weight[mine]
    lc = Fn.binary_cross_entropy_with_logits(logits, target, reduction="sum") / total
    lb = ((1 - iou(pred[mine], want[mine][:, 1:], True)) * weight).sum() / total
    # A distance is divided between its two neighbouring bins, by linear interpolation.
    low, log = goal.long(), sides.permute(0, 3, 1, 2)[mine].log_softmax(2)
    part = (goal - low)[..., None]
    ld = -(log.gather(2, low[..., None]) * (1 - part) + log.gather(2, low[..., None] + 1) * part)
    return lc, lb, (ld.mean((1, 2)) * weight).sum() / total
