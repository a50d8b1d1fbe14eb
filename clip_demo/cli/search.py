"""The command ``search``: the test images nearest to a sentence, an image, or both."""

import argparse
import os
from itertools import zip_longest

from ..datasets.base import Dataset
from ..datasets.folder import FolderDataset
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
    files = _files(dataset, result)
    if options.format == "text":
        print(_as_text(result, options.image, files))
        return
    answer = result.to_dict()
    for match, file in zip(answer["matches"], files, strict=False):
        match["file"] = file
    print(to_json(answer, indent=2))


def _files(dataset: Dataset, result: SearchResult) -> list[str]:
    """Return the relative paths of the images that were found; [] for a dataset that is not a folder of files."""
    if not isinstance(dataset, FolderDataset):
        return []
    return [dataset.path_of(match.index) for match in result.matches]


def _as_text(result: SearchResult, image_file: str | None, files: list[str]) -> str:
    """Return a line about the query, and one for each image."""
    image = image_file or (None if result.index is None else f"test image {result.index}")
    query = " and ".join(filter(None, [result.text and repr(result.text), image]))
    lines = [f"{result.model} · {result.dataset}, {result.n:,} test images · nearest to {query}", ""]
    lines += (
        f"{each.index:>8d}  cosine {each.cosine:.4f}  {each.truth}{file and f'  {file}'}"
        for each, file in zip_longest(result.matches, files, fillvalue="")
    )
    return "\n".join(lines)
