"""Networks without training whose detections depend on the image.

Ultralytics builds its networks with random weights, whose outputs are nearly the same for every image. Here all layers
are normalised on photographs and the heads are scaled, so that a few dozen boxes have a confidence above 0.25. Deep
networks with random weights are chaotic: a difference of 1e-6 in a pixel changes the boxes. Kernels that blur, and
activations in the nearly linear part of SiLU, make them as smooth as trained ones.
"""

import cv2
import numpy as np
import torch
from torch import nn
from ultralytics.nn import tasks
from ultralytics.nn.modules import head as heads
from ultralytics.utils import DEFAULT_CFG_DICT

ABOVE = 40  # boxes with a confidence above 0.25
BUILDERS = {"detect": tasks.DetectionModel, "segment": tasks.SegmentationModel, "pose": tasks.PoseModel,
            "obb": tasks.OBBModel, "classify": tasks.ClassificationModel}


def network(yaml, task, classes, images, size):
    """Returns a calibrated network of a yaml of Ultralytics; size is (height, width)."""
    torch.manual_seed(1)
    build = tasks.RTDETRDetectionModel if "rtdetr" in yaml else BUILDERS[task]
    net = build(yaml, nc=classes, verbose=False)
    net.args = dict(DEFAULT_CFG_DICT)
    net.task = task
    net.names = {i: f"class {i}" for i in range(classes)}
    calibrate(net, images, size)
    return net


def calibrate(net, images, size):
    batch = [cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)[..., ::-1] for image in images]
    batch = torch.from_numpy(np.stack(batch).transpose(0, 3, 1, 2) / 255).float()
    net.eval()
    smooth(net)
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
        norm.train()
    with torch.no_grad():
        net(batch)
        for norm in norms:
            norm.momentum = 0.03
            norm.eval()
        head = net.model[-1]
        if isinstance(head, heads.Classify):
            scale(net, batch, [head.linear])
        elif isinstance(head, heads.RTDETRDecoder):
            scale(net, batch, [head.enc_score_head])
            scale(net, batch, [m.layers[-1] for m in (head.enc_bbox_head, *head.dec_bbox_head)])
            scale(net, batch, list(head.dec_score_head), ABOVE / 300)
        else:
            share = ABOVE / sum(size[0] * size[1] / stride**2 for stride in (8, 16, 32))
            for boxes, scores in [("cv2", "cv3"), ("one2one_cv2", "one2one_cv3")][:1 + hasattr(head, "one2one_cv2")]:
                scale(net, batch, [m[-1] for m in getattr(head, boxes)], offset=2)
                scale(net, batch, [m[-1] for m in getattr(head, scores)], share)
            if isinstance(head, heads.Segment):  # Ultralytics drops boxes with empty masks
                for masks in [head.cv4, *([head.one2one_cv4] if hasattr(head, "one2one_cv4") else [])]:
                    scale(net, batch, [m[-1] for m in masks], offset=2)


def smooth(net):
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.constant_(layer.bias, 2)
        elif isinstance(layer, nn.Conv2d) and layer.kernel_size[0] > 1:
            taps = torch.from_numpy(np.outer(*[np.hanning(k + 2)[1:-1] for k in layer.kernel_size])).float()
            layer.weight.data = layer.weight.data.sum((2, 3), keepdim=True) * taps / taps.sum()


def scale(net, batch, layers, share=None, offset=0):
    """Gives the outputs of layers a standard deviation of 1 and this mean, or a share of their rows a score above 0.25."""
    seen = {}
    hooks = [layer.register_forward_hook(lambda m, _, out: seen.setdefault(m, out)) for layer in layers]
    net(batch)
    for hook in hooks:
        hook.remove()
    for layer, out in seen.items():
        rows = out.movedim(1, -1) if out.dim() == 4 else out
        rows = rows.reshape(-1, rows.shape[-1])
        factor = 1 / rows.std(0).clamp(min=1e-6)
        if share:
            highest = ((rows - rows.mean(0)) * factor).max(1).values.view(len(batch), -1)
            offset = -1.1 - highest.quantile(1 - min(share, 0.5), 1).median()
        layer.weight *= factor.view(-1, *[1] * (layer.weight.dim() - 1))
        layer.bias.copy_((layer.bias - rows.mean(0)) * factor + offset)
