"""A stand-in for Hugging Face's package ``spaces`` on ZeroGPU, on a machine without a GPU.

It behaves as version 0.51.3 does, by its documentation and its source: see `clip_demo.serving.zero_gpu`. What a test
wants of it is in environment variables:

SPACES_ZERO_GPU
    ``true`` on ZeroGPU, as there.
STAND_IN_LOG
    A file that gets a line of JSON for each call.
STAND_IN_QUOTA
    A file with the seconds that are left; a call that asks for more is refused. A negative number kills the process of
    the call.
STAND_IN_FORKS
    ``each``: every call forks a process. Otherwise one process serves all calls, as long as it lives.
"""

import json
import multiprocessing
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from multiprocessing.queues import SimpleQueue
from pathlib import Path

if (gradio := sys.modules.get("gradio")) is not None and not hasattr(gradio, "Blocks"):
    raise ImportError("gradio is just being imported")  # it imports this package where it can, and does without

ZERO_GPU = os.environ.get("SPACES_ZERO_GPU") == "true"
_decorated = {}
_fork = multiprocessing.get_context("fork")


def GPU(task=None, *, duration=60, size=None):
    """Decorate a function that needs a GPU."""
    if task is None:
        return partial(GPU, duration=duration, size=size)
    return _on_gpu(task, duration) if ZERO_GPU else task


def _on_gpu(task, duration):
    import gradio as gr

    workers = []

    @wraps(task)
    def call(*args, **kwargs):
        left = float(Path(os.environ["STAND_IN_QUOTA"]).read_text())
        line = {"asked": duration, "thread": threading.current_thread().name, "sizes": [_size(each) for each in args]}
        with open(os.environ["STAND_IN_LOG"], "a") as log:
            log.write(json.dumps(line | {"refused": duration > abs(left)}) + "\n")
        if duration > abs(left):
            raise gr.Error(
                "Space app has reached its GPU limit.", title="ZeroGPU quota exceeded", print_exception=False
            )
        if not workers or not workers[0][0].is_alive() or os.environ.get("STAND_IN_FORKS") == "each":
            workers[:] = [_start(task)]
        process, arguments, results = workers[0]
        if left < 0:
            process.kill()
            process.join()
            raise gr.Error("GPU task aborted", title="ZeroGPU worker error", print_exception=False)
        arguments.put((args, kwargs))
        value, error = results.get()
        if error is not None:
            raise gr.Error(error, title="ZeroGPU worker error", print_exception=False)
        return value

    _decorated[task] = call
    return call


def _start(task):
    arguments, results = SimpleQueue(ctx=_fork), SimpleQueue(ctx=_fork)

    def serve():
        _unpatch()
        while True:
            args, kwargs = arguments.get()
            with ThreadPoolExecutor() as executor:
                results.put(executor.submit(_outcome, task, args, kwargs).result())

    process = _fork.Process(target=serve, daemon=True)
    process.start()
    return process, arguments, results


def _outcome(task, args, kwargs):
    try:
        return task(*args, **kwargs), None
    except Exception as error:
        return None, type(error).__name__  # the class is all that the caller learns


def _size(argument):
    return getattr(argument, "shape", None) or (len(argument) if isinstance(argument, bytes) else str(argument))


if ZERO_GPU:
    if "torch" in sys.modules:
        raise RuntimeError("CUDA has been initialized before importing the `spaces` package.")
    import gradio as gr
    import torch

    _launch, _is_available, _init = gr.Blocks.launch, torch.cuda.is_available, torch._C._cuda_init

    def _refuse_cuda():
        raise RuntimeError("Low-level CUDA init reached.")

    def _start_check(*args, **kwargs):
        if not _decorated:
            raise RuntimeError("No @spaces.GPU function detected during startup")
        gr.Blocks.launch = _launch
        return _launch(*args, **kwargs)

    def _unpatch():
        torch.cuda.is_available, torch._C._cuda_init = _is_available, _init

    gr.Blocks.launch = _start_check
    torch.cuda.is_available, torch._C._cuda_init = lambda: True, _refuse_cuda
