"""Weights in the layout of oneDNN's kernels.

For ``torch.nn.functional.linear`` in float32, torch calls MKL, which packs the weight anew for every call. oneDNN takes
weights that were packed once, and applies the activation in the same pass. torch's own compiler calls these operators
(torch/_inductor/fx_passes/mkldnn_fusion.py in its source). They are not public, so where one is missing, or where MKL
is faster, everything is computed as usual.
"""

import ctypes
import mmap
import time
from functools import cache

import numpy as np
import torch
from torch.nn import functional

ROWS = 800  # of the input that a weight is packed for: as fast for 50 rows, and for thousands
_OPERATORS = (
    "_reorder_linear_weight",
    "_linear_pointwise",
    "_reorder_convolution_weight",
    "_convolution_pointwise",
    "_convolution_pointwise_",
)
_MARGIN = 1.1  # by how much MKL must be faster, so that a measurement on a busy machine says the same


class PackedLinear:
    """``activation(x @ weight.T + bias)``.

    Parameters
    ----------
    weight : torch.Tensor, shape (n_out, n_in), float32
    bias : torch.Tensor, shape (n_out,), float32, or None
    activation : {"none", "swish", "gelu"}
        ``"swish"`` is ``x * sigmoid(x)``.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, activation: str = "none"):
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), ROWS)
        self._bias, self._activation = bias, activation

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the product, shape (..., n_out), of `x`, shape (..., n_in)."""
        exact = "none" if self._activation == "gelu" else ""  # no approximation by tanh
        x = x.float().contiguous()  # under ``torch.autocast``, attention returns bfloat16
        return torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, self._activation, [], exact)


class PackedConvolution:
    """A convolution, with its batch normalisation in it, that may be followed by a ReLU.

    Parameters
    ----------
    weight, bias : torch.Tensor, float32
    stride, padding : list of int
    side : int
        Of the input in pixels. oneDNN chooses the layout for this size, for one image, and for torch's present number
        of threads. Other inputs are computed, too, but a few images take more time together than one after the other.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, *, stride: list[int], padding: list[int], side: int):
        self._bias, self._how = bias, (padding, stride, [1, 1], 1)
        shape = [1, weight.shape[1], side, side]
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *self._how, shape)

    def __call__(self, x: torch.Tensor, relu: bool) -> torch.Tensor:
        """Return the convolution, or its ReLU."""
        activation = "relu" if relu else "none"
        return torch.ops.mkldnn._convolution_pointwise(x, self._weight, self._bias, *self._how, activation, [], "")

    def add_relu(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return ``relu(convolution(x) + y)``, in the memory of `y`."""
        return torch.ops.mkldnn._convolution_pointwise_.binary(
            y, x, self._weight, self._bias, *self._how, "add", 1.0, "relu", [], ""
        )


def packs(weight: torch.Tensor) -> bool:
    """Return whether to pack a weight: in float32 on a CPU on which that is faster, and not while it is trained."""
    return weight.device.type == "cpu" and weight.dtype == torch.float32 and not weight.requires_grad and is_faster()


def is_available() -> bool:
    """Return whether torch has oneDNN and the operators."""
    return torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in _OPERATORS)


@cache
def is_faster() -> bool:
    """Return whether products with packed weights are faster on this machine; measured once, in about 50 ms."""
    if not is_available():
        return False
    usual, packed = seconds_of_both(rounds=5)
    return min(packed) < _MARGIN * min(usual)


@torch.inference_mode()
def seconds_of_both(rounds: int) -> tuple[list[float], list[float]]:
    """Time the largest product of one image in ViT-B/32, alternately as usual and with a packed weight."""
    made = {"dtype": torch.float32, "device": "cpu"}  # whatever the caller's defaults are
    x, weight = torch.rand(50, 768, **made), torch.rand(3072, 768, **made)
    packed = PackedLinear(weight, None)
    seconds = [], []
    for count in range(rounds + 1):
        for function, spent in zip((lambda: functional.linear(x, weight), lambda: packed(x)), seconds, strict=True):
            start = time.perf_counter()
            function()
            if count:  # the first call starts threads, and compiles kernels
                spent.append(time.perf_counter() - start)
    return seconds


def give_back(weight: torch.Tensor) -> None:
    """Let go of the memory of a weight that is mapped from a file; it is read again when something needs it.

    Does nothing for a weight that is in memory only, or that was changed since, and where there is no /proc, as on
    macOS and Windows.
    """
    first = -(-weight.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE  # whole pages of this weight alone
    end = (weight.data_ptr() + weight.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
    if weight.device.type == "cpu" and weight.is_contiguous() and first < end and _is_in_file(first, end):
        ctypes.CDLL(None).madvise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), mmap.MADV_DONTNEED)


def _is_in_file(first: int, end: int) -> bool:
    """Return whether all pages between two addresses are as in a file; what changes a page makes a copy of it."""
    try:
        with open("/proc/self/pagemap", "rb") as file:
            file.seek(first // mmap.PAGESIZE * 8)
            pages = np.frombuffer(file.read((end - first) // mmap.PAGESIZE * 8), np.uint64)
    except OSError:
        return False
    in_memory, swapped, of_file = (pages >> np.uint64(bit) & np.uint64(1) for bit in (63, 62, 61))
    return not ((in_memory | swapped) > of_file).any()
