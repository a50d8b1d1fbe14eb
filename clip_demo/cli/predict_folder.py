"""Predictions for all images of a folder, as CSV or JSON Lines; interrupted work continues where it stopped."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

import numpy as np
from PIL import Image

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
from .prediction_file import PredictionFile
from .progress_bars import ProgressBars
from .terminal import to_json
from .text import images

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
    n = len(paths)
    output = None if options.output is None else PredictionFile(Path(options.output), options.format)
    settings = _settings(options, prompts, top_k)
    if output is not None:
        output.check(settings)  # before a model is downloaded
    backend = open_backend()
    head, damaged = backend.head(), []
    with ExitStack() as stack:
        file = sys.stdout
        if output is not None:
            settings |= {"model_sha256": backend.encoder().sha256, "linear_probe": head and asdict(head.provenance)}
            stack.enter_context(output.locked())
            paths, damaged = output.resume(settings, paths, BATCH)
            file = stack.enter_context(output.path.open("a", encoding="utf-8", newline=""))
        if options.format == "csv" and (output is None or file.tell() == 0):
            file.write(write_csv([_columns(top_k, head is not None)]))
        with ProgressBars() as bars:
            for batch in predict_folder(backend, files, paths, prompts, top_k, bars) if paths else ():
                file.write(_text(batch, options.format, top_k, head is not None, file))
                file.flush()
                damaged += [each.file for each in batch if each.error]
    if output is not None:
        print(f"{images(n)}, {len(paths):,} of them by this run: {output.path}", file=sys.stderr)
    if damaged:
        named = "\n".join(f"    {each}" for each in damaged[:_NAMED])
        more = f"\n    and {len(damaged) - _NAMED:,} more" if len(damaged) > _NAMED else ""
        print(f"{images(len(damaged))} cannot be read:\n{named}{more}", file=sys.stderr)


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
    """Return what the predictions depend on, as far as that is known without the model."""
    return {
        "model": options.model,
        "format": options.format,
        "top_k": top_k,
        "classnames": prompts.classnames,
        "templates": prompts.templates,
        "replace_underscores": prompts.replace_underscores,
    }


def _columns(top_k: int, probe: bool) -> list[str]:
    ranks = [part for k in range(1, top_k + 1) for part in (f"label_{k}", f"probability_{k}", f"cosine_{k}")]
    return ["file", *ranks, *(["probe_label", "probe_probability"] if probe else []), "error"]


def _text(batch: Sequence[FilePrediction], kind: str, top_k: int, probe: bool, file: TextIO) -> str:
    if kind == "csv":
        return write_csv([_row(each, top_k, probe) for each in batch])
    # JSON on a terminal or a pipe may need ASCII; a file is UTF-8.
    write = to_json if file is sys.stdout else partial(json.dumps, ensure_ascii=False)
    return "".join(f"{write(_plain(each))}\n" for each in batch)


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
