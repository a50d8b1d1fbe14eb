"""The photos that a visitor gathered: classes with names, and of each photo a thumbnail and its features."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
from PIL import Image

from ..errors import ClassnamesError, OptionError, quoted
from ..zero_shot.prompts import check_classnames, same_class
from .classifiers import Examples

MAX_CLASSES, MAX_PHOTOS = 10, 50  # photos of one class
MAX_BYTES = 3_000_000  # of a whole set in memory
THUMBNAIL = 96  # pixels of the longer side


@dataclass(frozen=True, eq=False)
class Photo:
    """What is kept of a photo.

    Attributes
    ----------
    key : str
        Checksum of the pixels; equal pixels are the same photo.
    thumbnail : bytes
        WebP, at most `THUMBNAIL` pixels wide and high.
    features : numpy.ndarray, shape (d,), float32
        Not normalised.
    """

    key: str
    thumbnail: bytes
    features: np.ndarray

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return len(self.thumbnail) + self.features.nbytes


@dataclass(frozen=True, eq=False)
class OwnClass:
    """A class: its name and its photos in the order in which they came."""

    name: str
    photos: tuple[Photo, ...] = ()


@dataclass(frozen=True, eq=False)
class PhotoSet:
    """Classes with photos whose features come from one model. Changes return another set, so that they can be undone.

    Attributes
    ----------
    classes : tuple of OwnClass
        From 2 to `MAX_CLASSES`.
    model, model_sha256 : str
        Name and checksum of the model; "" while there is no photo.
    """

    classes: tuple[OwnClass, ...] = (OwnClass("class 1"), OwnClass("class 2"))
    model: str = ""
    model_sha256: str = ""
    _keys: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self):
        check_classnames(self.classnames)
        if len(self.classes) > MAX_CLASSES:
            raise ClassnamesError(
                f"classes: got {len(self.classes)}; at most {MAX_CLASSES} are allowed.",
                page=f"There are {MAX_CLASSES} classes already. Remove one first.",
            )
        for each in self.classes:
            if len(each.photos) > MAX_PHOTOS:
                raise OptionError(
                    f"photos: {each.name!r} would have {len(each.photos)}; at most {MAX_PHOTOS} are allowed.",
                    page=f"{quoted(each.name)} would have {len(each.photos)} photos. A class can have {MAX_PHOTOS}; "
                    "remove some first.",
                )
        if self.nbytes > MAX_BYTES:
            raise OptionError(
                f"photos: they would take {self.nbytes / 1e6:.1f} MB; at most {MAX_BYTES / 1e6:.0f} MB are allowed.",
                page="There is no room for more photos. Remove some first.",
            )
        keys = {photo.key: position for position, each in enumerate(self.classes) for photo in each.photos}
        object.__setattr__(self, "_keys", keys)

    @property
    def classnames(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(each.name for each in self.classes)

    @property
    def photos(self) -> tuple[Photo, ...]:
        """All photos, class by class."""
        return tuple(photo for each in self.classes for photo in each.photos)

    @property
    def labels(self) -> np.ndarray:
        """Class of each of `photos`, shape (n,), int: a position in `classnames`."""
        return np.repeat(np.arange(len(self.classes)), [len(each.photos) for each in self.classes])

    @property
    def nbytes(self) -> int:
        """Size of the photos in memory."""
        return sum(photo.nbytes for photo in self.photos)

    def examples(self, text: np.ndarray, logit_scale: float) -> Examples:
        """Return what the classifiers learn from.

        Parameters
        ----------
        text : numpy.ndarray, shape (n_classes, d), float32
            Text features of the classes, L2-normalised.
        logit_scale : float

        Raises
        ------
        OptionError
            When the photos have features of another size.
        """
        rows = [photo.features for photo in self.photos]
        if any(row.shape != text.shape[1:] for row in rows):  # an opened zip may name any model
            raise OptionError(
                f"photos: their features do not have the {text.shape[1]} numbers of the model's; start a new set.",
                page="These photos were not read with this model. Choose another model, or start anew.",
            )
        photos = np.stack(rows) if rows else np.empty((0, text.shape[1]), dtype=np.float32)
        return Examples(self.classnames, text, photos, self.labels, logit_scale)

    def with_photos(self, position: int, photos: Iterable[Photo], model: str, model_sha256: str) -> PhotoSet:
        """Return the set with more photos of a class; those that the set has already stay where they are.

        Raises
        ------
        OptionError
            When the photos are of another model than those in the set, or too many.
        """
        position = self._check_position(position)
        if self._keys and model_sha256 != self.model_sha256:
            raise OptionError(
                f"model: the photos in the set were encoded with {self.model}; use it, or start a new set.",
                page=f"Your photos were read with {self.model}. Choose that model again, or start anew.",
            )
        new = {photo.key: photo for photo in photos if photo.key not in self._keys}
        classes = self._replaced(position, photos=(*self.classes[position].photos, *new.values()))
        return PhotoSet(classes, model, model_sha256)

    def without_photo(self, key: str) -> PhotoSet:
        """Return the set without a photo."""
        position = self._position_of(key)
        left = tuple(photo for photo in self.classes[position].photos if photo.key != key)
        return replace(self, classes=self._replaced(position, photos=left))

    def moved(self, key: str, position: int) -> PhotoSet:
        """Return the set with a photo in another class."""
        old, position = self._position_of(key), self._check_position(position)
        photo = next(photo for photo in self.classes[old].photos if photo.key == key)
        rest = self.without_photo(key)
        return replace(rest, classes=rest._replaced(position, photos=(*rest.classes[position].photos, photo)))

    def renamed(self, position: int, name: str) -> PhotoSet:
        """Return the set with another name for a class."""
        return replace(self, classes=self._replaced(self._check_position(position), name=name))

    def with_class(self, name: str | None = None) -> PhotoSet:
        """Return the set with one more class, by default called "class 3" or by the next number that is free."""
        if name is None:
            names = (f"class {number}" for number in count(len(self.classes) + 1))
            name = next(each for each in names if not any(same_class(each, other) for other in self.classnames))
        return replace(self, classes=(*self.classes, OwnClass(name)))

    def without_class(self, position: int) -> PhotoSet:
        """Return the set without a class and its photos."""
        position = self._check_position(position)
        return replace(self, classes=self.classes[:position] + self.classes[position + 1 :])

    def _replaced(self, position: int, **changes) -> tuple[OwnClass, ...]:
        changed = replace(self.classes[position], **changes)
        if isinstance(changed.name, str):
            changed = replace(changed, name=changed.name.strip())
        return (*self.classes[:position], changed, *self.classes[position + 1 :])

    def _check_position(self, position: int) -> int:
        whole = isinstance(position, int) and not isinstance(position, bool)
        if not whole or not 0 <= position < len(self.classes):
            raise OptionError(
                f"position: {position!r} is not a class; use 0 to {len(self.classes) - 1}.",
                page="This class is not there any more.",
            )
        return position

    def _position_of(self, key: str) -> int:
        position = self._keys.get(key) if isinstance(key, str) else None
        if position is None:
            raise OptionError("photo: there is none with this key.", page="This photo is not there any more.")
        return position


def thumbnail_of(image: Image.Image) -> bytes:
    """Return a small copy of an image as WebP, without anything else that its file may say, such as a place."""
    small = image.convert("RGB")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=60)
    return file.getvalue()
