"""Reading of an image that a user brings."""

import contextlib
import hashlib
import io
import re
import threading
from collections.abc import Hashable, Iterator
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import ImageError
from .image_colours import note_white, to_rgb
from .png_chunks import readable

# A small file may decode to several hundred megabytes, so only two images are decoded at a time.
_PLACES = threading.BoundedSemaphore(2)
_PATIENCE = 10  # seconds to wait for a place
# Pillow's memory for large images comes in blocks of 16 MB, which glibc keeps for each thread that decoded one: several
# gigabytes after a dozen large photos. Blocks of more than 32 MB always go back to the system.
Image.core.set_block_size(64 * 2**20)
MAX_PIXELS = 50_000_000
_TOO_LARGE = f"This image has more than {MAX_PIXELS // 1_000_000} million pixels. Make it smaller."
# CLIP resizes the shorter side to its input: an image of 1×50,000 pixels would become 224×11,200,000.
MAX_ASPECT = 100
# A progressive JPEG passes over the whole image in each of its scans. Ten are usual; a small file may have thousands.
MAX_SCANNED_PIXELS = 1_000_000_000
# A marker that is neither part of compressed data nor a restart in it.
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
# The formats of browsers, cameras and scanners. Pillow opens more, some of them by running other programs.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


def read_image(source: Image.Image | str | Path | bytes) -> Image.Image:
    """Return an image in RGB, as an image viewer shows it.

    The EXIF orientation and the colour profile are applied. Transparent images are composited on white. Palettes,
    greyscale, 16 and 32 bits, floating-point numbers and CMYK are converted. The first frame represents an animation.

    Parameters
    ----------
    source : PIL image, path or bytes
        At most 50 million pixels; one side at most 100 times the other.

    Raises
    ------
    ImageError
        When the image cannot be read, is too large or would take very long to decode, or when too many others are
        being read.
    """
    if not isinstance(source, (Image.Image, str, Path, bytes)):
        raise ImageError(
            f"image: got {type(source).__name__}; give a path, the bytes of a file, or a PIL image.",
            page="Upload an image file.",
        )
    name = repr(Path(source).name) if isinstance(source, (str, Path)) else "the image"
    with _place():
        return decode_image(source, name)


def decode_image(source: Image.Image | str | Path | bytes, name: str) -> Image.Image:
    """Return an image as `read_image` does, without waiting for others: for the images of a dataset.

    Parameters
    ----------
    source : PIL image, path or bytes
    name : str
        For the messages of errors.
    """
    try:
        image = _open(source, name)
        image.load()
        return to_rgb(_apply_orientation(image))
    except FileNotFoundError as error:
        raise ImageError(
            f"image: {str(source)!r} does not exist; give the path of an image.",
            page="The image is no longer here. Upload it again.",
            private=True,
        ) from error
    except UnidentifiedImageError as error:
        raise ImageError(
            f"image: {name} is not an image that can be read; use one of {', '.join(FORMATS)}.",
            page=f"This file is not an image that can be read. Use one of {', '.join(FORMATS)}.",
        ) from error
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"image: {name} has more than {MAX_PIXELS // 1_000_000} million pixels. Make it smaller.", page=_TOO_LARGE
        ) from error
    except Exception as error:  # A damaged file can make Pillow raise anything.
        raise ImageError(
            f"image: {name} cannot be read ({error}); save it again as PNG or JPEG.",
            page="This image is damaged or incomplete. Save it again as PNG or JPEG.",
        ) from error


def image_key(source: Image.Image | str | Path | bytes) -> Hashable:
    """Return a key that identifies an image: a checksum of its file or, for an image in memory, of its pixels.

    A file is not decoded for this, so an image that was seen before costs almost nothing.
    """
    if isinstance(source, Image.Image):
        image = read_image(source)
        return image.size, hashlib.sha256(image.tobytes()).digest()
    if isinstance(source, (str, Path)):
        try:
            source = Path(source).read_bytes()
        except OSError:
            return object()  # equal to no other key; `read_image` raises the error
    return hashlib.sha256(source).digest() if isinstance(source, bytes) else object()


@contextlib.contextmanager
def _place() -> Iterator[None]:
    if not _PLACES.acquire(timeout=_PATIENCE):
        raise ImageError(
            "image: other images are being read; try again in a few seconds.",
            page="Other photos are being read. Try again in a few seconds.",
        )
    try:
        yield
    finally:
        _PLACES.release()


def _open(source: Image.Image | str | Path | bytes, name: str) -> Image.Image:
    """Open an image that is quick enough to decode, and decode nothing yet."""
    if isinstance(source, Image.Image):
        _check_size(source, name)
        return source
    data = readable(source if isinstance(source, bytes) else Path(source).read_bytes())
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    _check_size(image, name)
    if _tile_pixels(image) > MAX_PIXELS:
        raise ImageError(
            f"image: {name} has tiles of more than {MAX_PIXELS // 1_000_000} million pixels. Make it smaller.",
            page=_TOO_LARGE,
        )
    note_white(image)
    # Pillow's decoders in Python, such as that of run-length encoded BMP, take minutes for what others do in a second.
    if _scanned_pixels(image, data) > MAX_SCANNED_PIXELS or any(tile[0] in Image.DECODERS for tile in image.tile):
        raise ImageError(
            f"image: {name} is stored in a way that takes very long to read; save it again as PNG.",
            page="This image is stored in a way that takes very long to read. Save it again as PNG.",
        )
    return image


def _scanned_pixels(image: Image.Image, data: bytes) -> float:
    """Return how many pixels the scans of a JPEG pass over, or of the JPEGs that a TIFF consists of."""
    if image.format in ("JPEG", "MPO"):
        return _count_scans(data) * image.width * image.height
    if image.format != "TIFF" or image.info.get("compression") not in ("jpeg", "tiff_jpeg"):
        return 0
    # The marker "start of scan" does not occur in compressed data.
    tags = image.tag_v2
    parts = max(1, len(tags.get(273, ())), len(tags.get(324, ())))  # strips or tiles
    return data.count(b"\xff\xda") * max(image.width * image.height, parts * _tile_pixels(image)) / parts


def _tile_pixels(image: Image.Image) -> int:
    """Return the size of a TIFF's tiles, which are decoded whole, also where the image is smaller."""
    return image.tag_v2.get(322, 0) * image.tag_v2.get(323, 0) if image.format == "TIFF" else 0


def _count_scans(data: bytes) -> int:
    """Return the number of scans of a JPEG, not counting those of its thumbnail and of what follows its end."""
    scans, at = 0, 2
    while found := _MARKER.search(data, at):
        kind, at = found[1][0], found.end()
        if kind == 0xD9:  # end of image
            break
        scans += kind == 0xDA
        if kind not in (0x01, 0xD8):  # all others begin with their length
            at += int.from_bytes(data[at : at + 2], "big")
    return scans


def _check_size(image: Image.Image, name: str) -> None:
    width, height = image.size
    if min(width, height) == 0:
        raise ImageError(
            f"image: {name} is empty ({width}×{height} pixels); use another image.",
            page="This image is empty. Use another one.",
        )
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"image: {name} has {width}×{height} pixels; at most {MAX_PIXELS // 1_000_000} million are allowed. "
            "Make it smaller.",
            page=_TOO_LARGE,
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(
            f"image: {name} has {width}×{height} pixels; one side may be at most {MAX_ASPECT} times the other. "
            "Crop it.",
            page=f"This image is too narrow: one side may be at most {MAX_ASPECT} times the other. Crop it.",
        )


def _apply_orientation(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # Damaged EXIF data do not mean that the image is damaged.
        return image
