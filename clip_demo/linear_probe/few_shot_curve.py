"""The few-shot curve: gathered draw by draw, kept as JSON."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from ..artifacts import Store, file_name, write_file
from ..errors import HeadError
from .few_shot_curve import CurvePoint, FewShotCurve
from .fit import Draw, ProbeFitter
from .head import package_versions

__all__ = ["CurveStore", "crossing", "missing_draws", "new_curve", "save_curve", "with_draw"]


def new_curve(builder: ProbeFitter, zero_shot: float, templates: Sequence[str]) -> FewShotCurve:
    """Return a curve that has no point yet."""
    return FewShotCurve(
        model=builder.encoder.name,
        model_sha256=builder.encoder.sha256,
        dataset=builder.dataset.name,
        zero_shot=zero_shot,
        zero_shot_templates=tuple(templates),
        points=(),
        crossing=None,
        complete=False,
        date=datetime.date.today().isoformat(),
        versions=package_versions(),
    )


def missing_draws(builder: ProbeFitter, curve: FewShotCurve) -> list[Draw]:
    """Return the fits that a curve lacks."""
    known = {point.per_class: len(point.draws) for point in curve.points}
    return [draw for draw in builder.draws if draw.number >= known.get(draw.per_class, 0)]


def with_draw(builder: ProbeFitter, curve: FewShotCurve, draw: Draw, accuracy: float) -> FewShotCurve:
    """Return the curve with one draw more, and what its head gets right, 0 to 1."""
    points = {point.per_class: point for point in curve.points}
    draws = (*points[draw.per_class].draws, accuracy) if draw.per_class in points else (accuracy,)
    mean, std = float(np.mean(draws)), float(np.std(draws))
    points[draw.per_class] = CurvePoint(draw.per_class, draw.stop - draw.start, mean, std, draws)
    ordered = tuple(points[each] for each in sorted(points))
    curve = replace(curve, points=ordered, crossing=crossing(ordered, curve.zero_shot))
    return replace(curve, complete=not missing_draws(builder, curve), date=datetime.date.today().isoformat())


def crossing(points: Sequence[CurvePoint], zero_shot: float) -> float | None:
    """Return at how many images of each class the probe first reaches zero-shot; see `FewShotCurve.crossing`.

    Radford et al. 2021, figure 8, estimate it in the same way: between two points, on a logarithmic axis.
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


def save_curve(curve: FewShotCurve, folder: str | Path) -> Path:
    """Write a curve as JSON; see `clip_demo.store.write_file`."""
    path = Path(folder) / file_name(curve.model, curve.dataset, ".json")
    text = json.dumps(asdict(curve), indent=1) + "\n"
    return write_file(path, lambda file: file.write(text.encode()))


class CurveStore(Store[FewShotCurve]):
    """Curves by model and dataset; see `clip_demo.store.Store`."""

    def __init__(self, folders: Sequence[str | Path]):
        super().__init__(folders, _load_curve, ".json")

    def put(self, curve: FewShotCurve, folder: str | Path) -> Path:
        """Save a curve and use it from now on."""
        path = save_curve(curve, folder)
        self.remember(curve, curve.model_sha256, curve.dataset)
        return path


def _load_curve(path: Path) -> tuple[FewShotCurve, str, str]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        points = tuple(CurvePoint(**{**point, "draws": tuple(point["draws"])}) for point in stored["points"])
        templates = tuple(stored["zero_shot_templates"])
        curve = FewShotCurve(**{**stored, "points": points, "zero_shot_templates": templates})
    except Exception as error:  # file, JSON and field errors all mean the same to the user.
        raise HeadError(
            f"curve: {str(path)!r} is not a few-shot curve ({type(error).__name__}: {error}); "
            "take it away or make it again with `python -m clip_demo fit-probe --curve`."
        ) from error
    return curve, curve.model_sha256, curve.dataset
