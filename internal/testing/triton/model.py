"""Runs the model.onnx in the folder of this file, on a Triton without ONNX Runtime."""

import os

import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    def initialize(self, args):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        folder = os.path.join(args["model_repository"], args["model_version"])
        self.session = onnxruntime.InferenceSession(
            os.path.join(folder, "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def execute(self, requests):
        return [self.run(request) for request in requests]

    def run(self, request):
        inputs = [i.name for i in self.session.get_inputs()]
        outputs = [o.name for o in self.session.get_outputs()]
        feed = {name: triton.get_input_tensor_by_name(request, name).as_numpy() for name in inputs}
        try:
            values = self.session.run(outputs, feed)
        except Exception as error:
            return triton.InferenceResponse([], triton.TritonError(str(error)))
        return triton.InferenceResponse([triton.Tensor(n, v) for n, v in zip(outputs, values)])
