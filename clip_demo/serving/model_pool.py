"""The models that are in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from ..errors import ModelError
from ..models.catalog import size_of
from ..models.encoder import Encoder
from .encoder_queue import EncoderQueue
from .model_handle import LoadModel, ModelHandle
from .model_pool import ModelStatus

__all__ = ["ModelPool"]


class ModelPool:
    """The models that are offered, and the few of them in memory; the least recently used one goes.

    Parameters
    ----------
    load : callable
        See `clip_demo.loading.LoadModel`.
    names : sequence of str
        What may be asked for: never just any path, which would let visitors open files.
    preferred : str, optional
        Takes over from the first of `names` as the default as soon as it is loaded.
    available : callable, optional
        Tells by its name whether a model loads without a download.
    limit : int
        How many models may be in memory beside the first and the preferred one, which stay. Others are loaded one
        after another, so that at most one more is on its way.
    """

    def __init__(
        self,
        load: LoadModel,
        names: Sequence[str],
        preferred: str | None = None,
        *,
        available: Callable[[str], bool] = lambda name: True,
        limit: int = 1,
    ):
        self.names = tuple(names)
        self._load = load
        self.preferred = preferred or self.names[0]
        self._on_disk = available
        self._limit = limit
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._turns = EncoderQueue()  # one for all models: they would fight for the same cores
        self._models: OrderedDict[str, ModelHandle] = OrderedDict()
        for name in (self.names[0], self.preferred):
            self.get(name)

    @property
    def default(self) -> str:
        """Name of the model that answers unless another is asked for."""
        preferred = self.peek(self.preferred)
        return preferred.name if preferred and preferred.state == "ready" else self.names[0]

    def get(self, name: str | None = None) -> ModelHandle:
        """Return a model; where it is not in memory it begins to load.

        Raises
        ------
        ModelError
            When the name is not offered.
        """
        name = name or self.default
        if not isinstance(name, str) or name not in self.names:
            raise ModelError(f"model: {name!r} is not offered here; use one of {', '.join(map(repr, self.names))}.")
        with self._lock:
            model = self._models.get(name)
            if model is None:
                model = self._models[name] = ModelHandle(name, self._load_in_turn, self._turns)
            self._models.move_to_end(name)
            return model

    def _load_in_turn(self, name: str, progress: Callable[[int, int], None]) -> Encoder:
        if name == self.names[0]:
            return self._load(name, progress)  # what everybody waits for
        with self._turn:
            self._put_away(name)
            return self._load(name, progress)

    def retry(self, name: str) -> ModelHandle:
        """Return a model as `get` does, and try again where it failed before."""
        with self._lock:
            if name in self._models and self._models[name].state == "failed":
                del self._models[name]
        return self.get(name)

    def _put_away(self, wanted: str) -> None:
        """Make room for one more."""
        if wanted == self.preferred:
            return
        with self._lock:
            stay = (self.names[0], self.preferred, wanted)
            idle = [name for name, model in self._models.items() if model.state == "ready" and name not in stay]
            for name in idle[: max(0, len(idle) - self._limit + 1)]:
                del self._models[name]

    def peek(self, name: str) -> ModelHandle | None:
        """Return a model where it is in memory, and begin nothing."""
        with self._lock:
            return self._models.get(name)

    def status(self, name: str) -> ModelStatus:
        """Say where a model stands."""
        model = self.peek(name)
        state, progress, message = "absent", None, f"{name} is not loaded."
        if model is not None:
            state, progress, message = model.state, model.progress, model.message
        return ModelStatus(name, state, progress, message, size_of(name), state == "ready" or self._on_disk(name))
