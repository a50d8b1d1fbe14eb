"""Import of openai-clip, which needs a workaround with recent versions of setuptools."""

import contextlib
import sys
import threading
import types
from collections.abc import Iterator

_LOCK = threading.Lock()


def import_clip() -> types.ModuleType:
    """Return openai-clip's module ``clip``.

    openai-clip 1.0.1 runs ``from pkg_resources import packaging``. setuptools 70 removed that name and setuptools 82
    the whole module, and torch requires a newer setuptools than 70. So the `packaging` library is provided under the
    name that clip imports (openai/CLIP issues 446 and 528).
    """
    # When two threads load models at the same time, the second must not get a half-imported module.
    with _LOCK:
        if "clip" not in sys.modules:
            with _pkg_resources_stub():
                import clip  # noqa: F401
        return sys.modules["clip"]


@contextlib.contextmanager
def _pkg_resources_stub() -> Iterator[None]:
    import packaging.version

    before = sys.modules.get("pkg_resources")
    sys.modules["pkg_resources"] = types.ModuleType("pkg_resources")
    sys.modules["pkg_resources"].packaging = packaging
    try:
        yield
    finally:
        # Other packages may need the real module.
        del sys.modules["pkg_resources"]
        if before is not None:
            sys.modules["pkg_resources"] = before
