"""Builds ONNX graphs, and ends detectors in rows of x1 y1 x2 y2 confidence class."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 13
MIN_CONFIDENCE = 0.01  # of a returned detection
MAX_DETECTIONS = 300


class Graph:
    """The nodes and constants of a graph. Values are referred to by name."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, value, dtype=None):
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, dtype, order="C"), name))
        return name

    def floats(self, value):
        return self.constant(value, np.float32)

    def ints(self, *values):
        return self.constant(values, np.int64)

    def add(self, op, *inputs, outputs=1, **attributes):
        """Adds a node and returns the name of its output, or a list of several."""
        names = [f"{op}{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def prune(self, output):
        """Drops the nodes and constants that the output does not need."""
        needed, nodes = {output}, []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                nodes.insert(0, node)
        self.nodes = nodes
        self.constants = [c for c in self.constants if c.name in needed]

    def gather(self, value, indices, axis):
        return self.add("Gather", value, indices, axis=axis)


def rows(graph, boxes, confidences, classes, iou):
    """Adds greedy suppression across classes and returns float32 [1, MAX_DETECTIONS, 6].

    boxes is [1, A, 4] with x1 y1 x2 y2 in pixels of the input, confidences and classes
    are float32 [1, A]. Unused rows are zero.
    """
    per_class = graph.add("Unsqueeze", confidences, graph.ints(1))
    selected = graph.add("NonMaxSuppression", boxes, per_class, graph.ints(MAX_DETECTIONS),
                         graph.floats([iou]), graph.floats([MIN_CONFIDENCE]))
    index = graph.gather(selected, graph.constant(2, np.int64), 1)
    columns = [boxes] + [graph.add("Unsqueeze", v, graph.ints(2)) for v in (confidences, classes)]
    found = graph.gather(graph.add("Concat", *columns, axis=2), index, 1)
    padded = graph.add("Concat", found, graph.floats(np.zeros((1, MAX_DETECTIONS, 6))), axis=1)
    return graph.add("Slice", padded, graph.ints(0), graph.ints(MAX_DETECTIONS), graph.ints(1))


def save(graph, output, size, metadata, path):
    """Writes the graph from "images" [1, 3, H, W] to output. Each of size is a number or a name."""
    graph.nodes.append(helper.make_node("Identity", [output], ["output0"]))
    graph.prune("output0")
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, *size])]
    outputs = [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, MAX_DETECTIONS, 6])]
    made = helper.make_graph(graph.nodes, "detector", inputs, outputs, graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8,
                              producer_name="imageflow")
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
