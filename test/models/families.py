"""Models of families that Ultralytics does not export: the names, types and forms of the outputs, and the preparation
of the image, are those of each family; the network below is one of Ultralytics.

Each family has the sources of its preparation and its outputs. predict() prepares images and reads the outputs as the
family's own code does, on ONNX Runtime.
"""

import json

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
import torchvision
from PIL import Image

import networks
from rows import CONFIDENCE, IOU

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])  # of ImageNet
STRIDES = (8, 16, 32)


class Outputs(torch.nn.Module):
    """The network with its outputs in the form of a family. kept() are the boxes of corners after suppression."""

    def __init__(self, net, family, size, white):
        super().__init__()
        self.net, self.family, self.size, self.white = net, family, size, white

    def forward(self, image, sizes=None):
        out = self.net(image / self.white)
        out = (out[0] if isinstance(out, (tuple, list)) else out)[0].T
        boxes, scores = out[:, :4], out[:, 4:]
        corners = torch.cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)
        if self.family in ("yolox", "yolox-decoded"):
            objectness = torch.ones_like(scores[:, :1])
            if self.family == "yolox":
                grid, stride = cells(self.size)
                boxes = torch.cat([boxes[:, :2] / stride - grid, torch.log(boxes[:, 2:] / stride)], 1)
            return torch.cat([boxes, objectness, scores], 1)[None]
        if self.family == "yolo-nas":
            return corners[None], scores[None]
        best, classes = scores.max(1)
        keep = torchvision.ops.nms(corners + classes[:, None] * 4096, best, IOU)[:100]
        corners, best, classes = corners[keep], best[keep], classes[keep]
        if self.family == "efficient-nms":
            count = (best > 0).sum().int().view(1, 1)
            return count, corners[None], best[None], classes[None].int()
        if self.family == "mmdet":
            return torch.cat([corners, best[:, None]], 1)[None], classes[None]
        if self.family == "d-fine":
            return classes[None], corners[None] / self.size[0] * sizes.repeat(1, 2)[:, None], best[None]
        if self.family == "rf-detr":
            kept = scores[keep].clamp(1e-6, 1 - 1e-6)
            logits = torch.log(kept / (1 - kept))
            return boxes[keep][None] / self.size[0], torch.cat([logits, logits[:, :1] * 0 - 9], 1)[None]
        zero = torch.zeros_like(best[:, None])
        label = classes[:, None].float()
        if self.family == "yolov7-nms":
            return torch.cat([zero, corners, label, best[:, None]], 1)
        if self.family == "yolo-nas-flat":
            return torch.cat([zero, corners, best[:, None], label], 1)
        return torch.cat([label, best[:, None], corners], 1), (best > 0).sum().int().view(1)  # paddle


def cells(size):
    """Returns the column and row of the cell of each anchor, and its stride."""
    grids, strides = [], []
    for s in STRIDES:
        y, x = torch.meshgrid(torch.arange(size[0] // s), torch.arange(size[1] // s), indexing="ij")
        grids.append(torch.stack([x, y], 2).view(-1, 2))
        strides.append(torch.full((len(grids[-1]), 1), s))
    return torch.cat(grids).float(), torch.cat(strides).float()


# The names of the outputs.
NAMES = {
    "yolox": ["output"], "yolox-decoded": ["output"], "yolo-nas": ["output0", "output1"],
    "efficient-nms": ["num_dets", "det_boxes", "det_scores", "det_classes"], "mmdet": ["dets", "labels"],
    "d-fine": ["labels", "boxes", "scores"], "rf-detr": ["dets", "labels"], "yolov7-nms": ["output"],
    "yolo-nas-flat": ["graph2_flat_predictions"], "paddle": ["multiclass_nms3_0.tmp_0", "multiclass_nms3_0.tmp_2"],
}


def letterbox(image, size):
    """Ultralytics, YOLOv7 and YOLOv6: the centred image on grey, RGB from 0 to 1."""
    height, width = image.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    scaled = round(width * scale), round(height * scale)
    left, top = round((size[1] - scaled[0]) / 2 - 0.1), round((size[0] - scaled[1]) / 2 - 0.1)
    canvas = np.full((*size, 3), 114, np.uint8)
    canvas[top:top + scaled[1], left:left + scaled[0]] = cv2.resize(image, scaled, interpolation=cv2.INTER_LINEAR)
    return canvas[..., ::-1] / 255, (scale, scale), (left, top)


def top_left(image, size):
    """YOLOX (yolox/data/data_augment.py, preproc): BGR from 0 to 255."""
    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    scaled = int(image.shape[1] * scale), int(image.shape[0] * scale)
    canvas = np.full((*size, 3), 114, np.uint8)
    canvas[:scaled[1], :scaled[0]] = cv2.resize(image, scaled, interpolation=cv2.INTER_LINEAR)
    return canvas.astype(float), (scale, scale), (0, 0)


def rtmdet(image, size):
    """RTMDet (configs/rtmdet/rtmdet_l_8xb32-300e_coco.py): as YOLOX, BGR with mean and std, bgr_to_rgb=False."""
    canvas, scale, offset = top_left(image, size)
    return (canvas - [103.53, 116.28, 123.675]) / [57.375, 57.12, 58.395], scale, offset


def stretch(image, size):
    """The image without padding: RGB from 0 to 1."""
    scaled = cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)
    return scaled[..., ::-1] / 255, (size[1] / image.shape[1], size[0] / image.shape[0]), (0, 0)


def pillow(image, size):
    """D-FINE, DEIM and RT-DETRv2: as stretch, with torchvision's resize of Pillow's images."""
    scaled = np.asarray(Image.fromarray(image).resize(size[::-1], Image.BILINEAR))
    return scaled[..., ::-1] / 255, (size[1] / image.shape[1], size[0] / image.shape[0]), (0, 0)


def imagenet(image, size):
    """RF-DETR (rfdetr/export/_runtime/preprocess.py) and PaddleDetection: RGB with ImageNet's mean and std."""
    scaled, scale, offset = stretch(image, size)
    return (scaled - MEAN) / STD, scale, offset


PREPARE = {"yolox": top_left, "yolox-decoded": top_left, "mmdet": rtmdet, "d-fine": pillow, "rf-detr": imagenet,
           "paddle": imagenet}


def export(row, target, images):
    pictures = [cv2.imread(str(path)) for path in images.glob("[!e]*.png")]
    net = networks.network(row.yaml, row.task, row.classes, pictures, row.size)
    white = 255 if row.family.startswith("yolox") else 1
    arguments, inputs = [torch.zeros(1, 3, *row.size)], ["images"]
    if row.family == "d-fine":
        arguments.append(torch.tensor([row.size]))
        inputs.append("orig_target_sizes")
    path = str(target / "model.onnx")
    torch.onnx.export(Outputs(net, row.family, row.size, white).eval(), tuple(arguments), path, input_names=inputs,
                      output_names=NAMES[row.family], opset_version=16)
    model = onnx.load(path)
    if row.names:
        onnx.helper.set_model_props(model, {"names": json.dumps(row.names)})
    onnx.save(model, path)


def predict(row, target, images):
    session = onnxruntime.InferenceSession(str(target / "model.onnx"), providers=["CPUExecutionProvider"])
    found = {}
    for path in images:
        pixels, scale, offset = PREPARE.get(row.family, letterbox)(cv2.imread(str(path)), row.size)
        inputs = {"images": pixels.transpose(2, 0, 1)[None].astype(np.float32)}
        if row.family == "d-fine":
            inputs["orig_target_sizes"] = np.array([row.size[::-1]])
        corners, scores, classes = read(row, session.run(None, inputs))
        kept = scores > CONFIDENCE
        if row.family.startswith("yolox") or row.family == "yolo-nas":
            order = torchvision.ops.batched_nms(*map(torch.from_numpy, (corners[kept], scores[kept], classes[kept])), IOU)
        else:
            order = np.argsort(-scores[kept])
        corners = (corners[kept][order] - [*offset, *offset]) / [*scale, *scale]
        found[path.name] = {"boxes": corners.tolist(), "scores": scores[kept][order].tolist(),
                            "classes": classes[kept][order].tolist()}
    return found


def read(row, outputs):
    """Returns the corners in pixels of the input, the scores and the classes, as the family's code does."""
    family, first = row.family, outputs[0]
    if family.startswith("yolox"):  # yolox/utils/demo_utils.py: demo_postprocess, multiclass_nms
        boxes, scores = first[0, :, :4], first[0, :, 4:5] * first[0, :, 5:]
        if family == "yolox":
            grid, stride = (t.numpy() for t in cells(row.size))
            boxes = np.concatenate([(boxes[:, :2] + grid) * stride, np.exp(boxes[:, 2:]) * stride], 1)
        return from_centre(boxes), scores.max(1), scores.argmax(1)
    if family == "yolo-nas":
        return first[0], outputs[1][0].max(1), outputs[1][0].argmax(1)
    if family == "efficient-nms":
        count = int(first[0, 0])
        return outputs[1][0, :count], outputs[2][0, :count], outputs[3][0, :count]
    if family == "mmdet":
        return first[0, :, :4], first[0, :, 4], outputs[1][0]
    if family == "d-fine":
        return outputs[1][0], outputs[2][0], first[0]
    if family == "rf-detr":  # PostProcess of rfdetr: the last column is unused
        scores = 1 / (1 + np.exp(-outputs[1][0, :, :row.classes]))
        return from_centre(first[0]) * [*row.size[::-1], *row.size[::-1]], scores.max(1), scores.argmax(1)
    if family == "yolov7-nms":
        return first[:, 1:5], first[:, 6], first[:, 5]
    if family == "yolo-nas-flat":
        return first[:, 1:5], first[:, 5], first[:, 6]
    return first[:, 2:], first[:, 1], first[:, 0]  # paddle


def from_centre(boxes):
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)
