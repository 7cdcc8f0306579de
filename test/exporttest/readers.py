"""Reads the datasets of exporttest with pycocotools, Ultralytics and ElementTree, and compares them with
the answers of detection: the number of images and objects, the classes, each box and each keypoint."""
import json
import os
import sys
import xml.etree.ElementTree as ET

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from ultralytics.cfg import get_cfg
from ultralytics.data.build import build_yolo_dataset
from ultralytics.data.dataset import ClassificationDataset
from ultralytics.data.utils import check_cls_dataset, check_det_dataset

root = os.path.realpath(sys.argv[1])
PARTS = "train", "val"


class Set:
    """The images that one model has examined: their answers and the folder of the datasets."""

    def __init__(self, model):
        self.model, self.folder = model, f"{root}/{model}"
        self.images = json.load(open(f"{self.folder}/expected.json"))

    def objects(self, image):
        """Rows of class, x1, y1, x2, y2, and x, y and visibility of each keypoint, in pixels."""
        for (c, *box), points in zip(image["boxes"], image["keypoints"]):
            row = [c, *box]
            for x, y, confidence in points:
                labelled = 0 <= x <= image["width"] and 0 <= y <= image["height"] and confidence >= 0.5
                row += [x, y, 2] if labelled else [0, 0, 0]
            yield row

    def compare(self, reader, read, limit, number=lambda v: v):
        """Compares {key: rows} with the answers; limit is in pixels."""
        count, worst = 0, 0.0
        assert read.keys() == self.images.keys(), f"{reader}: {len(read)} images, want {len(self.images)}"
        for key, image in self.images.items():
            got, want = list(map(np.array, read[key])), [number(np.array(o)) for o in self.objects(image)]
            assert len(got) == len(want), f"{reader}: {key} has {len(got)} objects, want {len(want)}"
            for w in want:  # its counterpart is the nearest: an order by numbers would depend on the last digits
                g = got.pop(min(range(len(got)), key=lambda i: np.abs(got[i] - w).max()))
                assert g[0] == w[0], f"{reader}: {key} has other classes"
                assert (g[7::3] == w[7::3]).all(), f"{reader}: {key} has keypoints of another visibility"
                worst = max(worst, np.abs(g - w).max())
            count += len(want)
        print(f"{self.model}, {reader}: {len(read)} images, {count} objects, at most {worst:.6f} px from the answers")
        assert worst <= limit and count > 0, reader


def coco(s):
    read = {}
    for part in PARTS:
        c = COCO(f"{s.folder}/coco/{part}.json")
        for image in c.loadImgs(c.getImgIds()):
            want = s.images[image["file_name"]]
            assert (image["width"], image["height"]) == (want["width"], want["height"]), image
            read[image["file_name"]] = [
                (a["category_id"] - 1, x, y, x + w, y + h, *a.get("keypoints", []))
                for a in c.loadAnns(c.getAnnIds(imgIds=image["id"])) for x, y, w, h in [a["bbox"]]]
    s.compare("pycocotools", read, 0.01)


def coco_keypoints(s):
    """COCO's metric of the keypoints of train as results of themselves."""
    truth = COCO(f"{s.folder}/coco/train.json")
    names = truth.loadCats(truth.getCatIds())[0]["keypoints"]
    assert names == [f"kp_{i}" for i in range(5)], names
    own = [a for a in truth.loadAnns(truth.getAnnIds()) if a["num_keypoints"] > 0]
    e = COCOeval(truth, truth.loadRes([{k: a[k] for k in ("image_id", "category_id", "keypoints", "score")} for a in own]),
                 iouType="keypoints")
    e.params.kpt_oks_sigmas = np.full(len(names), 0.05)
    e.evaluate()
    e.accumulate()
    precision, recall = e.eval["precision"][..., 0, 0], e.eval["recall"][..., 0, 0]  # of all sizes
    print(f"{s.model}, COCOeval of keypoints with themselves: precision {precision.min()}, recall {recall.min()}")
    assert precision.min() == recall.min() == 1


def yolo(s, task):
    data = check_det_dataset(f"{s.folder}/yolo/data.yaml", autodownload=False)
    read = {}
    for part in PARTS:
        for label in build_yolo_dataset(get_cfg(overrides={"task": task}), data[part], 1, data, mode="val").labels:
            height, width = label["shape"]
            rows = []
            for i, (x, y, w, h) in enumerate(label["bboxes"].astype(float)):
                box = (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height
                points = label["keypoints"][i].astype(float) * [width, height, 1] if task == "pose" else np.empty(0)
                rows.append((label["cls"][i, 0].astype(float), *box, *points.ravel()))
            read[os.path.relpath(label["im_file"], f"{s.folder}/yolo/images")] = rows
    s.compare(f"Ultralytics, task {task}", read, 0.01)
    return data["names"]


def yolo_classify(s):
    data = check_cls_dataset(f"{s.folder}/yolo-classify")
    read = {}
    for part in PARTS:
        dataset = ClassificationDataset(data[part], get_cfg(overrides={"task": "classify"}), names=data["names"])
        for file, number, *_ in dataset.samples:
            read[os.path.relpath(file, f"{data[part]}/{data['names'][number]}")] = data["names"][number]
    assert read == {key: image["class"] for key, image in s.images.items()}
    print(f"{s.model}, Ultralytics, task classify: {len(read)} images in the classes {data['names']}, as in the answers")


def voc(s, names):
    ids = {name: n for n, name in names.items()}
    read = {}
    for part in PARTS:
        for stem in open(f"{s.folder}/voc/ImageSets/Main/{part}.txt").read().splitlines():
            a = ET.parse(f"{s.folder}/voc/Annotations/{stem}.xml").getroot()
            read[a.find("filename").text] = [
                (ids[o.find("name").text], *(int(o.find(f"bndbox/{edge}").text) - first
                                             for edge, first in [("xmin", 1), ("ymin", 1), ("xmax", 0), ("ymax", 0)]))
                for o in a.iter("object")]
    s.compare("ElementTree (VOC, whole pixels)", read, 0, number=lambda v: np.floor(v + 0.5))


boxes = Set("yolo")
coco(boxes)
voc(boxes, yolo(boxes, "detect"))

pose = Set("pose")
coco(pose)
coco_keypoints(pose)
yolo(pose, "pose")

yolo_classify(Set("classify"))
