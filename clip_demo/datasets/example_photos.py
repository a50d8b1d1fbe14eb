"""The example photos, each with its label and a list of ten words to choose from."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..paths import EXAMPLES


@dataclass(frozen=True)
class ExamplePhoto:
    """A photo that comes with the program.

    Attributes
    ----------
    name : str
        Its name in addresses, such as ``"cat"``.
    path : Path
    label : str
        What it shows.
    classnames : tuple of str
        The words to choose from; the label is one of them.
    """

    name: str
    path: Path
    label: str
    classnames: tuple[str, ...]


@cache
def example_photos(folder: Path = EXAMPLES) -> dict[str, ExamplePhoto]:
    """Return the example photos by their names, in the order of ``examples.json``; empty without that file."""
    table = folder / "examples.json"
    if not table.is_file():
        return {}
    entries = json.loads(table.read_text(encoding="utf-8"))
    paths = {file: folder / file for file in entries}
    return {
        path.stem: ExamplePhoto(path.stem, path, entries[file]["label"], tuple(entries[file]["classes"]))
        for file, path in paths.items()
    }
