"""Which images a folder or zip has, of which class and in which split."""

import csv
import hashlib
import io
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import DatasetError
from ..numerics import ranks_within_class
from .image_files import TABLES, File, ImageFiles, normal_form

MAX_CLASSES = 1_000
LABELS, CLASSES = TABLES
TRAIN, TEST = ("train", "training"), ("test", "val", "valid", "validation")
# Of each class, every fifth image is a test image where the folder does not say it.
TEST_SHARE = 0.2
SEED = b"clip_demo split 0"


@dataclass(frozen=True, eq=False)
class Listing:
    """The images of a folder or zip, in the order of their paths.

    Attributes
    ----------
    paths : list of str
    sizes, mtimes_ns : numpy.ndarray, shape (n,), int64
        Sizes in bytes, and time stamps.
    labels : numpy.ndarray, shape (n,), int16
        Positions in `classnames`.
    is_test : numpy.ndarray, shape (n,), bool
    classnames, coarse_names : tuple of str
    coarse_of : tuple of int
    sha256 : str
        Checksum of the relative paths, sizes, classes and splits, in hexadecimal.
    notes : tuple of str
        What was left out.
    """

    paths: list[str]
    sizes: np.ndarray
    mtimes_ns: np.ndarray
    labels: np.ndarray
    is_test: np.ndarray
    classnames: tuple[str, ...]
    coarse_names: tuple[str, ...]
    coarse_of: tuple[int, ...]
    sha256: str
    notes: tuple[str, ...] = field(default=())


def list_images(files: ImageFiles) -> Listing:
    """Return the images with their classes.

    The classes are those of ``labels.csv`` where there is one, with the columns ``file`` and ``label`` and perhaps
    ``split``. Otherwise each folder is a class, as for torchvision's ``ImageFolder``, perhaps below ``train`` and
    ``test`` or ``val``. Without splits, a hash of the relative paths makes them: the same on every machine.
    ``classes.txt`` may give the classes other names, and groups.

    Raises
    ------
    DatasetError
        When there are fewer than two classes or more than a thousand, no test image, or a table that cannot be used.
    """
    found = files.files()
    top = _top_folder(found)
    tables = {file.path.removeprefix(top): file.path for file in found if file.path.rpartition("/")[2] in TABLES}
    found = [file for file in found if file.path.rpartition("/")[2] not in TABLES]
    notes = [f"{reason}: {n:,}, such as {first}" for reason, (n, first) in sorted(files.skipped.items())]
    if LABELS in tables:
        found, labels, splits = _by_table(files, found, top, tables[LABELS])
        left_out = []
    else:
        found, labels, splits, left_out = _by_folder(found, top)
        notes += left_out
    folders = sorted(set(labels))
    if not 2 <= len(folders) <= MAX_CLASSES:
        n = len(folders) or int(bool(top and left_out))  # all images in one folder, which is taken for the top
        raise DatasetError(
            f"dataset: {files.path} has {n:,} class{'' if n == 1 else 'es'} of images; give a folder with one folder "
            f"of images for each of 2 to {MAX_CLASSES:,} classes, or with a {LABELS} of the columns file and label."
            + "".join(f"\n    left out: {note}" for note in notes)
        )
    position = {folder: i for i, folder in enumerate(folders)}
    labels = np.array([position[each] for each in labels], dtype=np.int16)
    paths = [normal_form(file.path[len(top) :]) for file in found]
    is_test = first_fifth(paths, labels) if splits is None else np.array(splits)
    if not is_test.any():
        raise DatasetError(f"dataset: {files.path} has no test images; put some into a folder named test.")
    names, groups = _names_and_groups(files, tables.get(CLASSES), folders)
    _check_names(names, files.path)
    coarse = tuple(dict.fromkeys(groups))
    return Listing(
        paths=[file.path for file in found],
        sizes=np.array([file.size for file in found], dtype=np.int64),
        mtimes_ns=np.array([file.mtime_ns for file in found], dtype=np.int64),
        labels=labels,
        is_test=is_test,
        classnames=names,
        coarse_names=coarse,
        coarse_of=tuple(coarse.index(group) for group in groups),
        sha256=_checksum(found, len(top), names, labels, is_test),
        notes=tuple(notes),
    )


def _top_folder(found: Sequence[File]) -> str:
    """Return the folder that holds all files, with "/" at its end: a zip often has its own name as its only folder."""
    if not found:
        return ""
    paths = [file.path for file in found]  # what the first and the last in their order have in common, all have
    common = posixpath.commonpath([posixpath.dirname(path) for path in (min(paths), max(paths))])
    return f"{common}/" if common else ""


def _by_folder(found: Iterable[File], top: str) -> tuple[list[File], list[str], list[bool] | None, list[str]]:
    """Return the images in class folders, their folders, whether each is a test image, and what was left out."""
    firsts = {file.path[len(top) :].partition("/")[0] for file in found}
    train = next((name for name in TRAIN if name in firsts), None)
    test = next((name for name in TEST if name in firsts), None)
    has_splits = train is not None and test is not None  # one of them alone is a class, such as CIFAR-100's trains
    kept, labels, splits, outside = [], [], [], 0
    for file in found:
        parts = normal_form(file.path[len(top) :]).split("/")
        split, label = parts.pop(0) if has_splits else train, _one_line(parts[0])
        if len(parts) < 2 or split not in (train, test) or not label:
            outside += 1
            continue
        kept.append(file)
        labels.append(label)
        splits.append(split == test)
    notes = [f"images outside the folders of classes: {outside:,}"] if outside else []
    return kept, labels, splits if has_splits else None, notes


def _by_table(
    files: ImageFiles, found: Iterable[File], top: str, path: str
) -> tuple[list[File], list[str], list[bool] | None]:
    """Return the images that ``labels.csv`` names, their labels, and whether each is a test image where it says so."""
    by_path = {normal_form(file.path[len(top) :]): file for file in found}
    text = _text(files, path)
    header = text.partition("\n")[0]
    semicolons = ";" in header and "," not in header  # as Excel writes in countries with a decimal comma
    rows = csv.DictReader(io.StringIO(text), strict=True, delimiter=";" if semicolons else ",")
    columns = rows.fieldnames or []
    if not {"file", "label"} <= set(columns):
        raise DatasetError(
            f"dataset: the columns of {path} are {', '.join(columns) or 'missing'}; it needs file and label, and may "
            "have split."
        )
    chosen: dict[str, tuple[str, bool]] = {}
    for row in _checked(rows, path):
        name, label = normal_form((row["file"] or "").strip()), _one_line(row["label"] or "")
        split = (row.get("split") or "").strip().lower()
        if name not in by_path:
            raise _bad_row(path, rows.line_num, f"there is no image {name!r}; paths are relative to this file")
        if not label or name in chosen:
            raise _bad_row(path, rows.line_num, f"{name!r} has no label" if not label else f"{name!r} is named twice")
        if "split" in columns and split not in TRAIN + TEST:
            raise _bad_row(path, rows.line_num, f"the split is {split!r}; use train or test")
        chosen[name] = (label, split in TEST)
    kept = [name for name in by_path if name in chosen]
    labels, splits = [chosen[name][0] for name in kept], [chosen[name][1] for name in kept]
    return [by_path[name] for name in kept], labels, splits if "split" in columns else None


def _names_and_groups(files: ImageFiles, path: str | None, folders: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return the class names, and the group of each; no groups where ``classes.txt`` has none."""
    names, groups = {folder: folder for folder in folders}, {}
    rows = csv.reader(io.StringIO(_text(files, path) if path else ""), skipinitialspace=True, strict=True)
    for row in _checked(rows, path):
        folder, name, group, *more = [_one_line(cell) for cell in row] + [""] * max(0, 3 - len(row))
        if not any((folder, name, group)):
            continue
        if folder not in names or any(more):
            raise _bad_row(path, rows.line_num, f"no class is named {folder!r}; each line is: folder, name, group")
        names[folder] = name or folder
        if group:
            groups[folder] = group
    if groups and (missing := [folder for folder in folders if folder not in groups]):
        raise DatasetError(f"dataset: {path} has no group for {missing[0]!r}; give one for each class, or for none.")
    return tuple(names[folder] for folder in folders), [groups[folder] for folder in folders] if groups else []


def _check_names(names: Sequence[str], path: object) -> None:
    """Raise a DatasetError where CLIP, for which capital and small letters are the same, would read two names alike."""
    known: dict[str, str] = {}
    for name in names:
        other = known.get(name.lower())
        known[name.lower()] = name
        if other is not None:
            raise DatasetError(
                f"dataset: two classes of {path} are named {other!r} and {name!r}, which CLIP reads alike; give each a "
                f"name of its own in {CLASSES}, with lines of folder, name."
            )


def _one_line(name: str) -> str:
    """Return a class name as the lists of the page can have it: without line breaks, and a single space for several."""
    return re.sub(r"[\s\0-\x1f\x7f]+", " ", normal_form(name)).strip()


def _text(files: ImageFiles, path: str) -> str:
    try:
        return files.read(path).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise DatasetError(f"dataset: {path} cannot be read ({error}); save it as UTF-8.") from error


def _checked(rows: csv.DictReader | Iterator[list[str]], path: str) -> Iterator:
    """Yield the rows of a table; a quotation mark that is never closed, for example, raises a DatasetError."""
    line = rows.line_num
    try:
        for row in rows:
            yield row
            line = rows.line_num
    except csv.Error as error:
        raise _bad_row(path, line + 1, str(error)) from error


def _bad_row(path: str, line: int, reason: str) -> DatasetError:
    return DatasetError(f"dataset: line {line} of {path}: {reason}.")


def first_fifth(paths: Sequence[str], labels: np.ndarray) -> np.ndarray:
    """Return which images are test images, shape (n,), bool: of each class the first fifth in the order of a hash.

    Parameters
    ----------
    paths : sequence of str
        Relative, with "/": the hash depends on nothing else.
    labels : numpy.ndarray, shape (n,), int
    """
    hashes = [hashlib.sha256(SEED + path.encode()).digest()[:8] for path in paths]
    order = np.lexsort((np.frombuffer(b"".join(hashes), dtype=">u8"), labels))
    counts = np.bincount(labels)
    # A class of one image has it for training.
    n_test = np.where(counts > 1, np.maximum(1, np.rint(TEST_SHARE * counts)), 0)
    is_test = np.empty(len(labels), dtype=bool)
    is_test[order] = ranks_within_class(labels[order]) < n_test[labels[order]]
    return is_test


def _checksum(found: Iterable[File], skip: int, names: Sequence[str], labels: np.ndarray, is_test: np.ndarray) -> str:
    total = hashlib.sha256()
    for file in found:
        total.update(f"{normal_form(file.path[skip:])}\0{file.size}\0{file.crc}\n".encode())
    total.update("\n".join(names).encode() + labels.astype("<i2").tobytes() + is_test.tobytes())
    return total.hexdigest()
