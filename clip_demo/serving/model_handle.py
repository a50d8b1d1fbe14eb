"""A model on its way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from ..errors import ClipDemoError, ModelError
from ..models.encoder import Encoder
from .encoder_queue import EncoderQueue
from .feature_cache import Features

__all__ = ["LoadModel", "Loading"]

# Loads a model by its name; calls back with the bytes of a download that have come and the bytes in all.
LoadModel = Callable[[str, Callable[[int, int], None]], Encoder]


class ModelHandle:
    """A model that a thread downloads where it must and loads.

    Parameters
    ----------
    name : str
        The model's name.
    load : callable
        See `LoadModel`; called in the thread at once.
    turns : EncoderQueue, optional
        See `clip_demo.features.Features`.

    Attributes
    ----------
    progress : float or None
        Share of the download that has come, 0 to 1; None while nothing is being downloaded.
    """

    def __init__(self, name: str, load: LoadModel, turns: EncoderQueue | None = None):
        self.name = name
        self._turns = turns
        self.progress: float | None = None
        self._result: Future[tuple[Encoder, Features]] = Future()
        threading.Thread(target=self._run, args=(load,), name=f"load-{name}", daemon=True).start()

    def _run(self, load: LoadModel) -> None:
        try:
            encoder = load(self.name, self._report)
            self._result.set_result((encoder, Features(encoder, self._turns)))
        except ClipDemoError as error:
            self._result.set_exception(error)
        except Exception as error:  # Anything else would leave every visitor waiting for ever.
            self._result.set_exception(ModelError(f"model: {self.name!r} cannot be loaded ({error})."))

    def _report(self, done: int, total: int) -> None:
        # All of it is there: what goes on now is loading.
        self.progress = None if done >= total else done / total

    @property
    def encoder(self) -> Encoder:
        """The model; waits until it is loaded, and raises a ModelError where that failed."""
        return self._result.result()[0]

    @property
    def features(self) -> Features:
        """The model with its memory; waits in the same way."""
        return self._result.result()[1]

    @property
    def state(self) -> str:
        """One of "fetching", "loading", "ready" and "failed"."""
        if self._result.done():
            return "failed" if self._result.exception() else "ready"
        return "loading" if self.progress is None else "fetching"

    @property
    def message(self) -> str:
        """One sentence for people, empty when ready."""
        if self.state == "fetching":
            return f"{self.name} is on its way: {self.progress or 0:.0%} …"
        if self.state == "loading":
            return f"{self.name} is loading …"
        return str(self._result.exception() or "")
