"""The model pool: the models on offer, of which a few are in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ..errors import ModelError
from ..models.catalog import AUTO, BUILT_IN, PREFERRED, available_models, check_model, is_downloaded, size_of, title_of
from ..models.encoder import Encoder
from ..progress import Progress
from .encoder_queue import EncoderQueue
from .model_handle import LoadModel, ModelHandle, ModelStatus


class ModelPool:
    """Loads models in the background, and drops the least recently used ones.

    Parameters
    ----------
    load : callable
        See `clip_demo.serving.model_handle.LoadModel`.
    names : sequence of str
        The models on offer. Arbitrary paths are not, because visitors could then open any file.
    preferred : str, optional
        Replaces the first of `names` as the default as soon as it is loaded.
    is_downloaded : callable, optional
        Returns whether the model of that name can be loaded without a download.
    limit : int
        How many models may be in memory besides the first and the preferred one, which are never dropped. Others are
        loaded one at a time, so at most one more is in memory while it loads.
    """

    def __init__(
        self,
        load: LoadModel,
        names: Sequence[str],
        preferred: str | None = None,
        *,
        is_downloaded: Callable[[str], bool] = lambda name: True,
        limit: int = 1,
    ):
        self.names = tuple(names)
        self.preferred = preferred or self.names[0]
        self.is_downloaded = is_downloaded
        self._load, self._limit = load, limit
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._queue = EncoderQueue()  # shared by all models, which would compete for the same cores
        self._models: OrderedDict[str, ModelHandle] = OrderedDict()
        for name in (self.names[0], self.preferred):
            self.get(name)

    @classmethod
    def open(
        cls,
        model: str,
        *,
        weights_root: str | Path | None = None,
        device: str | None = None,
        hold: threading.Event | None = None,
    ) -> ModelPool:
        """Return a pool that offers a model and all others that have names; see `clip_demo.backend.Backend.open`."""
        given = BUILT_IN if model == AUTO else check_model(model)
        first = title_of(given)  # visitors read it, and find it in their links

        def load(name: str, progress: Progress) -> Encoder:
            if hold is not None:
                hold.wait()
            # Imported in the background: torch takes seconds, and a server should answer before that.
            from ..models.load import load_model

            return load_model(
                given if name == first else name, device=device, weights_root=weights_root, progress=progress
            )

        return cls(
            load,
            list(dict.fromkeys((first, *available_models()))),
            PREFERRED if model == AUTO else None,
            is_downloaded=partial(is_downloaded, root=weights_root),
        )

    @classmethod
    def of(cls, encoder: Encoder) -> ModelPool:
        """Return a pool that offers one encoder."""
        return cls(lambda name, progress: encoder, [encoder.name])

    @property
    def default(self) -> str:
        """Name of the model that answers unless a call names another."""
        preferred = self.peek(self.preferred)
        return self.preferred if preferred and preferred.state == "ready" else self.names[0]

    def get(self, name: str | None = None) -> ModelHandle:
        """Return a model, which begins to load where it is not in memory.

        Raises
        ------
        ModelError
            When the model is not on offer.
        """
        name = name or self.default
        if not isinstance(name, str) or name not in self.names:
            raise self._not_on_offer(name)
        with self._lock:
            if name not in self._models:
                self._models[name] = ModelHandle(name, self._load_one_at_a_time, self._queue)
            self._models.move_to_end(name)
            return self._models[name]

    def retry(self, name: str) -> ModelHandle:
        """Return a model as `get` does, and try again where it failed before."""
        with self._lock:
            if name in self._models and self._models[name].state == "failed":
                del self._models[name]
        return self.get(name)

    def peek(self, name: str) -> ModelHandle | None:
        """Return a model where it is in memory or loading; never loads one."""
        with self._lock:
            return self._models.get(name)

    def status(self, name: str) -> ModelStatus:
        """Return the state of a model, "failed" for one that is not on offer; never waits, and looks up no file."""
        model = self.peek(name)
        if model is not None:
            return model.status
        if name not in self.names:
            return ModelStatus(name, "", "failed", None, self._not_on_offer(name).page_message, None)
        return ModelStatus(name, "", "absent", None, f"{title_of(name)} is not loaded.", size_of(name))

    def _not_on_offer(self, name: str) -> ModelError:
        return ModelError(
            f"model: {name!r} is not available here; use one of {', '.join(map(repr, self.names))}.",
            page="This model is not available here. Choose one from the list.",
        )

    def _load_one_at_a_time(self, name: str, progress: Progress) -> Encoder:
        if name == self.names[0]:
            return self._load(name, progress)  # every visitor waits for it
        with self._one_at_a_time:
            self._make_room(name)
            return self._load(name, progress)

    def _make_room(self, wanted: str) -> None:
        """Drop models so that one more may be loaded."""
        if wanted == self.preferred:
            return
        with self._lock:
            keep = (self.names[0], self.preferred, wanted)
            idle = [name for name, model in self._models.items() if model.state == "ready" and name not in keep]
            for name in idle[: max(0, len(idle) - self._limit + 1)]:
                del self._models[name]
