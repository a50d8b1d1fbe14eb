"""How CLIP learns: a batch of images and captions, and its symmetric loss (Radford et al. 2021, figure 3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from ..datasets.shapes100 import Shapes100
from ..errors import OptionError
from ..models.image_input import read_image
from ..numerics import normalize, softmax
from ..paths import BUILT_IN_SNAPSHOTS, EXAMPLES
from ..zero_shot.prompts import MAX_LENGTH

MIN_PAIRS = 2
_CHANGED = "flower.jpg"  # the snapshots are of the whole photo, of which the example photo is now a part


@dataclass(frozen=True, eq=False)
class BatchImage:
    """An image that may be in the batch.

    Attributes
    ----------
    source : str
        Its name: ``"shapes100 220"`` or ``"cat.jpg"``.
    caption : str
        The caption that it comes with.
    image : PIL image
        In RGB, as it was in the training snapshots: 32×32 pixels for Shapes-100, 64×64 in the middle of a photo.
    """

    source: str
    caption: str
    image: Image.Image


@dataclass(frozen=True, eq=False)
class ContrastiveBatch:
    """A batch of n images, n captions and their loss.

    Attributes
    ----------
    sources, captions : tuple of str
        Image i belongs to caption i.
    cosines : numpy.ndarray, shape (n, n), float64
        Image i with caption j.
    logit_scale : float
    to_text : numpy.ndarray, shape (n, n), float64
        Softmax of each row of the logits: which caption belongs to image i. Rows sum to 1.
    to_image : numpy.ndarray, shape (n, n), float64
        Softmax of each column: which image belongs to caption j. Columns sum to 1.
    image_loss, text_loss : float
        Mean of ``-log`` of the diagonals of `to_text` and of `to_image`.
    loss : float
        Their mean.
    chance : float
        The loss of a model that knows nothing: ``log n``.
    right_captions, right_images : int
        How many rows, and columns, have their largest cosine on the diagonal.
    progress : float or None
        Of a training snapshot: how much of the training was done, 0 to 1; None for the model as it is.
    """

    sources: tuple[str, ...]
    captions: tuple[str, ...]
    cosines: np.ndarray
    logit_scale: float
    to_text: np.ndarray
    to_image: np.ndarray
    image_loss: float
    text_loss: float
    loss: float
    chance: float
    right_captions: int
    right_images: int
    progress: float | None


@dataclass(frozen=True, eq=False)
class Snapshots:
    """Features of the batch images and their captions at m moments of the built-in model's training.

    Attributes
    ----------
    sources, captions : tuple of str, length n
    images, texts : numpy.ndarray, shape (m, n, d), float32
        L2-normalised.
    logit_scale : tuple of float
    progress : tuple of float
        How much of the training was done, 0 to 1.
    """

    sources: tuple[str, ...]
    captions: tuple[str, ...]
    images: np.ndarray
    texts: np.ndarray
    logit_scale: tuple[float, ...]
    progress: tuple[float, ...]


@cache
def read_snapshots(path: Path = BUILT_IN_SNAPSHOTS) -> Snapshots:
    """Return what `clip_demo.tiny_clip.snapshots` stored."""
    with np.load(path, allow_pickle=False) as stored:
        kept = stored["sources"] != _CHANGED
        return Snapshots(
            tuple(map(str, stored["sources"][kept])),
            tuple(map(str, stored["captions"][kept])),
            # Stored in half precision, which changes their length a little.
            normalize(stored["images"][:, kept].astype(np.float32)),
            normalize(stored["texts"][:, kept].astype(np.float32)),
            tuple(map(float, stored["logit_scale"])),
            tuple(round(float(each), 4) for each in stored["progress"]),
        )


@cache
def batch_images() -> tuple[BatchImage, ...]:
    """Return the images of the snapshots, with their captions."""
    snapshots, shapes = read_snapshots(), Shapes100()

    def image(source: str) -> Image.Image:
        dataset, _, index = source.partition(" ")
        if dataset == shapes.name:
            return shapes.image(int(index))
        photo = read_image(EXAMPLES / source)
        side = min(photo.size)
        left, top = ((length - side) // 2 for length in photo.size)
        return photo.crop((left, top, left + side, top + side)).resize((64, 64), Image.Resampling.BICUBIC)

    return tuple(
        BatchImage(source, caption, image(source))
        for source, caption in zip(snapshots.sources, snapshots.captions, strict=True)
    )


def choose_pairs(sources: Sequence[str] | None = None, captions: Sequence[str] | None = None) -> list[BatchImage]:
    """Return the images of a batch with their captions.

    Parameters
    ----------
    sources : sequence of str, optional
        Names of `MIN_PAIRS` or more images; default all.
    captions : sequence of str, optional
        One for each image; default those that they come with.

    Raises
    ------
    OptionError
        When an image is unknown or named twice, or the captions do not fit.
    """
    known = {each.source: each for each in batch_images()}
    sources, names = list(known) if sources is None else _entries(sources), list(known)
    if len(sources) < MIN_PAIRS or any(each not in names for each in sources) or len(set(sources)) < len(sources):
        raise OptionError(
            f"sources: got {sources!r:.200}; give {MIN_PAIRS} to {len(known)} different ones of {names}.",
            page=f"Choose {MIN_PAIRS} to {len(known)} of the images.",
        )
    pairs = [known[source] for source in sources]
    if captions is None:
        return pairs
    captions = _entries(captions)
    texts = [each.strip() for each in captions if isinstance(each, str) and 1 <= len(each.strip()) <= MAX_LENGTH]
    if not len(texts) == len(captions) == len(pairs):
        raise OptionError(
            f"captions: got {len(captions)}, of which {len(texts)} are text of 1 to {MAX_LENGTH} characters; give one "
            f"for each of the {len(pairs)} images.",
            page=f"Type a caption of 1 to {MAX_LENGTH} characters for each of the {len(pairs)} images.",
        )
    return [replace(pair, caption=text) for pair, text in zip(pairs, texts, strict=True)]


def _entries(values: Sequence[str]) -> list:
    """Return the entries of an argument; a single one is a list, too, which has too few."""
    return list(values) if isinstance(values, Iterable) and not isinstance(values, str) else [values]


def check_snapshot(snapshot: int, allowed: bool) -> int:
    """Return the position of a snapshot, or raise an OptionError unless it exists and is allowed."""
    count = len(read_snapshots().progress)
    if not allowed or isinstance(snapshot, bool) or not isinstance(snapshot, int) or not 0 <= snapshot < count:
        raise OptionError(
            f"snapshot: got {snapshot!r}; only the built-in model has snapshots, 0 to {count - 1}, and only with the "
            "captions that the images come with; otherwise leave it out.",
            page="The training can be replayed only for the built-in model and the captions that come with the images. "
            "Put them back, or look at the model as it is now.",
        )
    return snapshot


def snapshot_batch(pairs: Sequence[BatchImage], snapshot: int) -> ContrastiveBatch:
    """Return the batch as it was at a moment of the training."""
    stored = read_snapshots()
    rows = [stored.sources.index(pair.source) for pair in pairs]
    images, texts = stored.images[snapshot, rows], stored.texts[snapshot, rows]
    return contrastive_batch(pairs, images, texts, stored.logit_scale[snapshot], stored.progress[snapshot])


def contrastive_batch(
    pairs: Sequence[BatchImage],
    images: np.ndarray,
    texts: np.ndarray,
    logit_scale: float,
    progress: float | None = None,
) -> ContrastiveBatch:
    """Return the matrix and the loss of a batch.

    Parameters
    ----------
    pairs : sequence of BatchImage, length n
    images, texts : numpy.ndarray, shape (n, d)
        Their features, L2-normalised.
    logit_scale : float
    progress : float, optional
        See `ContrastiveBatch`.
    """
    cosines = images.astype(np.float64) @ texts.astype(np.float64).T  # (n, n)
    to_text, to_image = softmax(logit_scale * cosines), softmax(logit_scale * cosines.T).T
    image_loss, text_loss = (float(-np.log(np.diagonal(each)).mean()) for each in (to_text, to_image))
    diagonal = np.arange(len(cosines))
    return ContrastiveBatch(
        sources=tuple(pair.source for pair in pairs),
        captions=tuple(pair.caption for pair in pairs),
        cosines=cosines,
        logit_scale=logit_scale,
        to_text=to_text,
        to_image=to_image,
        image_loss=image_loss,
        text_loss=text_loss,
        loss=(image_loss + text_loss) / 2,
        chance=float(np.log(len(cosines))),
        right_captions=int((cosines.argmax(axis=1) == diagonal).sum()),
        right_images=int((cosines.argmax(axis=0) == diagonal).sum()),
        progress=progress,
    )
