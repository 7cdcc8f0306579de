"""score.py HOME PICTURES GATEWAY S3 DATA: compares the detections of ImageFlow with those of the packages.

HOME is the folder of demo-models.sh, PICTURES has photographs for the mean average
precision, and local mode serves at GATEWAY and S3 with its objects in DATA.
"""

import base64
import contextlib
import io
import json
import pathlib
import subprocess
import sys
import time
import urllib.request

import numpy as np
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import reference

# The models, with the size of their input and the interpolation of their packages. DEMO are those of demo-models.sh; the
# precision of the others is printed only.
INPUT = {"faces": (640, 640), "coco": (300, 300), "ddddocr": (416, 416), "nudenet": (320, 320)}
INTERPOLATION = {"faces": "bilinear", "coco": "bilinear_asymmetric", "ddddocr": "bilinear", "nudenet": "bilinear"}
DEMO = ("faces", "coco")
BUCKET = "imageflow-files"
home, pictures, gateway, s3, data = sys.argv[1:]
home = pathlib.Path(home)
problems = []


def detect(image, model, threshold):
    """Returns what ImageFlow finds in an image."""
    png = io.BytesIO()
    image.save(png, "png", compress_level=1)
    body = {"input_bytes": base64.b64encode(png.getvalue()).decode(), "model_name": model,
            "confidence_threshold": threshold, "max_detections": 300, "agnostic_nms": model.startswith("nudenet")}
    request = urllib.request.Request(f"{gateway}/v1/detect", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        found = json.load(response)["detections"]
    return [(*(d["bbox"].get(side, 0) for side in ("x1", "y1", "x2", "y2")), d["confidence"], d["class_name"])
            for d in found]


def inside(row, image):
    """Returns a detection without the part of its box outside the image, as ImageFlow does."""
    box = np.clip(row[:4], 0, [*image.size, *image.size])
    return (*map(float, box), *row[4:])


def iou(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(0, width) * max(0, height)
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    return common / (area(a) + area(b) - common)


def check(right, problem):
    if not right:
        problems.append(problem)


def compare(name, model, image, expected):
    """Prints a row for each detection of the package, beside the nearest one of ImageFlow."""
    found = detect(image, model, 0.1)
    for row in expected:
        same = [other for other in found if other[5] == row[5]]
        best = max(same, key=lambda other: iou(row, other), default=None)
        if best is None:
            check(False, f"{name}: no {row[5]}")
            continue
        pixels = np.abs(np.subtract(row[:4], best[:4])).max()
        print(f"{name:<22}{row[5]:<14}{row[4]:>8.3f}{best[4]:>11.3f}{pixels:>10.1f}{iou(row, best):>8.3f}")
        check(pixels <= 2, f"{name}: the box of {row[5]} differs by {pixels:.1f} pixels")


def table(model, photographs):
    print(f"\n{model}: photographs as they are, and at the size of the model's input\n"
          f"{'photograph':<22}{'class':<14}{'package':>8}{'ImageFlow':>11}{'px':>10}{'IoU':>8}")
    for scaled in (False, True):
        images = {name: resize(image, model) if scaled else image for name, image in photographs.items()}
        for (name, image), expected in zip(images.items(), references(model, list(images.values()))):
            compare(f"{name} {image.width}x{image.height}", model, image, expected)


def resize(image, model):
    """Scales an image to the model's input, so that neither side resamples it: for faces with a grey border."""
    if model != "faces":
        return image.resize(INPUT[model], Image.BICUBIC)
    canvas = Image.new("RGB", INPUT[model], (114, 114, 114))
    canvas.paste(image.resize(reference.shape(image), Image.BICUBIC))
    return canvas


def references(model, images):
    found = getattr(reference, model)(images, home)
    return [[inside(row, image) for row in rows] for rows, image in zip(found, images)]


def precision(images, labels, detections):
    """Returns the mean average precision at IoU 0.5 to 0.95, and at 0.5."""
    names = sorted({row[5] for rows in labels for row in rows})
    number = {name: i + 1 for i, name in enumerate(names)}

    def annotations(lists):
        return [{"image_id": i, "category_id": number[r[5]], "bbox": [r[0], r[1], r[2] - r[0], r[3] - r[1]],
                 "area": (r[2] - r[0]) * (r[3] - r[1]), "iscrowd": 0, "score": r[4]}
                for i, rows in enumerate(lists) for r in rows if r[5] in number]

    truth = COCO()
    truth.dataset = {"images": [{"id": i} for i in range(len(images))], "info": {},
                     "annotations": [dict(a, id=i + 1) for i, a in enumerate(annotations(labels))],
                     "categories": [{"id": n, "name": name} for name, n in number.items()]}
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(annotations(detections)), "bbox")
        evaluation.evaluate(), evaluation.accumulate(), evaluation.summarize()
    return evaluation.stats[0], evaluation.stats[1]


def views():
    """Returns the photographs, and of each the left and right two thirds and the middle."""
    images = []
    for path in sorted(pathlib.Path(pictures).iterdir()):
        image = Image.open(path).convert("RGB")
        width, height = image.size
        for box in ((0, 0, 1, 1), (0, 0, 2 / 3, 1), (1 / 3, 0, 1, 1), (1 / 6, 1 / 6, 5 / 6, 5 / 6)):
            images.append(image.crop(tuple(round(f * s) for f, s in zip(box, (width, height, width, height)))))
    return images


def score(model, images):
    """Prints the precision with each interpolation, and at the size of the model's input, where they are equal."""
    right = INTERPOLATION[model]
    for size, used, interpolations in (
            ("own", images, ("bilinear", "bilinear_asymmetric", "antialiased")),
            ("of the input", [resize(image, model) for image in images], (right,))):
        labels = references(model, used)
        count = sum(map(len, labels))
        for interpolation in interpolations:
            detections = [detect(image, f"{model}-{interpolation}", 0.01) for image in used]
            whole, half = precision(used, labels, detections)
            print(f"{model:<10}{size:<14}{interpolation:<22}{len(used):>6}{count:>8}{whole:>14.4f}{half:>10.4f}", flush=True)
            check(whole >= 0.995 or interpolation != right or model not in DEMO,
                  f"{model}, size {size}: the mean average precision with {right} is {whole:.4f}")


def redact(name, path):
    """Sends a photograph through the chain redact.yaml, and checks which pixels changed."""
    key = f"redact/{path.name}"
    subprocess.run(["curl", "-sf", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "imageflow:imageflow-local",
                    "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "-H", "Content-Type: image/png",
                    "-T", path, f"{s3}/{BUCKET}/{key}"], check=True)
    objects = pathlib.Path(data) / "objects/buckets" / BUCKET
    output, side_car = objects / f"{key}_filter.png", objects / f"{key}_ai-detection.json"
    for _ in range(300):
        if output.exists():
            break
        time.sleep(0.1)
    before, after = (np.asarray(Image.open(p).convert("RGB"), int) for p in (path, output))
    changed = (before != after).any(2)
    allowed = np.zeros_like(changed)
    faces = json.loads(side_car.read_text()).get("detections", [])
    for face in faces:
        box = [face["bbox"].get(side, 0) for side in ("x1", "y1", "x2", "y2")]
        margin = [0.1 * (box[2] - box[0]), 0.1 * (box[3] - box[1])]
        allowed[max(0, int(box[1] - margin[1])):int(box[3] + margin[1]) + 1,
                max(0, int(box[0] - margin[0])):int(box[2] + margin[0]) + 1] = True
    outside = (changed & ~allowed).sum()
    print(f"{name:<12}{len(faces):>6}{allowed.sum():>10}{changed.sum():>10}{outside:>10}")
    check(outside == 0 and changed.sum() >= 0.95 * allowed.sum(), f"{name}: the redaction")


def main():
    photographs = {path.stem: Image.open(path).convert("RGB") for path in sorted((home / "photographs").iterdir())}
    for model in DEMO:
        table(model, photographs)
    print(f"\nredaction of faces by eventing/examples/redact.yaml, pixels\n"
          f"{'photograph':<12}{'faces':>6}{'regions':>10}{'changed':>10}{'outside':>10}")
    for path in sorted((home / "photographs").iterdir()):
        redact(path.stem, path)
    images = views()
    print(f"\nmean average precision; the labels are the detections of the packages\n"
          f"{'model':<10}{'size':<14}{'interpolation':<22}{'images':>6}{'labels':>8}{'IoU .5-.95':>14}{'IoU .5':>10}")
    for model in INPUT:
        score(model, images)
    sys.exit("\n".join(problems) or 0)


main()
