"""Small pieces of HTML that several tabs use."""

import base64
import io
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..datasets.base import Dataset
from ..datasets.folder import FolderDataset

_EXACT = 128  # pixels; a model's larger input is sent with small loss, in an eighth of the bytes


def percent(value: float) -> str:
    """Return a number from 0 to 1 as a percentage with two decimals.

    >>> percent(0.65314)
    '65.31 %'
    """
    # A no-break space keeps the sign on the line of the number.
    return f"{100 * value:.2f}\N{NO-BREAK SPACE}%"


def signed(value: float, digits: int = 4) -> str:
    """Return a number with a minus sign instead of a hyphen.

    >>> signed(-0.25)
    '−0.2500'
    """
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def name_html(name: str) -> str:
    """Return a class name as HTML. A name in a right-to-left script does not turn the text around it."""
    return f"<bdi>{escape(name)}</bdi>"


def not_available(dataset: Dataset) -> str:
    """Return a sentence about images that cannot be read now, and what to do."""
    if isinstance(dataset, FolderDataset):
        return f"The images of {escape(dataset.title)} cannot be read now."
    return "The images are not available: the Explore tab has a button that downloads them."


def data_url(image: Image.Image) -> str:
    """Return an image as a data URL, so that image and caption arrive together."""
    return _encode(image, "png")


def file_url(content: bytes) -> str:
    """Return a PNG or WebP file as a data URL."""
    return _url(content, "png" if content.startswith(b"\x89PNG") else "webp")


def photo_url(image: Image.Image, side: int) -> str:
    """Return an image as a data URL, made smaller if it is larger than `side` pixels, and with small loss."""
    small = image.copy()
    small.thumbnail((side, side))
    return _encode(small, "webp", quality=85)


def input_url(pixels: np.ndarray) -> str:
    """Return a model's input, shape (height, width, 3), as a data URL: exact where it is small, as photos are not."""
    image = Image.fromarray(pixels)
    return data_url(image) if len(pixels) <= _EXACT else photo_url(image, len(pixels))


def thumbnail(path: Path, side: int = 160) -> str:
    """Return a small square version of an image file as a data URL."""
    with Image.open(path) as image:
        small = ImageOps.fit(ImageOps.exif_transpose(image).convert("RGB"), (side, side))
    return _encode(small, "webp", quality=80)


def _encode(image: Image.Image, kind: str, **options: int) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return _url(buffer.getvalue(), kind)


def _url(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def listening(buttons: str) -> str:
    """Return a script for the `js_on_load` of `gr.HTML` that turns clicks on buttons into the event ``click``.

    Parameters
    ----------
    buttons : str
        CSS selector of the buttons. The event carries the data attributes of the button that was clicked.
    """
    return f"""element.addEventListener('click', (event) => {{
        const button = event.target.closest({buttons!r});
        if (button) trigger('click', {{...button.dataset}});
    }});"""
