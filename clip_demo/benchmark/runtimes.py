"""The encoders of a CLIP in other packages: openai-clip, open_clip, ONNX Runtime and OpenVINO, all in float32.

What is not installed is left out; requirements-dev.txt has all of them.
"""

import importlib.util
import logging
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from ..models.openai_clip import import_clip

Encode = Callable[[torch.Tensor], object]


class _Images(torch.nn.Module):
    def __init__(self, network: torch.nn.Module):
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.network.encode_image(pixels)


class _Texts(_Images):
    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.network.encode_text(tokens)


def image_encoders(network: torch.nn.Module) -> dict[str, Encode]:
    """Return functions of preprocessed images, shape (n, 3, height, width), by the name of their package."""
    side = network.visual.input_resolution
    return _encoders(network, _Images(network), torch.zeros(2, 3, side, side))


def text_encoders(network: torch.nn.Module) -> dict[str, Encode]:
    """Return functions of prompts' tokens, shape (n, 77), int32, by the name of their package."""
    return _encoders(network, _Texts(network), import_clip().tokenize(["a cat", "a dog"]))


def _encoders(network: torch.nn.Module, encoder: torch.nn.Module, example: torch.Tensor) -> dict[str, Encode]:
    encoders = {"openai-clip": torch.inference_mode()(encoder)}
    if _installed("open_clip"):
        from open_clip.model import build_model_from_openai_state_dict

        theirs = build_model_from_openai_state_dict(dict(network.state_dict())).float().eval()
        encoders["open_clip"] = torch.inference_mode()(type(encoder)(theirs))
    runtimes = {"ONNX Runtime": ("onnxruntime", _onnx_runtime), "OpenVINO": ("openvino", _openvino)}
    runtimes = {name: start for name, (package, start) in runtimes.items() if _installed(package)}
    if runtimes and _installed("onnxscript"):
        with tempfile.TemporaryDirectory() as folder:
            path = _export(encoder, example, Path(folder) / "encoder.onnx")
            encoders |= {name: start(path) for name, start in runtimes.items()}
    return encoders


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _export(encoder: torch.nn.Module, example: torch.Tensor, path: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        any_number = ({0: torch.export.Dim("n")},)
        torch.onnx.export(encoder, (example,), path, dynamo=True, dynamic_shapes=any_number, verbose=False)
    return str(path)


def _onnx_runtime(path: str) -> Encode:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda inputs: session.run(None, {name: inputs.numpy()})[0]


def _openvino(path: str) -> Encode:
    import openvino

    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # on some processors, its default is half precision
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    # From the file of ONNX: `openvino.convert_model` would report to its makers that it was used.
    request = openvino.Core().compile_model(path, "CPU", options).create_infer_request()
    return lambda inputs: request.infer({0: inputs.numpy()})[0]
