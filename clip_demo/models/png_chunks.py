"""PNG files as browsers read them: what is not needed to show the image cannot spoil it."""

import zlib
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXT = (b"tEXt", b"zTXt", b"iTXt")
# Text that may say which side is up. Other text can be as long as an image generator's whole configuration.
_USEFUL_TEXT = (b"Raw profile type exif\0", b"Raw profile type APP1\0", b"XML:com.adobe.xmp\0")
_MAX_PROFILE = 1_000_000  # bytes after decompression; Pillow refuses a file with a larger one


def readable(data: bytes) -> bytes:
    """Return a file without the chunks of a PNG for which Pillow would refuse the image.

    These are chunks besides the image itself that have a wrong checksum, and a colour profile or text that is too
    large. Other text is left out, too.

    Parameters
    ----------
    data : bytes
        A file of any kind; what is no PNG is returned as it is.
    """
    if not data.startswith(_SIGNATURE):
        return data
    return _SIGNATURE + b"".join(chunk for chunk in _chunks(data) if _is_needed(chunk))


def _chunks(data: bytes) -> Iterator[bytes]:
    """Yield the chunks, each with its length, type and checksum; the last one may be cut off."""
    at = len(_SIGNATURE)
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield data[at:end]
        at = end


def _is_needed(chunk: bytes) -> bool:
    kind, body = chunk[4:8], chunk[8:-4]
    is_ancillary = bool(kind[:1].islower())
    if not is_ancillary:
        return True
    if zlib.crc32(kind + body) != int.from_bytes(chunk[-4:], "big"):
        return False
    if kind in _TEXT and not body.startswith(_USEFUL_TEXT):
        return False
    return kind not in (*_TEXT, b"iCCP") or _decompressed_size(kind, body) <= _MAX_PROFILE


def _decompressed_size(kind: bytes, body: bytes) -> int:
    """Return the size of a text or profile, or a little more than the limit."""
    _, _, rest = body.partition(b"\0")
    if kind == b"tEXt" or (kind == b"iTXt" and rest[:1] == b"\0"):
        return len(rest)
    packed = rest[1:] if kind != b"iTXt" else rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    try:
        return len(zlib.decompressobj().decompress(packed, _MAX_PROFILE + 1))
    except zlib.error:
        return _MAX_PROFILE + 1
