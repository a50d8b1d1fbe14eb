"""Makes a head, and a few-shot curve where one is wanted, at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..datasets.base import Dataset
from ..errors import OptionError
from ..features.feature_store import FeatureStore, TestFeatures
from ..models.encoder import Report
from ..zero_shot.templates import README_TEMPLATE
from . import c_sweep as sweep
from .few_shot_curve import CurveStore, FewShotCurve, missing_draws, new_curve, with_draw
from .fit import ProbeFitter
from .head import Head, HeadStore

__all__ = ["Stores", "make_head", "open_curve"]


@dataclass(frozen=True)
class Stores:
    """What is made, and what it is made from.

    Attributes
    ----------
    heads, tests, curves
        What is made goes to each one's last folder.
    shards : pathlib.Path
        Folder of the features of whole datasets.
    zero_shot : callable
        Returns the zero-shot accuracy, 0 to 1, of an dataset and a model, by their names, with `README_TEMPLATE`.
    """

    heads: HeadStore
    tests: FeatureStore
    curves: CurveStore
    shards: Path
    zero_shot: Callable[[str, str], float]


def make_head(
    stores: Stores,
    model: ModelHandle,
    dataset: Dataset,
    progress: Report | None = None,
    *,
    curve_folder: str | Path | None = None,
    swept: bool = False,
    **options,
) -> Head:
    """Encode all images where they are not encoded yet, and fit a head on them.

    Parameters
    ----------
    stores : Stores
    model : Loading
    dataset : Dataset
    progress : callable, optional
        See `clip_demo.encoder.Report`.
    curve_folder : path, optional
        Where the few-shot curve goes; without it none is made. A curve that was cut off goes on.
    swept : bool
        Look for the best C first.
    **options
        Passed to `clip_demo.probe.fit_head`: ``C`` and ``normalized``.

    Raises
    ------
    OptionError
        When `swept` comes with ``C``, or a curve is wanted of any recipe but the article's.
    """
    if swept and "C" in options:
        raise OptionError(f"C: {options['C']!r} came together with a sweep, which looks for it; leave one of them out.")
    if curve_folder is not None and (swept or options):
        raise OptionError("curve: it is fitted by the article's recipe; leave out C, sweep and normalized.")
    builder = ProbeFitter(model.encoder, dataset, stores.shards)
    builder.encode(progress)
    if curve_folder is not None:
        return _make_curve(stores, builder, model, curve_folder, progress)
    if swept:
        options["C"], n_held_out = sweep(builder, progress, normalized=options.get("normalized", False))
        options["note"] = f"C swept on {n_held_out:,} held-out training images"
    return builder.fit(**options)


def _make_curve(
    stores: Stores, builder: ProbeFitter, model: ModelHandle, folder: str | Path, progress: Report | None
) -> Head:
    """Fit what the curve lacks; the last of its heads is the one on all images."""
    curve = open_curve(stores, builder, model.name)
    if curve.complete:
        curve = new_curve(builder, curve.zero_shot, curve.zero_shot_templates)  # asked for anew
    left = missing_draws(builder, curve)
    for number, draw in enumerate(left, 1):
        head = builder.fit(draw.start, draw.stop)
        curve = with_draw(builder, curve, draw, head.provenance.test_accuracy)
        stores.curves.put(curve, folder)
        if progress:
            progress("fits of the curve", number, len(left))
    return head


def open_curve(stores: Stores, builder: ProbeFitter, model: str) -> FewShotCurve:
    """Return the curve as far as it has come, or one without points; all test images are encoded by now."""
    known = stores.curves.get(builder.encoder.sha256, builder.dataset.name)
    if known is not None:
        return known
    # Kept, so that zero-shot prediction is held against just the features that the heads are.
    stores.tests.keep(TestFeatures(builder.test.features, builder.labels["test"]), builder.encoder, builder.dataset)
    return new_curve(builder, stores.zero_shot(builder.dataset.name, model), [README_TEMPLATE])
