"""What a visitor may start. A download fills the host's disk, and a job takes its processor for an hour.

Who uses the page on the host's own computer may start everything. All others choose among what is there, and may
download what the host offers.
"""

import re

from gradio.context import LocalContext

from ..backend import Backend
from ..errors import ModelError
from ..switches import is_offline

_FORWARDING = ("forwarded", "via", "x-real-ip")
_OWN_NAME = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?", re.IGNORECASE)


def may_start(backend: Backend) -> bool:
    """Whether the visitor whose request is being answered may start downloads and jobs, and stop them.

    A proxy connects from the host's own computer, and adds headers. Behind one that does not, the host must say that
    the page is public. A foreign page in the host's browser can reach this one under a name of its own.
    """
    request = LocalContext.request.get(None)
    headers = {} if request is None else {name.lower(): value for name, value in dict(request.headers).items()}
    forwarded = any(name in _FORWARDING or name.startswith("x-forwarded-") for name in headers)
    foreign = not _OWN_NAME.fullmatch(headers.get("host", "localhost"))
    return not (backend.rules.public or forwarded or foreign)


def may_download(backend: Backend, name: str) -> bool:
    """Whether the visitor may start the download of a model or a dataset."""
    return not is_offline() and (name in backend.rules.offered or may_start(backend))


def may_load(backend: Backend, model: str) -> bool:
    """Whether the visitor may load a model, with a download where that is needed."""
    return may_download(backend, model) or backend.is_downloaded(model)


def check_model(backend: Backend, model: str | None) -> None:
    """Raise a ModelError where a request would start a download that the visitor may not start."""
    if model in backend.models and not _is_here(backend, model) and not may_download(backend, model):
        here = ", ".join(repr(name) for name in backend.models if _is_here(backend, name))
        raise ModelError(
            f"model: {model!r} is not on this server; use one of {here}. The host offers others with --offer.",
            page="This model is not on this server. Choose another one.",
        )


def models_to_choose(backend: Backend) -> list[str]:
    """Return the models that the visitor may use."""
    return [name for name in backend.models if may_download(backend, name) or _is_here(backend, name)]


def _is_here(backend: Backend, model: str) -> bool:
    return backend.model_status(model).state != "absent" or backend.is_downloaded(model)
