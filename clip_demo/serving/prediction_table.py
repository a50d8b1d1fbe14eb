"""The table of the predictions for many images: its columns, and the row of one image."""

from __future__ import annotations

from collections.abc import Sequence

from ..linear_probe.head import LinearProbe
from ..zero_shot.classifier import ZeroShotScore


def columns(top_k: int, has_probe: bool) -> tuple[str, ...]:
    """Return the names of the columns; those of the probe only where there is one."""
    ranks = [f"{name}_{k}" for k in range(1, top_k + 1) for name in ("label", "probability", "cosine")]
    return ("file", *ranks, *(("probe_label", "probe_probability") if has_probe else ()), "error")


def row(
    file: str,
    zero_shot: Sequence[ZeroShotScore],
    linear_probe: LinearProbe | None,
    error: str,
    top_k: int,
    has_probe: bool,
) -> tuple:
    """Return the row of an image; None is an empty cell.

    Parameters
    ----------
    file : str
    zero_shot : sequence of ZeroShotScore
        The best classes, at most `top_k`; empty for an image that cannot be read.
    linear_probe : LinearProbe or None
    error : str
        Why the image cannot be read; empty otherwise.
    top_k : int
    has_probe : bool
        See `columns`.
    """
    cells = [part for each in zero_shot for part in (each.label, each.probability, each.cosine)]
    cells += [None] * (3 * top_k - len(cells))
    best = linear_probe.top[0] if linear_probe else None
    probe = (best and best.label, best and best.probability) if has_probe else ()
    return (file, *cells, *probe, error or None)
