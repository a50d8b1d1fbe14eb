"""Small pieces of HTML that the other files of the page are made of."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

from PIL import Image, ImageOps

__all__ = ["data_url", "escape", "listening", "percent", "thumbnail"]


def escape(text: str) -> str:
    """Return `text` so that a browser shows it as it stands, also inside an attribute."""
    return html.escape(text)


def percent(share: float) -> str:
    """Return a share with two decimals.

    >>> percent(0.65314)
    '65.31 %'
    """
    # A no-break space, so that the sign never stands alone on the next line.
    return f"{100 * share:.2f}\N{NO-BREAK SPACE}%"


def data_url(image: Image.Image) -> str:
    """Return an image as an address that holds it, so that it arrives together with its caption."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def thumbnail(path: Path, side: int = 160) -> str:
    """Return a small square image as an address that holds it."""
    with Image.open(path) as image:
        small = ImageOps.fit(ImageOps.exif_transpose(image).convert("RGB"), (side, side))
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def listening(buttons: str) -> str:
    """Return a script for `gr.HTML` that turns clicks on buttons within it into its own event ``click``.

    Parameters
    ----------
    buttons : str
        A selector; the handler gets the data attributes of the button that was clicked.
    """
    return f"""element.addEventListener('click', (event) => {{
        const button = event.target.closest({buttons!r});
        if (button) trigger('click', {{...button.dataset}});
    }});"""
