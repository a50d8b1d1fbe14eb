"""The best strength of regularisation, found as the paper finds it."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["STEPS_A_DECADE", "sweep"]

STEPS_A_DECADE = 8
_END = 6 * STEPS_A_DECADE


def sweep(accuracy: Callable[[float], float]) -> tuple[float, dict[float, float]]:
    """Search C between 1e-6 and 1e6 for the best accuracy.

    As in Radford et al. 2021, appendix A.3: first every second power of ten, then the interval around the best is
    halved again and again, down to eight steps a decade: at most 15 of 97 values are tried.

    Parameters
    ----------
    accuracy : callable
        Gives the accuracy on a validation split that was held out from the training set, for a C.

    Returns
    -------
    C : float
        The best; among equals the smallest, which is the most regularised.
    tried : dict of float to float
        Accuracy by C, in the order of C.
    """
    tried: dict[int, float] = {}

    def attempt(step: int) -> None:
        if abs(step) <= _END and step not in tried:
            tried[step] = accuracy(10 ** (step / STEPS_A_DECADE))

    width = 2 * STEPS_A_DECADE
    for step in range(-_END, _END + 1, width):
        attempt(step)
    while width > 1:
        width //= 2
        best = _best(tried)
        attempt(best - width)
        attempt(best + width)
    return 10 ** (_best(tried) / STEPS_A_DECADE), {10 ** (s / STEPS_A_DECADE): tried[s] for s in sorted(tried)}


def _best(tried: dict[int, float]) -> int:
    return min(tried, key=lambda step: (-tried[step], step))
