"""A connection to Ray: to a running cluster, or to a small one on this machine for the time of the work."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from ..errors import OptionError
from ..paths import ASSETS

ROOT = ASSETS.parent
SENT = ("clip_demo", "assets")  # what the nodes of a cluster get of this folder, which may have large datasets, too


def import_ray() -> ModuleType:
    """Import ray, without its reports on usage.

    Raises
    ------
    OptionError
        When ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
        import ray.serve
    except ImportError as error:
        raise OptionError(
            f"ray: it is not installed ({error}); run: pip install -r requirements-ray.txt", private=True
        ) from error
    return ray


def address() -> str:
    """Return the address of the cluster, ``$RAY_ADDRESS``; empty for this machine."""
    place = os.environ.get("RAY_ADDRESS", "")
    return "" if place == "local" else place


def _knock(place: str) -> None:
    """Raise an OSError where nothing listens at HOST:PORT, for which Ray would wait some minutes."""
    host, separator, port = place.rpartition(":")
    if separator and port.isdigit() and "//" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()


@contextmanager
def ray_session() -> Iterator[ModuleType]:
    """Connect to the cluster of ``$RAY_ADDRESS``, or start Ray on this machine, where only this machine reaches it.

    A cluster's nodes get this program's code and assets, so they only need the same packages.

    Yields
    ------
    module
        ray, connected until the end of the context.

    Raises
    ------
    OptionError
        When ray is not installed, or there is no cluster at the address.
    """
    if not address():
        # Ray listens on the address of its node, and takes 127.0.0.1 for that only where it may not form clusters.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        # Three failures in a row, and Ray Serve replaces its HTTP proxy; by default that takes half a minute.
        os.environ.setdefault("RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S", "2")
        os.environ.setdefault("RAY_worker_niceness", "0")  # by default a page on the same machine would go first
        options = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    else:
        others = sorted(f"/{each.name}" for each in ROOT.iterdir() if each.name not in SENT)
        options = {"runtime_env": {"working_dir": str(ROOT), "excludes": [*others, "__pycache__"]}}
    ray = import_ray()
    try:
        _knock(address())
        ray.init(address() or "local", logging_level=logging.ERROR, log_to_driver=False, **options)
    except (ConnectionError, OSError) as error:
        raise OptionError(
            f"RAY_ADDRESS: there is no cluster at {address()!r} that lets this program in ({error}); start one with "
            "`ray start --head`, set RAY_AUTH_MODE=token if it has a token, or unset RAY_ADDRESS to use this machine.",
            private=True,
        ) from error
    for part in ("ray.data", "ray.serve"):
        logging.getLogger(part).setLevel(logging.ERROR)
    try:
        yield ray
    finally:
        ray.shutdown()
