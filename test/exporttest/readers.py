"""Reads the datasets of exporttest with pycocotools, Ultralytics and ElementTree, and compares them with
the answers of detection: the number of images and boxes, the classes, and each box."""
import json
import os
import sys
import xml.etree.ElementTree as ET

import numpy as np

folder = sys.argv[1]
expected = json.load(open(f"{folder}/expected.json"))


def compare(reader, read, limit):
    """Compares {key: [class, x1, y1, x2, y2]} with the answers; limit is in pixels."""
    boxes, worst = 0, 0.0
    assert read.keys() == expected.keys(), f"{reader}: {len(read)} images, want {len(expected)}"
    for key, want in expected.items():
        got = np.array(sorted(map(tuple, read[key]))).reshape(-1, 5)
        want = np.array(sorted(map(tuple, want["boxes"]))).reshape(-1, 5)
        assert got.shape == want.shape, f"{reader}: {key} has {len(got)} boxes, want {len(want)}"
        assert (got[:, 0] == want[:, 0]).all(), f"{reader}: {key} has other classes"
        boxes += len(got)
        worst = max(worst, np.abs(got - want).max(initial=0))
    print(f"{reader}: {len(read)} images, {boxes} boxes, at most {worst:.6f} px from the answers")
    assert worst <= limit and boxes > 0, reader


def coco():
    from pycocotools.coco import COCO
    read = {}
    for part in "train", "val":
        c = COCO(f"{folder}/coco/{part}.json")
        for image in c.loadImgs(c.getImgIds()):
            want = expected[image["file_name"]]
            assert (image["width"], image["height"]) == (want["width"], want["height"]), image
            read[image["file_name"]] = [
                (a["category_id"] - 1, x, y, x + w, y + h)
                for a in c.loadAnns(c.getAnnIds(imgIds=image["id"])) for x, y, w, h in [a["bbox"]]]
    compare("pycocotools", read, 0.01)


def yolo():
    from ultralytics.cfg import get_cfg
    from ultralytics.data.build import build_yolo_dataset
    from ultralytics.data.utils import check_det_dataset
    root = os.path.realpath(f"{folder}/yolo")
    data = check_det_dataset(f"{root}/data.yaml", autodownload=False)
    read = {}
    for part in "train", "val":
        for label in build_yolo_dataset(get_cfg(), data[part], 1, data, mode="val").labels:
            height, width = label["shape"]
            key = os.path.relpath(label["im_file"], f"{root}/images")
            read[key] = [
                (c, (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
                for (c,), (x, y, w, h) in zip(label["cls"].astype(float), label["bboxes"].astype(float))]
    compare("Ultralytics", read, 0.01)
    return data["names"]


def voc(names):
    ids = {name: n for n, name in names.items()}
    read = {}
    for part in "train", "val":
        for stem in open(f"{folder}/voc/ImageSets/Main/{part}.txt").read().splitlines():
            a = ET.parse(f"{folder}/voc/Annotations/{stem}.xml").getroot()
            read[a.find("filename").text] = [
                (ids[o.find("name").text], *(int(o.find(f"bndbox/{edge}").text) - first
                                             for edge, first in [("xmin", 1), ("ymin", 1), ("xmax", 0), ("ymax", 0)]))
                for o in a.iter("object")]
    return read


coco()
names = yolo()
read = voc(names)
for boxes in expected.values():  # VOC has whole pixels
    boxes["boxes"] = [[c, *(float(np.floor(v + 0.5)) for v in edges)] for c, *edges in boxes["boxes"]]
compare("ElementTree (VOC, whole pixels)", read, 0)
