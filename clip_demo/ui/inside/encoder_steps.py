"""The first steps: what the two encoders get, and what they give. Pure functions from a `Walk` to HTML."""

import numpy as np

from ...inside.walk import ImageInput, PromptTokens, Walk
from ...models.encoder import Anatomy, Token
from ..html import data_url, input_url, name_html, photo_url
from .cells_view import vectors

_SMALL = 128  # pixels; smaller images are enlarged with sharp pixels
_LARGE = 640
_FINE = 8  # cells a side; more have thinner lines


def image_step(walk: Walk) -> str:
    """Return the original with what is cut off in grey, what the model gets of it, and one part of that enlarged."""
    anatomy, image = walk.anatomy, walk.image
    if image is None:
        return (
            '<p class="nothing">The image itself is not on this machine. The steps after this one use its stored '
            "numbers.</p>"
        )
    width, height = image.original.size
    numbers = anatomy.resolution**2 * 3
    side = f"{anatomy.resolution} × {anatomy.resolution}"
    sizes = (
        f'<p class="sum">{width:,} × {height:,} pixels <span aria-hidden="true">→</span> {_cut(image)} '
        f'<span aria-hidden="true">→</span> <b>{side}</b> pixels in 3 colours = <b>{numbers:,}</b> numbers</p>'
    )
    return f'<div class="row images">{_original(image)}{_input(image, anatomy)}</div>{sizes}'


def _cut(image: ImageInput) -> str:
    left, top, right, bottom = image.crop
    kept = min(right - left, bottom - top)
    if kept > 0.999:
        return "nothing cut off"
    edges = "left and right" if right - left < bottom - top else "top and bottom"
    return f"{100 * (1 - kept):.0f} % cut off at {edges}"


def _original(image: ImageInput) -> str:
    small = max(image.original.size) <= _SMALL
    url = data_url(image.original) if small else photo_url(image.original, _LARGE)
    left, top, right, bottom = (100 * part for part in image.crop)
    insets = ((0, 0, 100 - top, 0), (bottom, 0, 0, 0), (0, 100 - left, 0, 0), (0, 0, 0, right))
    grey = "".join(
        f'<span class="cut" style="inset:{" ".join(f"{each:.2f}%" for each in inset)}"></span>'
        for inset in insets
        if sum(inset) < 99.99
    )
    kind = ' class="sharp"' if small else ""
    ratio = image.original.width / image.original.height
    return (
        f'<figure class="original" style="--ratio:{ratio:.4g}"><figcaption>The image</figcaption>'
        f'<div class="frame"><img{kind} src="{url}" '
        f'alt="The image; {_cut(image)}">{grey}</div></figure>'
    )


def _input(image: ImageInput, anatomy: Anatomy) -> str:
    grid, part = anatomy.grid, part_name(anatomy)
    lines = "".join(f"M{i} 0V{grid}M0 {i}H{grid}" for i in range(1, grid))
    at = (grid // 2) * grid + grid // 2
    fine = ' class="fine"' if grid > _FINE else ""
    return (
        f'<figure class="input"><figcaption>What the model gets</figcaption>'
        f'<div class="frame pixels" role="img" style="--pixels:url({input_url(image.pixels)})" '
        f'aria-label="The square that the model gets, divided into {grid} by {grid} {part}s">'
        f'<svg{fine} viewBox="0 0 {grid} {grid}" aria-hidden="true">'
        f'<path class="under" d="{lines}"/><path d="{lines}"/>'
        f'<rect class="at" x="{at % grid}" y="{at // grid}" width="1" height="1"/></svg></div></figure>'
        f'<figure class="part" data-grid="{grid}" data-part="{part}" '
        f'data-colours="{_mean_colours(image.pixels, grid)}">'
        f'<figcaption>One {part}</figcaption><div class="frame pixels"></div>'
        f'<div class="pick"><label for="pick-part">{part.capitalize()}</label><input type="range" id="pick-part" '
        f'min="1" max="{grid * grid}" value="{at + 1}"><output for="pick-part"></output></div></figure>'
    )


def part_name(anatomy: Anatomy) -> str:
    """Return what the cells of a model's grid are called."""
    return "patch" if anatomy.kind == "ViT" else "part"


def _mean_colours(pixels: np.ndarray, grid: int) -> str:
    """Return the mean red, green and blue of each cell of the grid, 0 to 255."""
    edges = np.linspace(0, len(pixels), grid + 1).round().astype(int)
    spans = [slice(start, end) for start, end in zip(edges, edges[1:], strict=False)]
    means = (pixels[rows, columns].mean(axis=(0, 1)).round() for rows in spans for columns in spans)
    return ";".join(",".join(f"{value:.0f}" for value in mean) for mean in means)


def image_caption(walk: Walk) -> str:
    """Say what happens to the image."""
    anatomy = walk.anatomy
    cells = f"{anatomy.grid} × {anatomy.grid}"
    if anatomy.kind == "ViT":
        after = f"Its transformer cuts the square into {cells} patches and looks for what belongs together among them."
    else:
        after = f"Its network goes over the square layer by layer; what the last layer sees has {cells} parts."
    return (
        "The shorter side is scaled to the size that the model was trained with, and what is too long is cut off at "
        f"both ends. {after}"
    )


def tokens_step(walk: Walk) -> str:
    """Return the tokens of the prompts of the class that is followed, and the places that they fill."""
    first, *others = walk.prompts
    more = ""
    if others:
        lists = "".join(_tokens(each) for each in others)
        more = (
            f"<details><summary>The other {len(others)} prompts of this class</summary>{lists}</details>"
            if len(others) > 1
            else lists
        )
    return f"{_tokens(first)}{_places(len(first.tokens), walk.anatomy.context_length)}{more}"


def _tokens(prompt: PromptTokens) -> str:
    pieces = [_token(each, first=i == 0) for i, each in enumerate(prompt.tokens)]
    return f'<p class="prompt">“{name_html(prompt.prompt)}”</p><ol class="tokens">{"".join(pieces)}</ol>'


def _token(token: Token, *, first: bool) -> str:
    if token.text in ("<|startoftext|>", "<|endoftext|>"):
        return f'<li class="end"><b>{"start" if first else "end"}</b><span>{token.number}</span></li>'
    kind = "" if token.ends_word else ' class="goes-on"'
    note = "" if token.ends_word else '<span class="unseen">, and the word goes on</span>'
    return f"<li{kind}><b>{name_html(token.text)}</b>{note}<span>{token.number}</span></li>"


def _places(used: int, places: int) -> str:
    squares = "".join(
        f'<rect class="{"used" if i < used else "free"}" x="{10 * (i % 39) + 1}" y="{10 * (i // 39) + 1}" '
        'width="8" height="8"/>'
        for i in range(places)
    )
    return (
        f'<p class="sum"><b>{used}</b> of {places} places are used; the others hold a 0.</p>'
        f'<svg class="places" role="img" aria-label="{used} of {places} places are used" '
        f'viewBox="0 0 390 {10 * -(-places // 39)}">{squares}</svg>'
    )


def tokens_caption(walk: Walk) -> str:
    """Say how a prompt becomes numbers."""
    text = (
        "The template makes a sentence of each class name, and a fixed vocabulary of 49,408 pieces turns the sentence "
        "into numbers. A word that the vocabulary does not have is cut into several pieces."
    )
    if len(walk.prompts) > 1:
        return f"{text} You use {len(walk.prompts)} templates: each class is the mean of so many vectors."
    return f"{text} Sentences work better than bare words, because captions on the web are sentences."


def vectors_step(walk: Walk) -> str:
    """Return the image vector and the text vector."""
    cosine = walk.cosine
    at = cosine.most[0].dimension
    drawn = vectors([("image", cosine.image), ("text", cosine.text)], what="vectors", at=at)
    return (
        f'{drawn}<p class="sum">The image’s numbers had the length <b>{cosine.image_length:.2f}</b> before; divided by '
        "it, the vector has the length 1, as all vectors here.</p>"
    )


def vectors_caption(walk: Walk) -> str:
    """Say what the two vectors are."""
    words, mean = f"“{name_html(walk.prompts[0].prompt)}”", ""
    if len(walk.prompts) > 1:
        words, mean = f"each of the {len(walk.prompts)} prompts of “{name_html(walk.cosine.classname)}”", ", their mean"
    return (
        f"The image encoder turns the image into {walk.anatomy.dimensions} numbers, and the text encoder turns {words} "
        f"into as many{mean}. Both networks were trained together so that an image and "
        "its own caption get similar numbers. No single number has a name."
    )
