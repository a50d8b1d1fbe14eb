"""The option ``--ray``: images of whole datasets are encoded on a cluster."""

import argparse
import contextlib
from collections.abc import Callable, Iterator

from ..backend import Backend
from ..cluster.loading import loader
from ..cluster.session import import_ray, ray_session
from ..features.extract import Extract
from ..models.encoder import InspectableEncoder
from ..paths import expanded


def add_ray(command: argparse.ArgumentParser) -> None:
    """Add the option."""
    command.add_argument(
        "--ray", action="store_true",
        help="encode the images on the Ray cluster of $RAY_ADDRESS, or without one with Ray on this machine; its "
        "machines read the images where they lie, and need requirements-ray.txt",
    )  # fmt: skip


def check_ray(options: argparse.Namespace) -> None:
    """Raise an OptionError where Ray is wanted and not installed: before anything is downloaded."""
    if options.ray:
        import_ray()


@contextlib.contextmanager
def whole_sets(options: argparse.Namespace, backend: Backend) -> Iterator[Extract | None]:
    """Yield how the images of whole datasets are encoded; None for directly, in this process."""
    if not options.ray:
        yield None
        return
    from ..cluster.extract import RayExtract

    encoder = backend.encoder()
    with ray_session() as ray:
        root = options.data_root and str(expanded(options.data_root).absolute())
        yield RayExtract(ray, model_loader(options, options.device), encoder, root)


def model_loader(options: argparse.Namespace, device: str | None) -> Callable[[], InspectableEncoder]:
    """Return what loads the model of a command in a process of Ray."""
    network = {"activation": options.activation, "heads": options.heads}
    return loader(options.model, device=device, weights_root=options.weights_root, **network)
