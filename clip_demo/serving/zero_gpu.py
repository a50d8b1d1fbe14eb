"""Whole-set encoding on ZeroGPU, the hardware of Hugging Face Spaces that lends a GPU for the time of one call.

Such a Space starts only if a function was decorated with ``spaces.GPU`` before the page is launched. Here this is the
encoding of many images of a dataset. Single predictions stay on the CPU: visitors without an account share the quota of
their address, so that of a school would be used up by a few of them.

What `spaces` does was read from the source of its version 0.51.3. Importing it makes torch pretend that there is a
GPU, so all models are loaded on the CPU here. A call waits for a GPU, runs in a forked process, or in one that was
forked for an earlier call, pickles the arguments, and raises ``gr.Error`` when there is no quota and when its process
dies or takes too long. The tests have a stand-in that does the same on the CPU. This module also ran with that
version itself and a stand-in of its service, without a GPU. It has not run on a ZeroGPU machine.
"""

import logging
import pickle
import time
from collections.abc import Callable, Iterator
from functools import partial
from weakref import WeakValueDictionary

import numpy as np

from ..datasets.base import Dataset
from ..features.extract import Extract, encode_readable, preprocessed
from ..models.encoder import Encoder

logger = logging.getLogger(__name__)

# Images of a call: the largest model needs a few seconds for them, which are asked for with what a first call needs.
IMAGES, SECONDS = 512, 30
# Seconds after a failure until a GPU is tried again: with an exhausted quota, each try takes up to a minute.
PAUSE = 300

_gpu_function: Callable[..., np.ndarray | None] | None = None  # on ZeroGPU only
_resume = 0.0  # of `time.monotonic`
_loaded: WeakValueDictionary[str, Encoder] = WeakValueDictionary()
_copies: dict[str, Encoder] = {}  # in a forked process: the models on its GPU


def start() -> bool:
    """Register the GPU function, and return whether this is ZeroGPU; call it before anything imports torch."""
    global _gpu_function
    try:
        import spaces  # Hugging Face installs it in every Gradio Space
    except ImportError:
        return False
    decorated = spaces.GPU(duration=SECONDS)(_encode_on_gpu)
    if decorated is not _encode_on_gpu:  # on any other hardware, the decorator changes nothing
        _gpu_function = decorated
    return _gpu_function is not None


def whole_sets(encoder: Encoder, otherwise: Extract) -> Extract:
    """Return an `Extract` that uses a GPU of ZeroGPU; `otherwise` on any other machine, and where there is no GPU."""
    if _gpu_function is None:
        return otherwise

    def extract(dataset: Dataset, split: str, ids: np.ndarray) -> Iterator[np.ndarray]:
        for start in range(0, len(ids), IMAGES):
            part = ids[start : start + IMAGES]
            rows = _try_gpu(encoder, dataset, split, part)
            if rows is None:
                yield from otherwise(dataset, split, part)
            else:
                yield rows

    return extract


def _try_gpu(encoder: Encoder, dataset: Dataset, split: str, ids: np.ndarray) -> np.ndarray | None:
    """Return the features of images; None where there is no GPU."""
    global _resume
    if time.monotonic() < _resume:
        return None
    # Preprocessed here, because the time of the GPU is limited.
    inputs = preprocessed(encoder.preprocess, dataset, split, ids)
    _loaded[encoder.sha256] = encoder
    try:
        return encode_readable(partial(_call_gpu, encoder), inputs)
    except Exception as error:  # No quota, no GPU, a process that died: whatever it is, the CPU can do the work.
        logger.warning("No GPU (%s). The CPU goes on; a GPU is tried again in %d minutes.", error, PAUSE // 60)
        _resume = time.monotonic() + PAUSE
        return None


def _call_gpu(encoder: Encoder, inputs: list) -> np.ndarray:
    inputs = np.stack(inputs)
    rows = _gpu_function(encoder.sha256, inputs)
    return _gpu_function(encoder.sha256, inputs, pickle.dumps(encoder)) if rows is None else rows


def _encode_on_gpu(sha256: str, inputs: np.ndarray, pickled: bytes | None = None) -> np.ndarray | None:
    """Return the features of preprocessed images; None where this process was forked before the model was loaded."""
    if sha256 not in _copies:
        model = _loaded.get(sha256) if pickled is None else pickle.loads(pickled)
        if model is None:
            return None
        _copies[sha256] = model.on_gpu()
    return _copies[sha256].encode_images(inputs)
