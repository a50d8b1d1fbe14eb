"""The command ``search``: the test images nearest to a sentence, an image, or both."""

import argparse
import os

from ..search.query import MAX_LIMIT, check_sentence, check_source, check_whole
from ..serving.searcher import SearchResult
from .commands import TEST_FEATURES, chosen_dataset, open_backend, open_image
from .progress_bars import ProgressBars
from .terminal import to_json


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    command.add_argument(
        "text", nargs="?", metavar="SENTENCE", help="what the images should show; no template is added"
    )
    image = command.add_mutually_exclusive_group()
    image.add_argument(
        "--image", type=os.path.expanduser, metavar="FILE",
        help="an image that they should be like; - for standard input. With a sentence, both count equally",
    )  # fmt: skip
    image.add_argument("--index", type=int, metavar="N", help="the same with an image of the test split")
    command.add_argument("--top", type=int, default=10, metavar="N", help="number of images to print (default: 10)")
    command.add_argument("--format", choices=("text", "json"), default="text", help="of the output (default: text)")


def run_search(options: argparse.Namespace) -> None:
    """Print the nearest test images, as text or as JSON."""
    text, top = check_sentence(options.text), check_whole("--top", options.top, 1, MAX_LIMIT)
    check_source(text, options.image, options.index)
    image, dataset = None if options.image is None else open_image(options.image), chosen_dataset(options)
    if options.index is not None:
        dataset.check_index(options.index)
    backend = open_backend(options, TEST_FEATURES)
    with ProgressBars() as bars:
        result = backend.search(text, image=image, index=options.index, limit=top, progress=bars)
    print(to_json(result.to_dict(), indent=2) if options.format == "json" else _as_text(result, options.image))


def _as_text(result: SearchResult, file: str | None) -> str:
    """Return a line about the query, and one for each image."""
    image = file or (None if result.index is None else f"test image {result.index}")
    query = " and ".join(filter(None, [result.text and repr(result.text), image]))
    lines = [f"{result.model} · {result.dataset}, {result.n:,} test images · nearest to {query}", ""]
    lines += (f"{each.index:>8d}  cosine {each.cosine:.4f}  {each.truth}" for each in result.matches)
    return "\n".join(lines)
