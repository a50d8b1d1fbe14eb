"""Image sets behind one interface, and the reading of a user's picture.

``imageset.py`` is the interface, ``cifar100.py`` and ``shapes100.py`` are the two sets, ``picture.py`` reads what
a user brings.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import ImageSetError
from .cifar100 import Cifar100, data_root
from .base import ImageSet
from ..models.image_input import MAX_PIXELS, picture_key, read_picture
from .shapes100 import UNSEEN_CLASSNAMES, Shapes100

__all__ = [
    "CIFAR100",
    "IMAGE_SETS",
    "MAX_PIXELS",
    "SHAPES100",
    "UNSEEN_CLASSNAMES",
    "Cifar100",
    "ImageSet",
    "Shapes100",
    "data_root",
    "open_image_sets",
    "picture_key",
    "read_picture",
    "resolve_image_set",
]

CIFAR100, SHAPES100 = IMAGE_SETS = (Cifar100.name, Shapes100.name)


def open_image_sets(root: str | Path | None = None) -> dict[str, ImageSet]:
    """Make every image set; nothing is read or downloaded yet.

    Parameters
    ----------
    root : path, optional
        Where CIFAR-100 lies or will be downloaded to; see `data_root`.

    Raises
    ------
    ImageSetError
        When `root` is given and is no folder: most likely a slip of the pen.
    """
    if root is not None and not Path(root).expanduser().is_dir():
        raise ImageSetError(
            f"data_root: {str(root)!r} is not a folder; make it, or give the one with cifar-100-python."
        )
    return {Cifar100.name: Cifar100(root), Shapes100.name: Shapes100()}


def resolve_image_set(image_sets: dict[str, ImageSet], name: str | None) -> ImageSet:
    """Return an image set by name; without a name CIFAR-100 where it is on disk, else Shapes-100.

    Raises
    ------
    ImageSetError
        When the name is unknown.
    """
    if name is None:
        return next((each for each in image_sets.values() if each.on_disk()), next(iter(image_sets.values())))
    if not isinstance(name, str) or name not in image_sets:
        raise ImageSetError(f"images: {name!r} is unknown; use one of {', '.join(map(repr, image_sets))}.")
    return image_sets[name]
