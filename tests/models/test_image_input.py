"""Images that users bring: the formats that work, and the messages for those that do not."""

import io
import struct
import time

import numpy as np
import pytest
from PIL import Image

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
