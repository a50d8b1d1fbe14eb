"""A model on its way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from .encoder import Encoder
from .errors import ClipDemoError, ModelError
from .features import Features

__all__ = ["Loading"]


class Loading:
    """A model that is there, or that a thread loads.

    Parameters
    ----------
    encoder : Encoder or callable
        The model, or a function without arguments that returns it; the function is called in a thread at once.
    name : str
        What to call it in messages.
    """

    def __init__(self, encoder: Encoder | Callable[[], Encoder], name: str):
        self.name = name
        self._result: Future[tuple[Encoder, Features]] = Future()
        if hasattr(encoder, "encode_images"):
            self._result.set_result((encoder, Features(encoder)))
        else:
            threading.Thread(target=self._run, args=(encoder,), name="load-model", daemon=True).start()

    def _run(self, load: Callable[[], Encoder]) -> None:
        try:
            encoder = load()
            self._result.set_result((encoder, Features(encoder)))
        except ClipDemoError as error:
            self._result.set_exception(error)
        except Exception as error:  # Anything else would leave every visitor waiting for ever.
            self._result.set_exception(ModelError(f"model: {self.name!r} cannot be loaded ({error})."))

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
        """One of "loading", "ready" and "failed"."""
        if not self._result.done():
            return "loading"
        return "failed" if self._result.exception() else "ready"

    @property
    def message(self) -> str:
        """One sentence for people, empty when ready."""
        if self.state == "loading":
            return f"{self.name} is loading …"
        return str(self._result.exception() or "")
