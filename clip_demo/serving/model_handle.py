"""A handle on a model that may still be downloading or loading."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from ..errors import Cancelled, ClipDemoError, ModelError, page_message_of
from ..models.catalog import size_of, title_of
from ..models.encoder import Encoder
from ..progress import Progress
from .background import BackgroundTask, log_failure
from .encoder_queue import EncoderQueue
from .feature_cache import FeatureCache

# Loads a model by its name. Its progress counts the bytes of a download.
LoadModel = Callable[[str, Progress], Encoder]


@dataclass(frozen=True)
class ModelStatus:
    """The state of a model.

    Attributes
    ----------
    name : str
    note : str
        One sentence on what the model is; empty until it is ready.
    state : {"absent", "downloading", "loading", "ready", "failed"}
        "absent": not in memory, perhaps because its download was stopped.
    progress : float or None
        Fraction of the download, 0 to 1; None while nothing is downloading.
    message : str
        A plain sentence for the page, empty when ready.
    megabytes : int or None
        Approximate size of the download, for OpenAI's models.
    problem : str
        A plain sentence on why a model that is ready cannot compute now, because the machine on which it runs does not
        answer; usually empty.
    """

    name: str
    note: str
    state: str
    progress: float | None
    message: str
    megabytes: int | None
    problem: str = ""


class ModelHandle:
    """A model that a background task downloads, where it must, and loads.

    Parameters
    ----------
    name : str
    load : callable
        See `LoadModel`; called at once.
    queue : EncoderQueue
        See `clip_demo.serving.feature_cache.FeatureCache`.

    Attributes
    ----------
    title : str
        Name for the visitor.
    last_used : float
        When somebody asked for it, in seconds of `time.monotonic`.
    """

    def __init__(self, name: str, load: LoadModel, queue: EncoderQueue):
        self.last_used = time.monotonic()
        self.name, self.title = name, title_of(name)
        self._task = BackgroundTask(lambda progress: self._load(load, queue, progress), f"load-{name}")

    def _load(self, load: LoadModel, queue: EncoderQueue, progress: Progress) -> tuple[Encoder, FeatureCache]:
        try:
            encoder = load(self.name, progress)
            # A model on other machines does not compete for these cores.
            elsewhere = getattr(encoder, "concurrent_requests", 0)
            return encoder, FeatureCache(encoder, EncoderQueue(elsewhere) if elsewhere else queue)
        except ClipDemoError:
            raise
        except Exception as error:
            raise ModelError(
                f"model: {self.name!r} cannot be loaded ({error}).",
                page=page_message_of(error, f"{self.title} could not be loaded. Try again, or choose another model."),
                private=True,
            ) from error

    def stop(self) -> None:
        """Stop the download, if there is one; what was received is kept."""
        self._task.cancel()

    @property
    def encoder(self) -> Encoder:
        """The model. Waits until it is loaded, and raises a ModelError where that failed."""
        return self._task.result()[0]

    @property
    def features(self) -> FeatureCache:
        """The model with its cache. Waits in the same way."""
        return self._task.result()[1]

    @property
    def assumption(self) -> str:
        """What was assumed of a checkpoint that does not say it; see `clip_demo.models.checkpoint.Checkpoint`."""
        return getattr(self.encoder, "assumption", "")

    @property
    def status(self) -> ModelStatus:
        """The current state."""
        state, note, message, share, problem = self.state, "", "", None, ""
        if state == "ready":
            note, problem = self.encoder.note, getattr(self.encoder, "problem", "")
        elif state == "failed":
            message = self._failure
        elif state == "downloading":
            _, received, total = self._task.progress
            share = received / total
            message = f"{self.title} is downloading: {share:.0%} …"
        elif state == "absent":
            message = f"{self.title} is not loaded."
        else:
            message = f"{self.title} is loading …"
        return ModelStatus(self.name, note, state, share, message, size_of(self.name), problem)

    @property
    def state(self) -> str:
        """See `ModelStatus`."""
        progress = self._task.progress
        if self._task.done():
            error = self._task.error
            return "absent" if isinstance(error, Cancelled) else "failed" if error else "ready"
        if not progress or progress[1] >= progress[2]:
            return "loading"
        return "absent" if self._task.cancelled else "downloading"

    @cached_property
    def _failure(self) -> str:
        """The page's sentence on why loading failed. Only the page asks: a command prints the details itself."""
        log_failure(f"Loading of {self.name}", self._task.error)
        return self._task.error.page_message
