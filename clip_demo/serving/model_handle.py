"""A handle on a model that may still be downloading or loading."""

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import ClipDemoError, ModelError
from ..models.catalog import size_of
from ..models.encoder import Encoder
from ..progress import Progress
from .background import BackgroundTask
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
        "absent": not in memory.
    progress : float or None
        Fraction of the download, 0 to 1; None while nothing is downloading.
    message : str
        One sentence for the user, empty when ready.
    megabytes : int or None
        Approximate size of the download, for OpenAI's models.
    """

    name: str
    note: str
    state: str
    progress: float | None
    message: str
    megabytes: int | None


class ModelHandle:
    """A model that a background task downloads, where it must, and loads.

    Parameters
    ----------
    name : str
    load : callable
        See `LoadModel`; called at once.
    queue : EncoderQueue
        See `clip_demo.serving.feature_cache.FeatureCache`.
    """

    def __init__(self, name: str, load: LoadModel, queue: EncoderQueue):
        self.name = name
        self._task = BackgroundTask(lambda progress: self._load(load, queue, progress), f"load-{name}")

    def _load(self, load: LoadModel, queue: EncoderQueue, progress: Progress) -> tuple[Encoder, FeatureCache]:
        try:
            encoder = load(self.name, progress)
        except ClipDemoError:
            raise
        except Exception as error:
            raise ModelError(f"model: {self.name!r} cannot be loaded ({error}).") from error
        return encoder, FeatureCache(encoder, queue)

    @property
    def encoder(self) -> Encoder:
        """The model. Waits until it is loaded, and raises a ModelError where that failed."""
        return self._task.result()[0]

    @property
    def features(self) -> FeatureCache:
        """The model with its cache. Waits in the same way."""
        return self._task.result()[1]

    @property
    def status(self) -> ModelStatus:
        """The current state."""
        done, error, progress = self._task.done(), self._task.error, self._task.progress
        note, message, share = "", "", None
        if done:
            state = "failed" if error else "ready"
            note, message = ("", str(error)) if error else (self.encoder.note, "")
        elif progress and progress[1] < progress[2]:
            share = progress[1] / progress[2]
            state, message = "downloading", f"{self.name} is downloading: {share:.0%} …"
        else:
            state, message = "loading", f"{self.name} is loading …"
        return ModelStatus(self.name, note, state, share, message, size_of(self.name))

    @property
    def state(self) -> str:
        """See `ModelStatus`."""
        return self.status.state
