"""Predictions for all images of a folder, as CSV or JSON Lines; interrupted work continues where it stopped."""

from __future__ import annotations

import csv
import io
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from PIL import Image

from ..artifacts import atomic_write
from ..backend import Backend
from ..csv_text import write_csv
from ..datasets.image_files import SUFFIXES, FolderFiles, ImageFiles
from ..errors import DatasetError, ImageError, OptionError
from ..features.extract import BATCH, encode_directly
from ..linear_probe.head import LinearProbe, linear_probe
from ..models.image_input import decode_image
from ..numerics import check_top_k
from ..progress import Progress
from ..serving.feature_cache import FeatureCache
from ..zero_shot.classifier import ZeroShotScore, zero_shot_scores
from ..zero_shot.prompt_set import PromptSet
from .progress_bars import ProgressBars

FORMATS = ("csv", "jsonl")
_NAMED = 20  # damaged images in the message at the end


@dataclass(frozen=True)
class FilePrediction:
    """Both predictions for one file, or why it cannot be read.

    Attributes
    ----------
    file : str
        Path relative to the folder, with "/".
    zero_shot : tuple of ZeroShotScore
        Empty for a damaged image.
    linear_probe : LinearProbe or None
    error : str
        Empty for an image that was read.
    """

    file: str
    zero_shot: tuple[ZeroShotScore, ...]
    linear_probe: LinearProbe | None
    error: str


class _Photos:
    """Images without labels that `clip_demo.features.extract` reads by their positions in a list of paths."""

    def __init__(self, files: ImageFiles, paths: Sequence[str]):
        self._files, self._paths, self.errors = files, paths, {}

    def readable_images(self, ids: np.ndarray, split: str = "") -> Iterator[Image.Image | None]:
        return (self._read(self._paths[i]) for i in ids.tolist())

    def _read(self, path: str) -> Image.Image | None:
        try:
            return decode_image(self._files.read(path), path)
        except (ImageError, OSError, ValueError) as error:
            self.errors[path] = str(error).removeprefix("image: ")
            return None


def predict_folder(
    backend: Backend, files: ImageFiles, paths: Sequence[str], prompts: PromptSet, top_k: int, progress: Progress
) -> Iterator[list[FilePrediction]]:
    """Yield the predictions in the order of `paths`, a batch at a time; images are read while others are encoded."""
    encoder, head, photos, done = backend.encoder(), backend.head(), _Photos(files, paths), 0
    weights = FeatureCache(encoder).class_weights(prompts, progress)
    for rows in encode_directly(encoder)(photos, "", np.arange(len(paths))):
        batch = []
        for path, row in zip(paths[done : done + BATCH], rows, strict=True):
            if error := photos.errors.pop(path, ""):
                batch.append(FilePrediction(path, (), None, error))
                continue
            scores = zero_shot_scores(weights, row, encoder.logit_scale, prompts.classnames, top_k)
            batch.append(FilePrediction(path, scores, linear_probe(head, row, top_k), ""))
        yield batch
        done += len(rows)
        progress("images", done, len(paths))


def run_predict_folder(options: Namespace, open_backend: Callable[[], Backend], prompts: PromptSet) -> None:
    """Write the predictions for a folder to a file or to standard output, and name the damaged images."""
    if options.json or options.none_of_these:
        raise OptionError("--json, --none-of-these: they are for a single image; use --format jsonl, or omit them.")
    top_k = min(check_top_k(options.top_k), len(prompts.classnames))
    files, paths = _list(options.folder)
    damaged = []
    with ExitStack() as stack:
        output = None if options.output is None else Path(options.output)
        settings = _settings(options, prompts, top_k)
        done = set() if output is None else _resume(output, settings)
        backend = open_backend()
        file = sys.stdout if output is None else stack.enter_context(output.open("a", encoding="utf-8", newline=""))
        if not done and options.format == "csv" and (output is None or not output.stat().st_size):
            file.write(write_csv([_columns(top_k, backend.head() is not None)]))
        left = [path for path in paths if path not in done]
        with ProgressBars() as bars:
            for batch in predict_folder(backend, files, left, prompts, top_k, bars) if left else ():
                _write(file, batch, options.format, top_k, backend.head() is not None)
                damaged += [each.file for each in batch if each.error]
    if damaged:
        named = "\n".join(f"    {each}" for each in damaged[:_NAMED])
        more = f"\n    and {len(damaged) - _NAMED:,} more" if len(damaged) > _NAMED else ""
        print(f"{len(damaged):,} images cannot be read:\n{named}{more}", file=sys.stderr)


def _list(folder: str) -> tuple[ImageFiles, list[str]]:
    path = Path(folder)
    if not path.is_dir():
        raise DatasetError(f"folder: {folder!r} is not a folder; give one, or an image with --image.")
    files = FolderFiles(path)
    paths = [file.path for file in files.files() if file.path.lower().endswith(SUFFIXES)]
    for reason, (n, first) in files.skipped.items():
        print(f"Left out: {reason}: {n:,}, such as {first}.", file=sys.stderr)
    if not paths:
        raise DatasetError(f"folder: there are no images in {folder!r}; give another folder.")
    return files, paths


def _settings(options: Namespace, prompts: PromptSet, top_k: int) -> dict:
    """Return what the predictions depend on, as it is compared when work is continued."""
    return {
        "model": options.model,
        "dataset": str(getattr(options.dataset, "name", options.dataset)),
        "format": options.format,
        "top_k": top_k,
        "classnames": list(prompts.classnames),
        "templates": list(prompts.templates),
        "replace_underscores": prompts.replace_underscores,
    }


def _resume(output: Path, settings: dict) -> set[str]:
    """Return the files that the output has; a line that was being written when the program was killed is removed."""
    # Beside the output, so that that stays plain CSV.
    beside = output.with_name(f"{output.name}.options.json")
    try:
        if not output.exists() or not output.stat().st_size:
            output.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(settings, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            output.touch()
            return set()
        known = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else None
        if known != settings:
            raise OptionError(
                f"--output: {str(output)!r} was begun with other options, or by another program; give another file, or "
                "delete this one."
            )
        records = _complete_records(output.read_text(encoding="utf-8"), settings["format"])
        # Whole batches only: in another batch, an image's features may differ in the last digit.
        header = int(settings["format"] == "csv")
        records = records[: header + (len(records) - header) // BATCH * BATCH]
        with atomic_write(output) as part:
            part.write_text("".join(record for record, _ in records), encoding="utf-8", newline="")
        return {file for _, file in records[header:]}
    except (OSError, ValueError) as error:
        if isinstance(error, OptionError):
            raise
        raise OptionError(f"--output: {str(output)!r} cannot be used ({error}); give another file.") from error


def _complete_records(text: str, kind: str) -> list[tuple[str, str]]:
    """Return the records of an output and the files they are of, without one that was cut off."""
    text = text[: text.rfind("\n") + 1]
    if kind == "jsonl":
        return [(line, json.loads(line)["file"]) for line in text.splitlines(keepends=True)]
    # A name with a line break would be a record of two lines.
    return [(_csv([row]), row[0].removeprefix("'")) for row in csv.reader(io.StringIO(text, newline=""))]


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _columns(top_k: int, probe: bool) -> list[str]:
    ranks = [part for k in range(1, top_k + 1) for part in (f"label_{k}", f"probability_{k}", f"cosine_{k}")]
    return ["file", *ranks, *(["probe_label", "probe_probability"] if probe else []), "error"]


def _write(file: TextIO, batch: Sequence[FilePrediction], kind: str, top_k: int, probe: bool) -> None:
    if kind == "jsonl":
        text = "".join(json.dumps(_plain(each), ensure_ascii=False) + "\n" for each in batch)
    else:
        text = write_csv([_row(each, top_k, probe) for each in batch])
    file.write(text)
    file.flush()


def _plain(prediction: FilePrediction) -> dict:
    probe = prediction.linear_probe
    return {
        "file": prediction.file,
        "zero_shot": [asdict(each) for each in prediction.zero_shot],
        "linear_probe": None if probe is None else [asdict(each) for each in probe.top],
        "error": prediction.error or None,
    }


def _row(prediction: FilePrediction, top_k: int, probe: bool) -> list:
    cells = [part for each in prediction.zero_shot for part in (each.label, each.probability, each.cosine)]
    cells += [None] * (3 * top_k - len(cells))
    if probe:
        top = prediction.linear_probe.top[0] if prediction.linear_probe else None
        cells += [top and top.label, top and top.probability]
    return [prediction.file, *cells, prediction.error or None]
