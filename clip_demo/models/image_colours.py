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
        alpha = image.convert("RGBA").getchannel("A")
        opaque = image.getchannel("L") if image.mode == "LA" else image.convert("RGBA").convert("RGB")
        image = _to_srgb(opaque, profile)
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


def note_white(image: Image.Image) -> None:
    """Note in an image that was just opened what its format says about white, which Pillow's conversions forget."""
    if image.mode.startswith("I;16"):
        if image.format == "PNG":
            image.info["white"] = 65535
        elif image.format == "TIFF" and image.tag_v2.get(262) == 0:  # WhiteIsZero, as in X-ray images
            image.info["inverted"] = True


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Reduce numbers of more than 8 bits.

    Pillow's ``convert("L")`` clips 16-bit values at 255, which turns nearly every such image white, and floating-point
    values at 0 and 255, which turns those from 0 to 1 black.
    """
    values = np.asarray(image)
    white = image.info.get("white") or _white(values, image.mode)
    grey = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), 256):  # in parts, because of the memory
        part = np.nan_to_num(values[start : start + 256].astype(np.float32))
        grey[start : start + 256] = np.rint(np.clip(part, 0, white) * np.float32(255 / white))
    if image.info.get("inverted"):
        grey = 255 - grey
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        alpha = np.where(values == clear, 0, 255).astype(np.uint8)
        return Image.merge("LA", (Image.fromarray(grey), Image.fromarray(alpha)))
    result = Image.fromarray(grey)
    result.info = {name: value for name, value in image.info.items() if name == "icc_profile"}
    return result


def _white(values: np.ndarray, mode: str) -> float:
    """Guess which number is white, where no format says so: 1, 255, 65535, or nearly the largest number."""
    if mode.startswith("I;"):
        return 255 if values.max(initial=0) <= 255 else 65535
    sample = values.reshape(-1)[:: max(1, values.size // 1_000_000)]
    sample = sample[np.isfinite(sample)]
    # A few outliers, such as a hot pixel of a sensor, do not decide.
    high = float(np.percentile(sample, 99)) if len(sample) else 0.0
    if mode == "F" and high <= 2:
        return 1
    return next((limit for limit in (255, 65535) if high <= limit), high)
