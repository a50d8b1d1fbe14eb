"""Images that users bring: the formats that work, and the messages for those that do not."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from clip_demo.errors import ImageError
from clip_demo.models import image_input
from clip_demo.models.image_input import image_key, read_image


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def colours(image):
    return [tuple(map(int, colour)) for colour in np.asarray(image).reshape(-1, 3)]


def test_a_path_bytes_and_a_pil_image_give_the_same_image(tmp_path):
    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    image.save(tmp_path / "a.png")
    for source in (image, encoded(image), tmp_path / "a.png", str(tmp_path / "a.png")):
        assert read_image(source).mode == "RGB"
        np.testing.assert_array_equal(np.asarray(read_image(source)), np.asarray(image))


def test_transparent_images_are_composited_on_white():
    clear = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    clear.putpixel((0, 0), (255, 0, 0, 255))
    assert colours(read_image(encoded(clear))) == [(255, 0, 0), (255, 255, 255)]
    assert colours(read_image(encoded(Image.new("LA", (1, 1), (0, 128))))) == [(127, 127, 127)]


def test_palette_colours_and_palette_transparency_are_kept():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    assert colours(read_image(encoded(image))) == [(255, 0, 0), (0, 0, 255)]
    assert colours(read_image(encoded(image, transparency=1))) == [(255, 0, 0), (255, 255, 255)]


def test_16_bit_values_are_scaled_and_not_clipped():
    values = np.array([[0, 257 * 100, 65535]], dtype=np.uint16)
    assert colours(read_image(encoded(Image.fromarray(values)))) == [(v, v, v) for v in (0, 100, 255)]


def test_cmyk_is_converted():
    image = read_image(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100))
    red, green, blue = image.getpixel((4, 4))
    assert image.mode == "RGB" and red > 240 and green < 15 and blue < 15


def test_the_exif_orientation_is_applied():
    image = Image.new("RGB", (20, 10), "blue")
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotated by 90 degrees
    assert read_image(encoded(image, "JPEG", exif=exif)).size == (10, 20)


def test_the_first_frame_represents_an_animation():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert read_image(data).getpixel((0, 0)) == (255, 0, 0)


def test_1_bit_and_greyscale_images_are_converted():
    assert read_image(encoded(Image.new("1", (1, 1), 1))).getpixel((0, 0)) == (255, 255, 255)
    assert read_image(encoded(Image.new("L", (1, 1), 7))).getpixel((0, 0)) == (7, 7, 7)


def test_a_file_that_is_not_an_image_is_refused(tmp_path):
    (tmp_path / "notes.png").write_text("not an image")
    with pytest.raises(ImageError, match=r"image: 'notes.png' is not an image that can be read; use one of JPEG, PNG"):
        read_image(tmp_path / "notes.png")


def test_a_truncated_file_is_refused():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    with pytest.raises(ImageError, match=r"image: the image cannot be read \(.*\); save it again as PNG or JPEG"):
        read_image(encoded(noise)[:3000])


def test_a_missing_file_is_refused():
    with pytest.raises(ImageError, match="image: 'nowhere.png' does not exist"):
        read_image("nowhere.png")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(tmp_path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_large_image_is_refused_before_it_is_decoded():
    # A file of 12 kB with 100 million white pixels; the check uses the size in the header.
    data = encoded(Image.new("1", (10_000, 10_000)))
    assert len(data) < 50_000
    with pytest.raises(ImageError, match="has 10000×10000 pixels; at most 50 million are allowed"):
        read_image(data)


def test_a_very_long_image_is_refused():
    with pytest.raises(ImageError, match="has 1000×2 pixels; one side may be at most 100 times the other"):
        read_image(encoded(Image.new("RGB", (1000, 2))))


@pytest.mark.parametrize("source", [None, 7, np.zeros((2, 2, 3), np.uint8)])
def test_another_type_is_refused(source):
    with pytest.raises(
        ImageError, match=f"got {type(source).__name__}; give a path, the bytes of a file, or a PIL image"
    ):
        read_image(source)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_damaged_exif_data_are_ignored(kind):
    assert read_image(encoded(Image.new("RGB", (8, 8), "red"), kind, exif=b"II*\0\x08\0")).size == (8, 8)


def test_a_decompression_bomb_is_refused():
    with pytest.raises(ImageError, match="has more than 50 million pixels"):
        read_image(encoded(Image.new("1", (20_000, 20_000))))


RAMP = np.tile(np.linspace(0, 1, 256), (8, 1))


def changed(values, place, value):
    values = values.copy()
    values[place] = value
    return values


@pytest.mark.parametrize(
    "values",
    [
        RAMP.astype(np.float32),
        changed(RAMP, (0, 0), 1.0001).astype(np.float32),
        changed(RAMP, (0, 0), np.nan).astype(np.float32),
        changed(RAMP, (0, 0), np.inf).astype(np.float32),
        (255 * RAMP).astype(np.float32),
        (65535 * RAMP).astype(np.float32),
        np.rint(255 * RAMP).astype(np.int32),
        changed(np.rint(255 * RAMP), (0, 0), 70_000).astype(np.int32),
        np.rint(65535 * RAMP).astype(np.int32),
        np.rint(1e9 * RAMP).astype(np.int32),
        np.rint(65535 * RAMP).astype(np.uint16),
    ],
    ids=lambda values: f"{values.dtype} to {np.nanmax(values):g}",
)
def test_numbers_of_more_than_8_bits_become_the_same_grey_ramp(values):
    shown = np.asarray(read_image(encoded(Image.fromarray(values), "TIFF")))[1, :, 0].astype(int)
    # Where no format says what is white, the values above 99 % of the image's are white.
    assert np.abs(shown - np.arange(256)).max() <= (3 if values.max() > 65535 * 2 else 1)


@pytest.mark.parametrize("mode", ["I", "I;16", "F"])
def test_an_8_bit_image_in_a_mode_for_more_is_not_black(mode):
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    assert colours(read_image(ramp.convert(mode))) == [(v, v, v) for v in range(256)]


def test_black_and_images_without_a_number_are_black():
    for values in (np.zeros((4, 4), np.float32), np.full((4, 4), np.nan, np.float32), np.zeros((4, 4), np.int32)):
        assert set(colours(read_image(encoded(Image.fromarray(values), "TIFF")))) == {(0, 0, 0)}


def test_the_transparent_colour_of_a_16_bit_image_is_transparent():
    values = np.array([[40_000, 40_001]], np.uint16)
    assert colours(read_image(encoded(Image.fromarray(values), transparency=40_000))) == [(255,) * 3, (156,) * 3]


def test_a_dark_16_bit_png_stays_dark_and_an_x_ray_is_no_negative():
    dark = np.full((4, 4), 200, np.uint16)
    assert set(colours(read_image(encoded(Image.fromarray(dark))))) == {(1, 1, 1)}
    ray = Image.fromarray(np.array([[0, 65535]], np.uint16))
    assert colours(read_image(encoded(ray, "TIFF", tiffinfo={262: 0}))) == [(255,) * 3, (0,) * 3]


def exchanged_profile():
    """Return an sRGB profile whose primaries red and green are exchanged."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(data[at : at + 4]): at for at in range(132, 132 + 12 * int.from_bytes(data[128:132], "big"), 12)}
    red, green = (slice(tags[name] + 4, tags[name] + 12) for name in (b"rXYZ", b"gXYZ"))
    data[red], data[green] = data[green], data[red]
    return bytes(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_colour_profiles_are_applied(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(Image.new("RGB", (8, 8), "red"), kind, icc_profile=exchanged_profile(), **options)
    np.testing.assert_allclose(read_image(data).getpixel((4, 4)), (0, 255, 0), atol=2)


def test_colour_profiles_are_applied_to_transparent_and_palette_images():
    clear = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    clear.putpixel((1, 0), (255, 0, 0, 0))
    for image in (clear, clear.quantize()):
        found = colours(read_image(encoded(image, icc_profile=exchanged_profile())))
        np.testing.assert_allclose(found, [(0, 255, 0), (255, 255, 255)], atol=2)


@pytest.mark.parametrize("profile", [b"no profile", exchanged_profile()[:200]], ids=["nonsense", "cut off"])
def test_a_profile_that_cannot_be_used_is_ignored(profile):
    assert colours(read_image(encoded(Image.new("RGB", (1, 1), "red"), icc_profile=profile))) == [(255, 0, 0)]
    grey_with_colour_profile = encoded(Image.new("L", (1, 1), 100), icc_profile=exchanged_profile())
    assert colours(read_image(grey_with_colour_profile)) == [(100, 100, 100)]


def test_an_srgb_profile_changes_nothing():
    photo = Image.effect_noise((64, 64), 90).convert("RGB")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert read_image(encoded(photo, icc_profile=profile)).tobytes() == photo.tobytes()


def with_chunk(data, kind, body, *, checksum=None):
    """Return a PNG with one more chunk after its header."""
    checksum = zlib.crc32(kind + body) if checksum is None else checksum
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)
    return data[:33] + chunk + data[33:]


@pytest.mark.parametrize(
    "chunk",
    [
        (b"zTXt", b"parameters\0\0" + zlib.compress(b"a" * 2_000_000)),
        (b"iTXt", b"parameters\0\1\0\0\0" + zlib.compress(b"a" * 2_000_000)),
        (b"tEXt", b"parameters\0" + b"a" * 2_000_000),
        (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"a" * 2_000_000)),
        (b"iCCP", b"profile\0\0" + zlib.compress(b"a" * 1_500_000)),
        (b"zTXt", b"parameters\0\0not compressed"),
        (b"tEXt", b"no separator"),
    ],
    ids=["zTXt", "iTXt", "tEXt", "useful text", "profile", "damaged text", "no text"],
)
def test_what_is_not_the_image_does_not_spoil_a_png(chunk):
    red = encoded(Image.new("RGB", (2, 2), "red"))
    assert set(colours(read_image(with_chunk(red, *chunk)))) == {(255, 0, 0)}


@pytest.mark.parametrize("kind", [b"pHYs", b"gAMA", b"sRGB", b"cHRM", b"acTL", b"iCCP", b"tRNS", b"eXIf", b"teSt"])
def test_broken_chunks_besides_the_image_do_not_spoil_a_png(kind):
    red = encoded(Image.new("RGB", (2, 2), "red"))
    for body in (b"", b"\0", b"ab"):
        assert set(colours(read_image(with_chunk(red, kind, body)))) == {(255, 0, 0)}


def test_a_png_with_very_many_chunks_takes_no_longer():
    red = encoded(Image.new("RGB", (2, 2), "red"))
    profile = (b"iCCP", b"profile\0\0" + zlib.compress(b"\0" * 1_000_000))
    text = (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\0" * 1_000_000))
    began = time.process_time()
    for kind, body in (profile, text, (b"teSt", b"")):
        many = with_chunk(red, kind, body)[33:].removesuffix(red[33:]) * 2000
        assert set(colours(read_image(red[:33] + many + red[33:]))) == {(255, 0, 0)}
    assert time.process_time() - began < 1


def test_wrong_checksums_are_ignored_except_in_the_image_itself():
    red = encoded(Image.new("RGB", (2, 2), "red"))
    for kind, body in ((b"tEXt", b"a\0b"), (b"tIME", b"\0" * 7), (b"gAMA", b"\0\0\xb1\x8f")):
        assert set(colours(read_image(with_chunk(red, kind, body, checksum=1)))) == {(255, 0, 0)}
    at = red.index(b"IDAT")
    with pytest.raises(ImageError, match="cannot be read|not an image that can be read"):
        read_image(red[: at + 6] + bytes([red[at + 6] ^ 1]) + red[at + 7 :])


def with_scans(image, scans):
    """Return a progressive JPEG whose last scan is repeated."""
    data = encoded(image, "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * (scans - data.count(b"\xff\xda")) + data[-2:]


def too_slow(data):
    with pytest.raises(
        ImageError, match="stored in a way that takes very long to read; save it again as PNG"
    ) as caught:
        read_image(data)
    assert "Save it again as PNG." in caught.value.page_message


def test_a_jpeg_with_thousands_of_scans_is_refused_before_it_is_decoded():
    image = Image.new("RGB", (2000, 1500), "red")
    assert read_image(with_scans(image, 12)).size == (2000, 1500)
    began = time.process_time()
    too_slow(with_scans(image, 2000))
    assert time.process_time() - began < 1


def test_what_follows_a_jpeg_or_lies_in_its_segments_is_no_scan():
    """Phones append a film, in which any bytes occur, and cameras a thumbnail, which is a JPEG itself."""
    image = Image.new("RGB", (4000, 3000), "red")
    data = encoded(image, "JPEG") + b"\xff\xda" * 1000
    assert read_image(data).size == (4000, 3000)
    thumbnail = b"\xff\xe1" + struct.pack(">H", 2002) + b"\xff\xda" * 1000
    assert read_image(data[:2] + thumbnail + data[2:]).size == (4000, 3000)
    hidden = with_scans(image, 200)  # an end of image within a segment between the scans hides nothing
    at = hidden.rindex(b"\xff\xda", 0, len(hidden) // 2)
    too_slow(hidden[:at] + b"\xff\xfe\x00\x04\xff\xd9" + hidden[at:])


def test_the_tiles_of_a_tiff_are_bounded_too():
    data = encoded(Image.new("L", (64, 64)), "TIFF")
    entries = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[entries : entries + 2], "little")
    tiles = b"".join(struct.pack("<HHII", tag, 4, 1, 20_000) for tag in (322, 323))
    directory = struct.pack("<H", count + 2) + data[entries + 2 : entries + 2 + 12 * count] + tiles + b"\0" * 4
    with pytest.raises(ImageError, match="has tiles of more than 50 million pixels"):
        read_image(data[:4] + struct.pack("<I", len(data)) + data[8:] + directory)


def test_a_jpeg_in_a_tiff_has_a_bound_for_its_scans_too():
    image = Image.new("RGB", (2000, 1500), "red")
    data = encoded(image, "TIFF", compression="jpeg")
    assert data.count(b"\xff\xda") >= 1 and read_image(data).size == (2000, 1500)
    too_slow(data + b"\xff\xda" * 1000 * data.count(b"\xff\xda") * 200)


def test_formats_that_only_python_decodes_are_refused():
    too_slow(run_length_bmp())
    for header in (b"P3 1 1 255\n1 2 3", b"P6 1 1 255\n123"):
        with pytest.raises(ImageError, match="is not an image that can be read"):
            read_image(header)


def run_length_bmp():
    """Return a BMP of 4×1 pixels in run-length encoding."""
    pixels, palette = b"\x04\x00\x00\x01", b"\x00\x00\xff\x00" * 256
    start = 14 + 40 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, 4, 1, 1, 8, 1, len(pixels), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + palette + pixels


def test_the_wait_for_a_place_to_decode_has_a_limit(monkeypatch):
    monkeypatch.setattr(image_input, "_PATIENCE", 0.05)
    with image_input._place(), image_input._place():
        with pytest.raises(ImageError, match="other images are being read; try again in a few seconds"):
            read_image(encoded(Image.new("RGB", (4, 4))))
    assert read_image(encoded(Image.new("RGB", (4, 4)))).size == (4, 4)


NO_IMAGE = "This file is not an image that can be read. Use one of JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF."


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (None, "Upload an image file."),
        ("/srv/gone.png", "The image is no longer here. Upload it again."),
        (b"", NO_IMAGE),
        (b"notes", NO_IMAGE),
        (encoded(Image.new("RGB", (64, 64)), "BMP")[:900],
         "This image is damaged or incomplete. Save it again as PNG or JPEG."),
        (Image.new("RGB", (0, 5)), "This image is empty. Use another one."),
        (Image.new("1", (10_000, 10_000)), "This image has more than 50 million pixels. Make it smaller."),
        (encoded(Image.new("1", (20_000, 20_000))), "This image has more than 50 million pixels. Make it smaller."),
        (Image.new("RGB", (1000, 2)),
         "This image is too narrow: one side may be at most 100 times the other. Crop it."),
    ],
    ids=["none", "gone", "no bytes", "no image", "truncated", "no pixels", "large", "bomb", "narrow"],
)  # fmt: skip
def test_what_the_page_says_about_an_image(source, sentence):
    with pytest.raises(ImageError) as caught:
        read_image(source)
    assert caught.value.page_message == sentence


def test_equal_images_have_equal_keys(tmp_path):
    red, blue = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    (tmp_path / "red.png").write_bytes(encoded(red))
    assert image_key(tmp_path / "red.png") == image_key(encoded(red)) != image_key(encoded(blue))
    assert image_key(red) == image_key(red.copy()) != image_key(blue)
    assert image_key(red) != image_key(Image.new("RGB", (2, 8), "red"))


def test_images_that_cannot_be_read_have_different_keys():
    for source in ("nowhere.png", None):
        assert image_key(source) != image_key(source)


def test_large_images_are_in_blocks_that_go_back_to_the_system():
    """glibc's largest threshold for memory that is returned as soon as it is freed has 32 MB."""
    assert Image.core.get_block_size() > 32 * 2**20
