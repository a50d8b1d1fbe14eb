"""PNG files as browsers read them: what is not needed to show the image cannot spoil it."""

import zlib
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_CHUNKS = 50_000  # 4,000 are many; a file of empty ones would have millions
_MAX_PROFILE = 1_000_000  # bytes after decompression; Pillow refuses a file with a larger one
_TRANSPARENCY_BYTES = {0: {2}, 2: {6}, 3: set(range(1, 257))}  # by the header's colour type
# Text that may say which side is up. Other text can be as long as an image generator's whole configuration.
_ORIENTATION = (b"Raw profile type exif\0", b"Raw profile type APP1\0", b"XML:com.adobe.xmp\0")


def readable(data: bytes) -> bytes:
    """Return a file with those chunks of a PNG that decide how the image looks, where they are sound.

    Pillow refuses an image for a wrong checksum, a broken length or a large text in any of its chunks.

    Parameters
    ----------
    data : bytes
        A file of any kind; what is no PNG is returned as it is.
    """
    if not data.startswith(_SIGNATURE):
        return data
    kept, used = [_SIGNATURE], set()
    colour_type = data[25] if len(data) > 25 else None
    for chunk in _chunks(data):
        kind = chunk[4:8]
        if kind[:1].islower():  # needed by some readers only
            # One of each is enough, and bounds the time that decompressing takes.
            if kind in used or not _is_sound(kind, chunk, colour_type):
                continue
            used.add(kind)
        kept.append(chunk)
    return b"".join(kept)


def _chunks(data: bytes) -> Iterator[bytes]:
    """Yield the chunks, each with its length, type and checksum; the last one may be cut off."""
    at = len(_SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield data[at:end]
        at = end
        if at >= len(data):
            return


def _is_sound(kind: bytes, chunk: bytes, colour_type: int | None) -> bool:
    """Return whether an ancillary chunk says something about the look of the image, and can be read."""
    body = chunk[8:-4]
    if zlib.crc32(kind + body) != int.from_bytes(chunk[-4:], "big"):
        return False
    if kind == b"tRNS":
        return len(body) in _TRANSPARENCY_BYTES.get(colour_type, ())
    if kind == b"iCCP":
        name, separator, rest = body.partition(b"\0")
        return bool(name and separator) and rest[:1] == b"\0" and _fits(rest[1:])
    if kind == b"zTXt":
        return body.startswith(_ORIENTATION) and _fits(body.partition(b"\0")[2][1:])
    if kind in (b"tEXt", b"iTXt"):
        is_packed = kind == b"iTXt" and body.partition(b"\0")[2][:1] != b"\0"
        return body.startswith(_ORIENTATION) and not is_packed and len(body) <= _MAX_PROFILE
    return kind == b"eXIf"


def _fits(packed: bytes) -> bool:
    """Return whether data can be decompressed to at most `_MAX_PROFILE` bytes."""
    unpack = zlib.decompressobj()
    try:
        return len(unpack.decompress(packed, _MAX_PROFILE + 1)) <= _MAX_PROFILE and unpack.eof
    except zlib.error:
        return False
