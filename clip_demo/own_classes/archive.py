"""A photo set as one zip, which opens again on another machine, and whose head anybody can use with openai-clip."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ArtifactError, ClipDemoError
from ..inside.linear_classifier import LinearClassifier
from .photo_set import MAX_CLASSES, MAX_PHOTOS, THUMBNAIL, OwnClass, Photo, PhotoSet, thumbnail_of

FORMAT = "clip-explorer-own-classes-1"
_MAX_FILE = 12_000_000  # bytes of one file in a zip, unpacked: the features of all photos
_MAX_TOTAL = 24_000_000
_MAX_FILES = MAX_CLASSES * MAX_PHOTOS + 10
_MAX_DIMENSIONS = 4096
_LENGTHS = (1e-6, 1e6)  # of features; beyond them, float32 is too coarse for their products
_KEY = re.compile(r"[0-9a-f]{64}")  # see Photo
_README = """Your own classes, saved by CLIP Explorer

classes.json      the classes, and which photos each of them has
features.npy      one row for each photo, from the image encoder of {model}, not normalised
thumbnails/       small copies of the photos, in the same order{without}
*.npz             classifiers, {names}: their weights, one row for each class
use.py            how to use the first of them, with openai-clip

Open the zip under "Your classes" to go on, on any machine that has {model}.
"""
_USE = '''"""Predict the class of an image with the saved classifier: python use.py IMAGE [CHECKPOINT]

A model that openai-clip cannot download, such as CLIP Explorer's tiny (assets/tiny.pt), needs its file.
"""

import sys
import types

import numpy as np
import packaging.version
import torch

# openai-clip 1.0.1 imports pkg_resources, which recent versions of setuptools no longer have.
sys.modules["pkg_resources"] = types.SimpleNamespace(packaging=packaging)
import clip  # pip install openai-clip packaging
from PIL import Image

head = np.load("{name}.npz")  # weights: (n_classes, d), intercept: (n_classes,), classes: (n_classes,), normalized
if len(sys.argv) > 2:
    model = clip.model.build_model(torch.load(sys.argv[2], weights_only=True)).float()
    preprocess = clip.clip._transform(model.visual.input_resolution)
else:
    model, preprocess = clip.load({model!r}, device="cpu")
with torch.no_grad():
    image = preprocess(Image.open(sys.argv[1]).convert("RGB")).unsqueeze(0)
    features = model.encode_image(image)[0].float().numpy()  # (d,)
if head["normalized"]:
    features = features / np.linalg.norm(features)
logits = head["weights"] @ features + head["intercept"]
probabilities = np.exp(logits - logits.max())
probabilities /= probabilities.sum()
for k in np.argsort(-probabilities):
    print(f"{{head['classes'][k]:>16s}}: {{100 * probabilities[k]:.2f}} %")
'''


def write_archive(
    photo_set: PhotoSet, classifiers: Sequence[tuple[str, LinearClassifier]], *, thumbnails: bool = True
) -> bytes:
    """Return a zip of a photo set.

    Parameters
    ----------
    photo_set : PhotoSet
        With at least one photo.
    classifiers : sequence of (str, LinearClassifier)
        Names and classifiers to save as npz; the program uses the first.
    thumbnails : bool
        Whether to add the thumbnails; the features alone are enough to go on.
    """
    name = classifiers[0][0]
    without = "" if thumbnails else " (left out)"
    described = {
        "format": FORMAT,
        "model": photo_set.model,
        "model_sha256": photo_set.model_sha256,
        "classes": [{"name": each.name, "photos": [photo.key for photo in each.photos]} for each in photo_set.classes],
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        names = ", ".join(each for each, _ in classifiers)
        archive.writestr("README.txt", _README.format(model=photo_set.model, names=names, without=without))
        archive.writestr("use.py", _USE.format(model=photo_set.model, name=name))
        archive.writestr("classes.json", json.dumps(described, ensure_ascii=False, indent=1))
        archive.writestr("features.npy", _npy(np.stack([photo.features for photo in photo_set.photos])))
        for name, classifier in classifiers:
            archive.writestr(f"{name}.npz", _npz(classifier, photo_set))
        for number, photo in enumerate(photo_set.photos if thumbnails else ()):
            archive.writestr(f"thumbnails/{number:03}.webp", photo.thumbnail)
    return file.getvalue()


def read_archive(content: bytes) -> PhotoSet:
    """Return the photo set in a zip.

    Raises
    ------
    ArtifactError
        When the zip was not made by `write_archive`, or is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_sizes(archive)
            described = json.loads(_read(archive, "classes.json"))
            json.dumps(described, ensure_ascii=False).encode()  # raises at half a character, which nothing could save
            if described["format"] != FORMAT:
                raise ValueError(f"its format is {str(described['format'])[:60]!r}")
            return _photo_set(archive, described)
    except ClipDemoError as error:
        raise _refused(str(error)) from error
    except Exception as error:  # A bad zip, npy, JSON or field: for the user they all mean the same.
        raise _refused(f"{type(error).__name__}: {error}") from error


def _photo_set(archive: zipfile.ZipFile, described: dict[str, Any]) -> PhotoSet:
    # Before anything is made of them: a small zip may name a million photos.
    classes = described["classes"]
    if len(classes) > MAX_CLASSES or any(len(each["photos"]) > MAX_PHOTOS for each in classes):
        raise ValueError("it has more classes or photos than a set can have")
    keys = [str(key) for each in classes for key in each["photos"]]
    if len(set(keys)) != len(keys) or not all(map(_KEY.fullmatch, keys)):
        raise ValueError("two photos have the same key, or a key is no checksum")
    features = _features(_read(archive, "features.npy"), len(keys))
    files = set(archive.namelist())
    photos = {}
    for number, (key, row) in enumerate(zip(keys, features, strict=True)):
        name = f"thumbnails/{number:03}.webp"
        photos[key] = Photo(key, _thumbnail(_read(archive, name)) if name in files else b"", row.copy())
    own = tuple(OwnClass(str(each["name"]), tuple(photos[str(key)] for key in each["photos"])) for each in classes)
    return PhotoSet(own, str(described["model"])[:200], str(described["model_sha256"])[:128])


def _features(content: bytes, n: int) -> np.ndarray:
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("the features have another format")
    # The header first: numpy makes an array of any announced size before it reads.
    shape, by_column, kind = np.lib.format.read_array_header_1_0(file)
    if len(shape) != 2 or shape[0] != n or not 0 < shape[1] <= _MAX_DIMENSIONS or by_column or kind != np.float32:
        raise ValueError(f"the features have the shape {shape} and the type {kind}, for {n} photos")
    features = np.frombuffer(file.read(), dtype=np.float32).reshape(shape)
    lengths = np.linalg.norm(features.astype(np.float64), axis=1)
    if not ((lengths > _LENGTHS[0]) & (lengths < _LENGTHS[1])).all():  # no number is in no range
        raise ValueError("some features are no numbers, or far too large or small")
    return features


def _check_sizes(archive: zipfile.ZipFile) -> None:
    sizes = [each.file_size for each in archive.infolist()]
    if len(sizes) > _MAX_FILES or max(sizes, default=0) > _MAX_FILE or sum(sizes) > _MAX_TOTAL:
        raise ValueError("it has more files, or larger ones, than a set of own classes can have")


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        content = file.read(_MAX_FILE + 1)  # the size that a zip announces may be a lie
    if len(content) > _MAX_FILE:
        raise ValueError(f"{name} is too large")
    return content


def _thumbnail(content: bytes) -> bytes:
    """Return a thumbnail drawn again, so that nothing but its pixels is taken over."""
    with Image.open(io.BytesIO(content), formats=["WEBP"]) as image:
        if max(image.size) > THUMBNAIL:
            raise ValueError("a thumbnail is too large")
        return thumbnail_of(image)


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array.astype(np.float32), allow_pickle=False)
    return file.getvalue()


def _npz(classifier: LinearClassifier, photo_set: PhotoSet) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(
        file,
        weights=classifier.weights.astype(np.float32),
        intercept=classifier.intercept.astype(np.float32),
        classes=np.array(classifier.classnames, dtype=np.str_),
        normalized=np.array(classifier.normalized),
        model=np.array(photo_set.model),
        model_sha256=np.array(photo_set.model_sha256),
        n_photos=np.array([len(each.photos) for each in photo_set.classes]),
    )
    return file.getvalue()


def _refused(reason: str) -> ArtifactError:
    return ArtifactError(
        f"archive: it is not a set of own classes ({reason}); give a zip that CLIP Explorer saved.",
        page="This is not a set of classes that this page saved, or it is damaged. Choose another zip.",
    )
