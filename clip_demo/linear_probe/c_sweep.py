"""The sweep of C: the best regularisation strength on held-out training images, as in the paper."""

from collections.abc import Callable

import numpy as np

from ..errors import OptionError
from ..numerics import ranks_within_class
from ..progress import Progress
from .fit import ProbeFitter

STEPS = 96  # from 1e-6 to 1e6: eight per decade
_HELD_OUT = 5  # one image in five is held out
_COARSE = 16  # first distance between steps: 1e-6, 1e-4, ..., 1e6


def sweep_c(fitter: ProbeFitter, progress: Progress | None = None, *, normalized: bool = False) -> tuple[float, int]:
    """Return the C with the best accuracy on a fifth of the training images, fitted on the other four fifths.

    Radford et al. 2021, appendix A.3: "a hyperparameter sweep on the validation sets over the range between 1e-6
    and 1e6, with 96 logarithmically spaced steps. To save compute required for the sweeps, we perform a parametric
    binary search that starts with λ = [1e-6, 1e-4, 1e-2, 1, 1e2, 1e4, 1e6] and iteratively halves the interval around
    the peak until it reaches a resolution of 8 steps per decade." The paper's λ is scikit-learn's C here. The datasets
    have no validation split, so the last fifth of every class in class-balanced order is held out, rounded down.

    Parameters
    ----------
    fitter : ProbeFitter
        With all training images encoded.
    progress : callable, optional
        See `clip_demo.progress.Progress`.
    normalized : bool
        See `clip_demo.linear_probe.fit.fit_head`.

    Returns
    -------
    C : float
    n_held_out : int

    Raises
    ------
    OptionError
        When no class has as many training images as that.
    """
    order = fitter.shards["train"].order
    labels = fitter.labels["train"][order]
    counts = np.bincount(labels)
    is_held_out = ranks_within_class(labels) >= (counts - counts // _HELD_OUT)[labels]
    if not is_held_out.any():
        raise OptionError(
            f"sweep: it holds out one training image in {_HELD_OUT} of each class, and no class has so many; omit it, "
            "or give C."
        )
    train, held_out = np.sort(order[~is_held_out]), np.sort(order[is_held_out])
    features, labels = fitter.shards["train"].features[held_out], fitter.labels["train"][held_out]

    def accuracy(step: int) -> float:
        head = fitter.fit_on(train, features, labels, C=_value(step), normalized=normalized)
        return head.provenance.test_accuracy

    return _value(peak(accuracy, progress)), len(held_out)


def _value(step: int) -> float:
    return 10.0 ** (step * 12 / STEPS - 6)


def peak(accuracy: Callable[[int], float], progress: Progress | None = None) -> int:
    """Return the best of the steps 0 to 96 that the binary search tries; the lowest of equals.

    Parameters
    ----------
    accuracy : callable
        Accuracy of a step; called once for each step that is tried.
    progress : callable, optional
    """
    tried: dict[int, float] = {}
    gap, steps = _COARSE, list(range(0, STEPS + 1, _COARSE))
    total = len(steps) + 2 * (_COARSE.bit_length() - 1)
    while True:
        for step in steps:
            tried[step] = accuracy(step)
            if progress:
                progress("fits of the sweep", len(tried), total)
        best = min(step for step in tried if tried[step] == max(tried.values()))
        if gap == 1:
            return best
        gap //= 2
        steps = [step for step in (best - gap, best + gap) if 0 <= step <= STEPS and step not in tried]
