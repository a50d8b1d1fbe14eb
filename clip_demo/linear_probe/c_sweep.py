"""The best C by a sweep on held-out training images, as the paper does it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..models.encoder import Report
from .fit import ProbeFitter

__all__ = ["STEPS", "peak", "sweep"]

STEPS = 96  # from 1e-6 to 1e6: eight a decade
_HELD_OUT = 5  # one image in so many
_COARSE = 16  # steps apart at first: 1e-6, 1e-4, ..., 1e6


def sweep(builder: ProbeFitter, progress: Report | None = None, *, normalized: bool = False) -> tuple[float, int]:
    """Return the C whose head is best on a fifth of the training images, fitted on the other four.

    As in Radford et al. 2021, appendix A.3: "a hyperparameter sweep on the validation sets over the range between 1e-6
    and 1e6, with 96 logarithmically spaced steps. To save compute required for the sweeps, we perform a parametric
    binary search that starts with λ = [1e-6, 1e-4, 1e-2, 1, 1e2, 1e4, 1e6] and iteratively halves the interval around
    the peak until it reaches a resolution of 8 steps per decade." The paper's λ is scikit-learn's C here. Both image
    sets come without a validation split, so the last fifth of every class in the builder's order is held out.

    Parameters
    ----------
    builder : ProbeFitter
        With all training images encoded.
    progress : callable, optional
        See `clip_demo.encoder.Report`.
    normalized : bool
        As in `clip_demo.probe.fit_head`.

    Returns
    -------
    C : float
    n_held_out : int
        How many images the heads were compared on.
    """
    order = builder.train.order
    n_held_out = len(order) // _HELD_OUT
    train, held_out = np.sort(order[:-n_held_out]), np.sort(order[-n_held_out:])
    features, labels = builder.train.features[held_out], builder.labels["train"][held_out]

    def accuracy(step: int) -> float:
        head = builder.fit_on(train, features, labels, C=_value(step), normalized=normalized)
        return head.provenance.test_accuracy

    return _value(peak(accuracy, progress)), n_held_out


def _value(step: int) -> float:
    return 10.0 ** (step * 12 / STEPS - 6)


def peak(accuracy: Callable[[int], float], progress: Report | None = None) -> int:
    """Return the best of the steps 0 to 96 that the binary search tries; among equals the lowest.

    Parameters
    ----------
    accuracy : callable
        Of a step; called once for each that is tried.
    progress : callable, optional
    """
    tried: dict[int, float] = {}
    gap, wanted = _COARSE, list(range(0, STEPS + 1, _COARSE))
    total = len(wanted) + 2 * (_COARSE.bit_length() - 1)
    while True:
        for step in wanted:
            tried[step] = accuracy(step)
            if progress:
                progress("fits of the sweep", len(tried), total)
        best = min(step for step in tried if tried[step] == max(tried.values()))
        if gap == 1:
            return best
        gap //= 2
        wanted = [step for step in (best - gap, best + gap) if 0 <= step <= STEPS and step not in tried]
