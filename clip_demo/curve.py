"""The few-shot curve: how many labelled pictures a probe needs to reach zero-shot prediction."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, pstdev

import numpy as np

from .errors import HeadError
from .store import Store, write_npz

__all__ = ["CurvePoint", "CurveStore", "FewShotCurve", "curve_to_csv", "load_curve", "save_curve"]


@dataclass(frozen=True)
class CurvePoint:
    """Probes that were fitted on the same number of pictures of each class.

    Attributes
    ----------
    per_class, n_train : int
        Training pictures of each class, and in all.
    draws : tuple of float
        Test accuracy of each probe, 0 to 1; they were fitted on different pictures.
    """

    per_class: int
    n_train: int
    draws: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean accuracy over the draws, 0 to 1."""
        return fmean(self.draws)

    @property
    def std(self) -> float:
        """Standard deviation over the draws; 0 for a single one."""
        return pstdev(self.draws)


@dataclass(frozen=True)
class FewShotCurve:
    """Accuracy of the linear probe by training pictures of each class, and of zero-shot prediction.

    Attributes
    ----------
    model, model_sha256, image_set : str
        What it was measured on.
    zero_shot : float
        Zero-shot accuracy on the same test pictures, 0 to 1.
    zero_shot_templates : tuple of str
        The templates of that.
    points : tuple of CurvePoint
        By pictures of each class, fewest first.
    complete : bool
        Whether the last point is that of all training pictures.
    versions : dict of str to str
        Versions of the packages that made it.
    date : str
        Day of the measurement, ISO 8601.
    """

    model: str
    model_sha256: str
    image_set: str
    zero_shot: float
    zero_shot_templates: tuple[str, ...]
    points: tuple[CurvePoint, ...]
    complete: bool
    versions: dict[str, str]
    date: str

    @property
    def crossing(self) -> float | None:
        """Pictures of each class at which the probe reaches zero-shot accuracy; None where it never does.

        Between two points it is interpolated on the logarithm of the number, as in Radford et al. 2021, section
        3.1.5. Where the first point is above already, it is that point's number: one needs at most so many.
        """
        before = None
        for point in self.points:
            if point.mean >= self.zero_shot:
                if before is None:
                    return float(point.per_class)
                share = (self.zero_shot - before.mean) / (point.mean - before.mean)
                low, high = math.log(before.per_class), math.log(point.per_class)
                return math.exp(low + share * (high - low))
            before = point
        return None


def curve_to_csv(curve: FewShotCurve) -> str:
    """Return a curve as comma-separated values: one line for each probe, and one for zero-shot prediction."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["method", "images_per_class", "n_train", "draw", "test_accuracy"])
    rows.writerow(["zero-shot", 0, 0, "", curve.zero_shot])
    for point in curve.points:
        for draw, accuracy in enumerate(point.draws):
            rows.writerow(["linear probe", point.per_class, point.n_train, draw, accuracy])
    return text.getvalue()


def save_curve(curve: FewShotCurve, folder: str | Path) -> Path:
    """Write a curve as npz without pickle; see `clip_demo.store.write_npz`."""
    return write_npz(folder, curve.model, curve.image_set, curve=np.array(json.dumps(asdict(curve))))


def load_curve(path: str | Path) -> FewShotCurve:
    """Open a curve.

    Raises
    ------
    HeadError
        When the file is not a curve.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            fields = json.loads(str(data["curve"]))
        fields["points"] = tuple(CurvePoint(**{**each, "draws": tuple(each["draws"])}) for each in fields["points"])
        fields["zero_shot_templates"] = tuple(fields["zero_shot_templates"])
        return FewShotCurve(**fields)
    except Exception as error:  # zip, npz, JSON and field errors all mean the same to the user.
        raise HeadError(
            f"curve: {str(path)!r} is not a few-shot curve ({type(error).__name__}: {error}); "
            "take it away or make it again with `python -m clip_demo fit-probe --curve`."
        ) from error


class CurveStore(Store[FewShotCurve]):
    """Few-shot curves by model and image set; see `clip_demo.store.Store`."""

    def __init__(self, folders: Sequence[str | Path]):
        super().__init__(folders, _load_with_key)

    def put(self, curve: FewShotCurve, folder: str | Path) -> Path:
        """Save a curve and use it from now on."""
        self.remember(curve, curve.model_sha256, curve.image_set)
        return save_curve(curve, folder)


def _load_with_key(path: Path) -> tuple[FewShotCurve, str, str]:
    curve = load_curve(path)
    return curve, curve.model_sha256, curve.image_set
