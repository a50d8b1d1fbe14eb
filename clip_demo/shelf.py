"""The models that are in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict

from .loading import Loading, LoadModel
from .names import size_of
from .results import ModelStatus

__all__ = ["Shelf"]


class Shelf:
    """A few models; the least recently used one goes when another is wanted.

    Parameters
    ----------
    load : callable
        See `clip_demo.loading.LoadModel`.
    limit : int
        How many models may be in memory. One that is still on its way is not put away.
    """

    def __init__(self, load: LoadModel, limit: int = 2):
        self._load = load
        self._limit = limit
        self._lock = threading.Lock()
        self._models: OrderedDict[str, Loading] = OrderedDict()

    def get(self, name: str) -> Loading:
        """Return a model; where it is not on the shelf it begins to load."""
        with self._lock:
            model = self._models.get(name)
            if model is None:
                model = self._models[name] = Loading(name, self._load)
            self._models.move_to_end(name)
            self._put_away(name)
            return model

    def retry(self, name: str) -> Loading:
        """Return a model as `get` does, and try again where it failed before."""
        with self._lock:
            if name in self._models and self._models[name].state == "failed":
                del self._models[name]
        return self.get(name)

    def _put_away(self, keep: str) -> None:
        idle = [name for name, model in self._models.items() if model.state in ("ready", "failed") and name != keep]
        for name in idle[: max(0, len(self._models) - self._limit)]:
            del self._models[name]

    def peek(self, name: str) -> Loading | None:
        """Return a model where it is on the shelf, and begin nothing."""
        with self._lock:
            return self._models.get(name)

    def status(self, name: str) -> ModelStatus:
        """Say where a model stands."""
        model = self.peek(name)
        if model is None:
            return ModelStatus(name, "absent", None, f"{name} is not loaded.", size_of(name))
        return ModelStatus(name, model.state, model.progress, model.message, size_of(name))
