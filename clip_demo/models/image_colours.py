"""The colours of an image as people see it, in RGB."""

import io

import numpy as np
from PIL import Image, ImageCms


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any mode to RGB.

    A colour profile is applied, transparent pixels are white, and more than 8 bits are reduced.
    """
    if image.mode.startswith("I") or image.mode == "F":
        image = _to_8_bits(image)
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        # convert("RGB") would drop the alpha channel and show the colour of transparent pixels.
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        image = _to_srgb(image.convert("RGB"), profile)
        return Image.composite(image, Image.new("RGB", image.size, "white"), alpha)
    return _to_srgb(image.convert("RGB") if image.mode not in ("L", "CMYK", "LAB") else image, profile)


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert the colours of a profile to those of sRGB; a profile that cannot be used is ignored, as browsers do."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            change = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), image.mode, "RGB")
            if image.mode != "RGB" or _changes_colours(change):
                return ImageCms.applyTransform(image, change)
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            pass
    return image.convert("RGB")


def _changes_colours(change: ImageCms.ImageCmsTransform) -> bool:
    """Return whether the profile is another one than sRGB, by 125 colours: for a large photo it takes long to apply."""
    steps = np.linspace(0, 255, 5).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(25, 5, 3)
    changed = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), change))
    return bool((np.abs(changed.astype(int) - colours) > 1).any())


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Reduce numbers of more than 8 bits, of which no format says what is white.

    Pillow's ``convert("L")`` clips 16-bit values at 255, which turns nearly every such image white, and floating-point
    values at 0 and 255, which turns those from 0 to 1 black.
    """
    values = np.asarray(image, dtype=np.float64)
    finite = values[np.isfinite(values)]
    # A few outliers, such as a hot pixel of a sensor, do not decide. Numbers of 16 bits have no such values.
    high = 0.0 if not len(finite) else finite.max() if image.mode.startswith("I;") else np.percentile(finite, 99)
    if image.mode == "F" and high <= 2:
        white = 1.0
    else:
        white = next((limit for limit in (255, 65535) if high <= limit), high)
    grey = np.rint(np.clip(np.nan_to_num(values), 0, white) / white * 255).astype(np.uint8)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        return Image.merge(
            "LA", (Image.fromarray(grey), Image.fromarray(np.where(values == clear, 0, 255).astype("u1")))
        )
    result = Image.fromarray(grey)
    result.info = {name: value for name, value in image.info.items() if name == "icc_profile"}
    return result
