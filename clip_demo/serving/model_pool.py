"""The model pool: the models on offer, of which a few are in memory."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import ModelError
from ..models.catalog import (
    AUTO,
    BUILT_IN,
    PREFERRED,
    available_models,
    check_model,
    check_network_options,
    is_downloaded,
    size_of,
    title_of,
)
from ..models.encoder import Encoder
from ..progress import Progress
from ..switches import is_offline
from .encoder_queue import EncoderQueue
from .model_handle import LoadModel, ModelHandle, ModelStatus
from .remote_model import connect

MORE_IN_USE = 2


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
    idle_seconds : float
        A model that was used within this time is not dropped. Up to `MORE_IN_USE` models more than the limit stay for
        that reason; beyond that, no other is loaded.
    """

    def __init__(
        self,
        load: LoadModel,
        names: Sequence[str],
        preferred: str | None = None,
        *,
        is_downloaded: Callable[[str], bool] = lambda name: True,
        limit: int = 1,
        idle_seconds: float = 60.0,
    ):
        self.names = tuple(names)
        self.preferred = preferred or self.names[0]
        self.is_downloaded = is_downloaded
        self._load, self._limit, self._idle_seconds = load, limit, idle_seconds
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
        activation: str | None = None,
        heads: int | None = None,
        encoder: str | None = None,
    ) -> ModelPool:
        """Return a pool that offers a model and all others that have names.

        Parameters
        ----------
        model : str
            See `clip_demo.backend.Backend.open`.
        weights_root : path, optional
            Folder of OpenAI's weights; default ``$CLIP_DEMO_WEIGHTS``, else ``~/.cache/clip``.
        device : str, optional
            Device of the models; default a GPU where there is one.
        hold : threading.Event, optional
            Models start to load when it is set, so that a starting server has the processor for itself; default at
            once.
        activation : {"quickgelu", "gelu"}, optional
        heads : int, optional
            How a checkpoint is computed; see `clip_demo.models.load.load_model`.
        encoder : str, optional
            Address of an encoder on another machine, which then is the first model. A `model` other than ``"auto"`` is
            what it has to be.

        Raises
        ------
        ModelError, OptionError
            When the name is unknown, an option is not allowed, or there is no such encoder.
        """
        given = BUILT_IN if model == AUTO else check_model(model)
        check_network_options(model, activation, heads)
        options = {"device": device, "weights_root": weights_root}
        network = {"activation": activation, "heads": heads}
        remote = None if encoder is None else connect(encoder, None if model == AUTO else given, options, network)
        first = title_of(given) if remote is None else remote.name  # visitors read it, and find it in their links

        def load(name: str, progress: Progress) -> Encoder:
            if remote is not None and name == first:
                return remote
            if hold is not None:
                hold.wait()
            # Imported in the background: torch takes seconds, and a server should answer before that.
            from ..models.load import load_model

            given_here = network if name not in available_models() else {}
            return load_model(given if name == first else name, progress=progress, **options, **given_here)

        def here(name: str) -> bool:
            return (remote is not None and name == first) or is_downloaded(name, weights_root)

        wanted = model == AUTO and remote is None and (here(PREFERRED) or not is_offline())
        names = list(dict.fromkeys((first, *available_models())))
        return cls(load, names, PREFERRED if wanted else None, is_downloaded=here)

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
        name = self.default if name in (None, "") else name
        if not isinstance(name, str) or name not in self.names:
            raise self._not_on_offer(name)
        with self._lock:
            if name not in self._models or self._models[name].state == "absent":
                self._models[name] = ModelHandle(name, self._load_one_at_a_time, self._queue)
            self._models.move_to_end(name)
            self._models[name].last_used = time.monotonic()
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
        """Drop models so that one more may be loaded; raise a ModelError where too many of them are in use."""
        if wanted == self.preferred:
            return
        with self._lock:
            keep = (self.names[0], self.preferred, wanted)
            ready = [name for name, model in self._models.items() if model.state == "ready" and name not in keep]
            surplus = ready[: max(0, len(ready) - self._limit + 1)]
            now = time.monotonic()
            for name in surplus:
                if now - self._models[name].last_used >= self._idle_seconds:
                    del self._models[name]
            in_use = [title_of(name) for name in ready if name in self._models]
        if len(in_use) >= self._limit + MORE_IN_USE:
            used = ", ".join(in_use)
            raise ModelError(
                f"model: {wanted!r} is not loaded, because {used} were used within {self._idle_seconds:.0f} s and stay "
                "in memory; try again later, or use one of them.",
                page=f"{used} are in use, and no more fit into memory. Choose one of them, or try again in a minute.",
            )
