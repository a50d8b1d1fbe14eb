"""How sure the answers look and how often they are right, in words."""

from __future__ import annotations

import math
from typing import Any

from .plots import FEWEST
from .tables import percent1

__all__ = ["calibration_text"]

_NAMES = {"zero-shot": "Zero-shot", "probe": "Linear probe"}


def calibration_text(curves: dict[str, Any], scale: float, own: float) -> str:
    """Return the expected calibration errors, and why a small cosine becomes a large share.

    Parameters
    ----------
    curves : dict of str to Reliability or None
    scale, own : float
        The logit scale that is on, and the model's own.
    """
    tiles = "".join(_tile(kind, curve) for kind, curve in curves.items() if curve is not None)
    mark = "the model’s own" if math.isclose(scale, own, rel_tol=1e-4) else f"the model’s own is {own:.4g}"
    return (
        f'<div class="lab-ece" role="status"><p class="caption">Logit scale <b>{scale:.4g}</b> ({mark})</p>'
        f'<div class="tiles">{tiles}</div>'
        "<p><b>Why 95 % when the cosine is 0.25?</b> Cosines are multiplied by the logit scale before the softmax, so "
        f"that at {scale:.4g} a lead of 0.03 makes a share {_factor(0.03 * scale)} times as large. The scale decides "
        "how sure an answer looks, but never which one is first.</p>"
        '<p class="caption">Below the dashed line, answers look surer than they are. ECE, the expected calibration '
        "error, is the mean distance from that line, over 15 bins of equal width, each counted by its images; "
        f"bins of fewer than {FEWEST} are not drawn. The slider moves zero-shot alone.</p></div>"
    )


def _tile(kind: str, curve: Any) -> str:
    return (
        f'<div class="tile {kind}"><span class="name">{_NAMES[kind]}: ECE</span><strong>{percent1(curve.ece)}</strong>'
        f"<span>looks {percent1(curve.mean_confidence)} sure, is {percent1(curve.accuracy)} right</span></div>"
    )


def _factor(exponent: float) -> str:
    factor = math.exp(exponent)
    return f"{factor:.1f}" if factor < 100 else f"{factor:,.0f}"
