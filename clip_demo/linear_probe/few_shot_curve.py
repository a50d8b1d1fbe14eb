"""The few-shot curve: linear probes on increasing numbers of training images, against zero-shot prediction."""

import datetime
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ..artifacts import ArtifactStore, atomic_write, file_name
from ..csv_text import write_csv
from ..datasets.base import Dataset
from ..errors import ArtifactError
from ..models.encoder import Encoder
from .fit import package_versions

# At most so many images of each class, followed by all of them.
PER_CLASS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_DRAWS = 3
# With more training images than this, draws hardly differ from each other, and take long: one is enough.
_MAX_REPEATED = 6_400


@dataclass(frozen=True)
class CurvePoint:
    """Test accuracy of linear probes on some number of training images of each class.

    Attributes
    ----------
    per_class : int
        Images of each class; of a class that has fewer, all.
    n_train : int
        Images in total.
    mean, std : float
        Over `draws`. `std` is the population standard deviation, so 0.0 for a single draw.
    draws : tuple of float
        Accuracy with each draw of training images, 0 to 1.
    """

    per_class: int
    n_train: int
    mean: float
    std: float
    draws: tuple[float, ...]


@dataclass(frozen=True)
class FewShotCurve:
    """Linear probes on increasing numbers of training images, against zero-shot prediction on the same test images.

    Attributes
    ----------
    model, model_sha256, dataset : str
        See `clip_demo.linear_probe.head.Provenance`.
    zero_shot : float
        Zero-shot accuracy, 0 to 1.
    zero_shot_templates : tuple of str
        The prompt templates behind it, with the dataset's own class names.
    points : tuple of CurvePoint
        In order of size.
    crossing : float or None
        Images of each class at which the probe reaches zero-shot prediction, interpolated on a logarithmic axis. That
        of the first point where it reaches it already, None where no point does.
    complete : bool
        Whether there are all points, the last of them with all training images.
    date : str
        Day of the latest point, ISO 8601.
    versions : dict of str to str
        Versions of the packages used.
    n_test : int or None
        Number of test images behind all accuracies; None for all of the dataset.
    """

    model: str
    model_sha256: str
    dataset: str
    zero_shot: float
    zero_shot_templates: tuple[str, ...]
    points: tuple[CurvePoint, ...]
    crossing: float | None
    complete: bool
    date: str
    versions: dict[str, str]
    n_test: int | None = None

    @property
    def balanced(self) -> bool:
        """Whether each point has equally many images of each class, as far as the numbers of images tell."""
        classes = {point.n_train / point.per_class for point in self.points}
        return len(classes) < 2 and all(each.is_integer() for each in classes)

    @property
    def n_fits(self) -> int:
        """How many fits it is made of."""
        return sum(len(point.draws) for point in self.points)


@dataclass(frozen=True)
class Draw:
    """Training images of one fit.

    Attributes
    ----------
    per_class : int
        Images of each class; of a class that has fewer, all.
    number : int
        0 for the first images in class-balanced order, 1 for the next as many, and so on: draws share no image.
    start, stop : int
        Range of the images in that order.
    """

    per_class: int
    number: int
    start: int
    stop: int


def draws_of(dataset: Dataset) -> list[Draw]:
    """Return the fits of a curve, in the order in which their images are encoded; the last has all images."""
    counts = np.bincount(dataset.labels("train"))
    draws = []
    for each in PER_CLASS:
        if each >= counts.max():
            break
        size = first_of_each(counts, each)
        for number in range(_DRAWS if size <= _MAX_REPEATED else 1):
            start, stop = first_of_each(counts, number * each), first_of_each(counts, (number + 1) * each)
            if stop - start == size:  # a class that is used up would be missing
                draws.append(Draw(each, number, start, stop))
    return [*sorted(draws, key=lambda draw: draw.stop), Draw(int(counts.max()), 0, 0, int(counts.sum()))]


def first_of_each(counts: np.ndarray, per_class: int) -> int:
    """Return how many images there are with at most `per_class` of each class: the first in class-balanced order.

    Parameters
    ----------
    counts : numpy.ndarray, shape (n_classes,), int
        Numbers of images of each class.
    per_class : int
    """
    return int(np.minimum(counts, per_class).sum())


def new_curve(
    encoder: Encoder, dataset: Dataset, zero_shot: float, templates: Sequence[str], n_test: int | None = None
) -> FewShotCurve:
    """Return a curve without points."""
    return FewShotCurve(
        model=encoder.name,
        model_sha256=encoder.sha256,
        dataset=dataset.key,
        zero_shot=zero_shot,
        zero_shot_templates=tuple(templates),
        points=(),
        crossing=None,
        complete=False,
        date=datetime.date.today().isoformat(),
        versions=package_versions(),
        n_test=n_test,
    )


def missing_draws(dataset: Dataset, curve: FewShotCurve) -> list[Draw]:
    """Return the fits that a curve lacks."""
    known = {point.per_class: len(point.draws) for point in curve.points}
    return [draw for draw in draws_of(dataset) if draw.number >= known.get(draw.per_class, 0)]


def with_draw(dataset: Dataset, curve: FewShotCurve, draw: Draw, accuracy: float) -> FewShotCurve:
    """Return the curve with the accuracy, 0 to 1, of one more draw."""
    points = {point.per_class: point for point in curve.points}
    draws = (*points[draw.per_class].draws, accuracy) if draw.per_class in points else (accuracy,)
    mean, std = float(np.mean(draws)), float(np.std(draws))
    points[draw.per_class] = CurvePoint(draw.per_class, draw.stop - draw.start, mean, std, draws)
    ordered = tuple(points[each] for each in sorted(points))
    curve = replace(curve, points=ordered, crossing=crossing(ordered, curve.zero_shot))
    return replace(curve, complete=not missing_draws(dataset, curve), date=datetime.date.today().isoformat())


def crossing(points: Sequence[CurvePoint], zero_shot: float) -> float | None:
    """Return how many images of each class a probe needs to reach zero-shot; see `FewShotCurve.crossing`.

    Radford et al. 2021, figure 8, estimates it in the same way: log-linear interpolation between two points.
    """
    reached = next((i for i, point in enumerate(points) if point.mean >= zero_shot), None)
    if reached is None:
        return None
    after = points[reached]
    if reached == 0:
        return float(after.per_class)
    before = points[reached - 1]
    part = (zero_shot - before.mean) / (after.mean - before.mean)
    return before.per_class * math.exp(part * math.log(after.per_class / before.per_class))


def curve_to_csv(curve: FewShotCurve) -> str:
    """Return a curve as CSV: one row for zero-shot prediction (0 images), then one for each point."""
    draws = max((len(point.draws) for point in curve.points), default=0)
    numbers = [f"draw_{number}" for number in range(1, draws + 1)]
    tested = "all" if curve.n_test is None else curve.n_test
    rows = [
        ["model", "dataset", "method", "per_class", "n_train", "n_test", "mean", "std", *numbers],
        [curve.model, curve.dataset, "zero-shot", 0, 0, tested, curve.zero_shot, "", *[""] * draws],
    ]
    for point in curve.points:
        row = [curve.model, curve.dataset, "linear probe", point.per_class, point.n_train, tested]
        row += [point.mean, point.std]
        rows.append([*row, *point.draws, *[""] * (draws - len(point.draws))])
    return write_csv(rows)


class CurveStore(ArtifactStore[FewShotCurve]):
    """Few-shot curves by model and dataset; see `clip_demo.artifacts.ArtifactStore`."""

    def __init__(self, folders: Sequence[str | Path]):
        super().__init__(folders, _load_curve, ".json")

    def put(self, curve: FewShotCurve, folder: str | Path | None = None) -> Path:
        """Save a curve, by default in the last folder, and return it from now on."""
        path = save_curve(curve, self.folders[-1] if folder is None else folder)
        self.remember(curve, curve.model_sha256, curve.dataset)
        return path

    def improve(self, curve: FewShotCurve) -> None:
        """Put a curve unless one of more fits exists, such as the early one, or that of another process."""
        key = (curve.model_sha256, curve.dataset)
        for other in self.versions(*key):
            if other.n_fits > curve.n_fits:
                return self.remember(other, *key)
        self.put(curve)


def save_curve(curve: FewShotCurve, folder: str | Path) -> Path:
    """Write a curve as JSON."""
    path = Path(folder) / file_name(curve.model, curve.dataset, ".json")
    # "image_set" is the key of all stored curves so far.
    stored = {"image_set" if name == "dataset" else name: value for name, value in asdict(curve).items()}
    with atomic_write(path) as part:
        part.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    return path


def _load_curve(path: Path) -> tuple[FewShotCurve, str, str]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        stored["dataset"] = stored.pop("image_set")
        stored["points"] = tuple(CurvePoint(**{**each, "draws": tuple(each["draws"])}) for each in stored["points"])
        stored["zero_shot_templates"] = tuple(stored["zero_shot_templates"])
        curve = FewShotCurve(**stored)
    except Exception as error:  # A bad file, JSON or field: for the user they all mean the same.
        raise ArtifactError(
            f"curve: {str(path)!r} is not a few-shot curve ({type(error).__name__}: {error}); "
            "delete it, or compute it again with `python -m clip_demo fit-probe --curve`."
        ) from error
    return curve, curve.model_sha256, curve.dataset
