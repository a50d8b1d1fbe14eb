"""Thumbnails of test images, each made once."""

from dataclasses import dataclass
from functools import lru_cache

from ..datasets.base import Dataset
from ..errors import ImageError
from .html import data_url

SIDE = 128  # pixels; they are shown at 96
# Those of CIFAR-100 take 3 kB each, those of photos up to 8 kB.
_MOST = 4_000


@dataclass(frozen=True)
class Thumbnail:
    """A small version of an image.

    Attributes
    ----------
    url : str
        The image as a data URL.
    enlarged : bool
        Whether the image is smaller than it is shown, with sharp pixels.
    """

    url: str
    enlarged: bool

    def html(self) -> str:
        """Return the image without a description: the text beside it says what it is."""
        kind = ' class="small"' if self.enlarged else ""
        return f'<img{kind} src="{self.url}" alt="" loading="lazy">'


def thumbnail_of(dataset: Dataset, index: int) -> Thumbnail | None:
    """Return the thumbnail of a test image; None where the dataset is not available, or the image cannot be read."""
    if not dataset.available():
        return None
    try:
        return _make(dataset, dataset.key, int(dataset.ids()[index]), index)
    except ImageError:
        return None


@lru_cache(_MOST)
def _make(dataset: Dataset, key: str, identity: int, index: int) -> Thumbnail:
    # The key and the identity say which image it is: after others have been left out, an index is another image.
    image = dataset.image(index)
    return Thumbnail(data_url(image, SIDE), max(image.size) < SIDE)
