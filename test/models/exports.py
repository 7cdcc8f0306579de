"""exports.py FOLDER PHOTOGRAPHS: exports the models of rows.py and writes what Ultralytics finds with them.

FOLDER/<row>/model.onnx is the model, and FOLDER/<row>/reference.json has for each image, by file name, the
detections of Ultralytics' own predict. FOLDER/images has the images.
"""

import json
import os
import pathlib
import shutil
import sys

import cv2
import numpy as np
from ultralytics import RTDETR, YOLO

import families
import networks
from rows import CONFIDENCE, IOU, ROWS

folder, photographs = map(pathlib.Path, sys.argv[1:])
images = folder / "images"


def make_images():
    """Writes the photographs, and for each input size crops of exactly this size."""
    images.mkdir(parents=True, exist_ok=True)
    for path in [*sorted(photographs.glob("[ac][so]*.png")), pathlib.Path("test/images/sample.jpg")]:
        image = cv2.imread(str(path))
        cv2.imwrite(str(images / f"{path.stem}.png"), image)
        for height, width in {row.size for row in ROWS}:
            scale = max(height / image.shape[0], width / image.shape[1])
            part = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)[:height, :width]
            cv2.imwrite(str(images / f"exact-{height}x{width}-{path.stem}.png"), part)


def chosen(row):
    """Returns the images of a row: those of its size, and the photographs."""
    return sorted([*images.glob(f"exact-{row.size[0]}x{row.size[1]}-*.png"), *images.glob("[!e]*.png")])


def export(row, target):
    pictures = [cv2.imread(str(path)) for path in images.glob("[!e]*.png")]
    net = networks.network(row.yaml, row.task, row.classes, pictures, row.size)
    kind = RTDETR if "rtdetr" in row.yaml else YOLO
    model = kind(row.yaml)
    model.model, model.task = net, row.task
    net.pt_path = model.ckpt_path = str(target / "model.pt")
    net.yaml["yaml_file"] = row.yaml
    path = model.export(format="onnx", imgsz=list(row.size), device="cpu", verbose=False, **row.arguments)
    os.replace(path, target / "model.onnx")


def rounded(array):
    return np.asarray(array, float).round(5).tolist()


def predict(row, target):
    """Returns what Ultralytics finds in each image, the most confident first."""
    path = str(target / "model.onnx")
    model = RTDETR(path) if "rtdetr" in row.yaml else YOLO(path, task=row.task)
    found = {}
    for image in chosen(row):
        result = model.predict(cv2.imread(str(image)), conf=CONFIDENCE, iou=IOU, imgsz=list(row.size), max_det=300,
                               device="cpu", verbose=False)[0]
        if row.task == "classify":
            found[image.name] = {"probabilities": rounded(result.probs.data)}
            continue
        boxes = result.obb if row.task == "obb" else result.boxes
        detections = {"boxes": rounded(boxes.xyxy), "scores": rounded(boxes.conf), "classes": rounded(boxes.cls)}
        if row.task == "obb":
            detections["points"] = rounded(boxes.xyxyxyxy)
        if row.task == "pose":
            points = result.keypoints.data.cpu().numpy()
            points[points[..., 2] < 0.5] = np.nan  # Ultralytics zeroes them
            detections["points"] = rounded(points[..., :2])
        found[image.name] = detections
    return found


def main():
    make_images()
    for row in ROWS:
        target = folder / row.name
        if (target / "reference.json").exists():
            continue
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        print(f"exporting {row.name} ...", flush=True)
        if row.family:
            families.export(row, target, images)
            found = families.predict(row, target, chosen(row))
        else:
            export(row, target)
            found = predict(row, target)
        (target / "reference.json").write_text(json.dumps(found))


main()
