"""compare.py FOLDER REPOSITORY GATEWAY: compares what ImageFlow and the references find with each model of rows.py.

FOLDER is that of exports.py, and ImageFlow serves REPOSITORY at GATEWAY. A model is added to the repository as a
user does it, read, asked for each image, and removed. If it is refused, the parameters that the refusal names are
written to config.pbtxt. Prints a table, and exits with 1 if a row fails.
"""

import base64
import datetime
import importlib.metadata
import json
import pathlib
import shutil
import sys
import time
import urllib.error
import urllib.request

import numpy as np

from rows import CONFIDENCE, IOU, ROWS

folder, repository, gateway = sys.argv[1:]
folder, repository = pathlib.Path(folder), pathlib.Path(repository)
# Pixels and confidence, for images of the input's size and for photographs.
LIMITS = {True: (0.5, 1e-3), False: (2, 0.02)}
# How many boxes may have no counterpart: an IoU at the threshold exchanges two boxes, also because Ultralytics adds up to
# 600,000 to coordinates of float32, to tell classes apart.
MISSING, SHARE = 2, 0.01
NEAR = 4  # pixels between the boxes of a pair


def call(path, body=None):
    """Returns the status and the answer of the gateway."""
    data = body and json.dumps(body).encode()
    request = urllib.request.Request(gateway + path, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)


def place(name, row, parameters):
    """Adds a model and its config.pbtxt to the repository, and returns how ImageFlow describes it."""
    target = repository / name
    (target / "1").mkdir(parents=True)
    text = "".join(f'parameters {{ key: "{k}" value {{ string_value: "{v}" }} }}\n' for k, v in parameters.items())
    (target / "config.pbtxt").write_text(text)
    shutil.copy(folder / row.name / "model.onnx", target / "1/model.onnx")
    for _ in range(600):
        status, answer = call(f"/v1/models/{name}")
        if status == 200 and answer["model"].get("reason", "") != "it is new and not loaded yet":
            return answer
        time.sleep(0.1)
    raise TimeoutError(f"{name} was neither loaded nor refused: {answer}")


def detect(name, image, kind):
    body = {"input_bytes": base64.b64encode(image.read_bytes()).decode(), "model_name": name,
            "confidence_threshold": CONFIDENCE, "nms_threshold": IOU, "max_detections": 300}
    if kind == "classify":
        del body["confidence_threshold"], body["nms_threshold"]
    status, answer = call("/v1/detect", body)
    if status != 200:
        raise RuntimeError(f"{status} {answer}")
    # A classification is a detection without a place.
    return [flat(d) for d in [*answer.get("detections", []), *answer.get("classifications", [])]]


def flat(d):
    """Returns the class, the confidence, and the box and points of a detection as arrays of ImageFlow's JSON."""
    box = [(d.get("bbox") or {}).get(side, 0) for side in ("x1", "y1", "x2", "y2")]
    points = [[p.get("x", 0), p.get("y", 0)] for p in d.get("keypoints", [])]
    corners = np.reshape((d.get("rotated_box") or {}).get("corners", []), (-1, 2)).tolist()
    return int(d.get("class_id", 0)), d.get("confidence", 0), np.array(box), np.array(points or corners)


def references(found, size):
    """Returns the detections of a reference like flat, without those outside the image, which ImageFlow drops."""
    if "probabilities" in found:
        return [(i, p, np.zeros(4), np.array([])) for i, p in enumerate(found["probabilities"])]
    points = found.get("points") or [[]] * len(found["boxes"])
    all = [(int(c), s, np.clip(box, 0, [*size, *size]), np.array(p))
           for c, s, box, p in zip(found["classes"], found["scores"], found["boxes"], points)]
    return [d for d in all if d[2][0] < d[2][2] and d[2][1] < d[2][3]]


def distances(a, b):
    """Returns the largest differences in pixels of two boxes, and of their points. Corners may begin anywhere."""
    pixels = np.abs(a[2] - b[2]).max()
    if len(a[3]) != len(b[3]):
        return pixels, np.inf
    if len(a[3]) == 4:
        return pixels, min(np.abs(np.roll(order, i, 0) - b[3]).max() for i in range(4) for order in (a[3], a[3][::-1]))
    seen = np.abs(a[3] - b[3]).ravel()
    return pixels, np.nanmax(seen) if np.isfinite(seen).any() else 0


def cost(a, b):
    """Returns how far apart two detections are: boxes that the image cuts off are told apart by their corners."""
    box, points = distances(a, b)
    return max(box, points) if len(a[3]) == 4 else box


def compare(expected, found, limit, task):
    """Returns the largest differences, and how many detections have no counterpart on the other side.

    Detections within the limit of the threshold may be missing. Ultralytics' suppression of oriented boxes drops
    boxes because of dropped ones, too; these may be missing there.
    """
    worst = np.zeros(2)
    missing, rest = 0, list(found)
    for e in expected:
        near = [(cost(e, f), i) for i, f in enumerate(rest) if f[0] == e[0]]
        pixels, i = min(near, default=(np.inf, 0))
        if pixels > NEAR:
            missing += e[1] > CONFIDENCE + limit
            continue
        f = rest.pop(i)
        worst = np.maximum(worst, [max(distances(e, f)), abs(e[1] - f[1])])
    if task != "obb":
        missing += sum(f[1] > CONFIDENCE + limit for f in rest)
    return *worst, missing


def check(row):
    """Returns the cells of a row, and its problem or ""."""
    answer, used = place(row.name, row, row.parameters), row.name
    reason = answer["model"].get("reason", "")
    try:
        if reason and row.advice:
            if missing := [k for k in row.advice if k not in reason]:
                return [reason[:60]], f"the refusal does not name {missing}: {reason}"
            used = row.name + ".advised"
            answer = place(used, row, row.parameters | row.advice)
        model = answer["model"]
        if not model.get("ready"):
            return ["refused"], "" if not row.layout else model.get("reason")
        cells, problem = measure(row, used)
        if model["layout"] != row.layout:
            problem = f"understood as {model['layout']} instead of {row.layout or 'refused'}"
        if bool(reason) != bool(row.advice):
            problem = f"{'refused' if reason else 'not refused'} without the advice: {reason}"
        return [model["layout"] + (" by advice" if reason else ""), *cells], problem
    finally:
        shutil.rmtree(repository / row.name)
        shutil.rmtree(repository / (row.name + ".advised"), ignore_errors=True)


def measure(row, name):
    expected = json.loads((folder / row.name / "reference.json").read_text())
    cells, problem = [], ""
    for exact, (pixels, scores) in LIMITS.items():
        worst, count = np.zeros(3), 0
        for image in [n for n in expected if n.startswith("exact") == exact]:
            path = folder / "images" / image
            of = references(expected[image], size(path))
            found = detect(name, path, row.task)
            if row.task == "pose":  # Ultralytics clips keypoints to the image
                found = [(*d[:3], np.clip(d[3], 0, size(path))) for d in found]
            result = compare(of, found, scores, row.task)
            count += len(of)
            worst = np.array([*np.maximum(worst, result)[:2], worst[2] + result[2]])
        cells += [count, f"{worst[0]:.3f}", f"{worst[1]:.5f}", int(worst[2])]
        if worst[0] > pixels or worst[1] > scores or worst[2] > MISSING + SHARE * count or not count:
            problem = f"{'images of the size of the input' if exact else 'photographs'} differ"
    return cells, problem


def size(path):
    """Returns the width and height of a PNG."""
    header = path.read_bytes()[16:24]
    return int.from_bytes(header[:4]), int.from_bytes(header[4:])


def main():
    versions = [f"{p} {importlib.metadata.version(p)}" for p in ("ultralytics", "onnxruntime", "onnx", "numpy")]
    print(f"{datetime.date.today()}, {', '.join(versions)}\n")
    print(f"{'':<22}{'':<20}{'images of the input’s size':^32}{'photographs':^32}")
    half = "".join(f"{h:>8}" for h in ("boxes", "px", "score", "missing"))
    print(f"{'model':<22}{'understood as':<20}{half}{half}  verdict", flush=True)
    failed = 0
    for row in ROWS:
        cells, problem = check(row)
        failed += bool(problem)
        print(f"{row.name:<22}{cells[0]:<20}" + "".join(f"{c:>8}" for c in cells[1:]) + f"  {problem or 'ok'}", flush=True)
    print(f"\n{len(ROWS) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
