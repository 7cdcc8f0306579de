"""The matrix: each row is a model, how it was exported, and how ImageFlow must understand it."""

from dataclasses import dataclass, field

CONFIDENCE, IOU = 0.25, 0.45


@dataclass
class Row:
    name: str
    yaml: str
    layout: str  # as in GET /v1/models/{name}; "" if the model must be refused
    size: tuple = (320, 320)  # height and width
    classes: int = 80
    task: str = "detect"
    arguments: dict = field(default_factory=dict)  # of the export
    parameters: dict = field(default_factory=dict)  # of config.pbtxt
    advice: dict = field(default_factory=dict)  # parameters that the refusal names
    family: str = ""  # of a model that Ultralytics does not export
    names: list = field(default_factory=list)  # the metadata of such a model


def exports():
    for name, yaml, layout in (
        ("v5nu", "yolov5n.yaml", "v8"), ("v8n", "yolov8n.yaml", "v8"), ("v9t", "yolov9t.yaml", "v8"),
        ("v10n", "yolov10n.yaml", "v8"), ("11n", "yolo11n.yaml", "v8"), ("12n", "yolo12n.yaml", "v8"),
        ("26n", "yolo26n.yaml", "v8"), ("rtdetr", "yolov8n-rtdetr.yaml", "rt-detr-topk"),
    ):
        yield Row(name, yaml, layout, (640, 640))
        if name in ("v8n", "26n", "rtdetr"):
            yield Row(f"{name}-320", yaml, layout)
            yield Row(f"{name}-384x640", yaml, layout, (384, 640))
            yield Row(f"{name}-1class", yaml, layout, classes=1)
            yield Row(f"{name}-2classes", yaml, layout, classes=2)
            yield Row(f"{name}-half", yaml, layout, arguments={"quantize": 16})
            yield Row(f"{name}-dynamic", yaml, layout, arguments={"dynamic": True})
        if name in ("v5nu", "v8n", "11n", "26n"):
            yield Row(f"{name}-nms", yaml, "end-to-end", arguments={"nms": True, "conf": CONFIDENCE, "iou": IOU})
        if name in ("v10n", "26n"):
            yield Row(f"{name}-end2end", yaml, "end-to-end", arguments={"nms": False})


def tasks():
    for name, arguments in (("yolov8n", {}), ("yolo11n", {}), ("yolo26n", {"nms": False})):
        layout = "end-to-end" if arguments else "v8"
        short = name.removeprefix("yolo")
        yield Row(f"{short}-seg", f"{name}-seg.yaml", layout, task="segment", arguments=arguments)
        yield Row(f"{short}-pose", f"{name}-pose.yaml", layout, classes=1, task="pose", arguments=arguments)
        yield Row(f"{short}-obb", f"{name}-obb.yaml", layout + "-obb", (640, 640), 15, "obb", arguments)
    yield Row("v8n-cls", "yolov8n-cls.yaml", "classify", (224, 224), 10, "classify")


# RF-DETR trains on antialiased images, but predicts without.
PARAMETERS = {"rf-detr": {"interpolation": "bilinear"}}


def others():
    names = [f"class {i}" for i in range(10)]
    for family in ("yolox", "yolox-decoded", "yolo-nas", "efficient-nms", "mmdet", "d-fine", "rf-detr", "yolov7-nms",
                   "yolo-nas-flat", "paddle"):
        yield Row(family, "yolov8n.yaml", family, classes=10, family=family, names=names, parameters=PARAMETERS.get(family, {}))
    listed = "[" + ", ".join(f"'{n}'" for n in names) + "]"
    yield Row("yolox-unnamed", "yolov8n.yaml", "yolox", classes=10, family="yolox", advice={"names": listed})


ROWS = [*exports(), *tasks(), *others()]
