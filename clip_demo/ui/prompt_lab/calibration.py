"""The text beside the reliability diagram."""

import math
from collections.abc import Mapping

from ...evaluation.calibration import BINS, Reliability
from .figure import MIN_BIN_SIZE
from .text import PREDICTOR_NAMES, percent1


def calibration_text(curves: Mapping[str, Reliability | None], scale: float, own_scale: float) -> str:
    """Return the calibration errors, and how the logit scale turns cosines into probabilities.

    Parameters
    ----------
    curves : mapping of str to Reliability or None
        By predictor.
    scale, own_scale : float
        The logit scale of the curves, and the model's own.
    """
    tiles = "".join(_tile(predictor, curve) for predictor, curve in curves.items() if curve is not None)
    same = math.isclose(scale, own_scale, rel_tol=1e-4)
    comparison = "the model’s own" if same else f"the model’s own is {own_scale:.4g}"
    return (
        f'<div class="calibration" role="status"><p class="caption">Logit scale <b>{scale:.4g}</b> ({comparison})</p>'
        f'<div class="tiles">{tiles}</div>'
        "<p><b>How does a cosine of 0.25 become 95 %?</b> Cosines are multiplied by the logit scale before the "
        f"softmax. At {scale:.4g}, a class whose cosine is higher by 0.03 gets {_factor(0.03 * scale)} times the "
        "probability. The scale changes the confidence, but never the order of the classes.</p>"
        '<p class="caption">Below the dashed line, a predictor is overconfident. The expected calibration error (ECE) '
        f"is the mean distance from that line over {BINS} bins of equal width, weighted by their number of images; "
        f"bins with fewer than {MIN_BIN_SIZE} images are not drawn. The slider affects only zero-shot prediction.</p>"
        "</div>"
    )


def _tile(predictor: str, curve: Reliability) -> str:
    return (
        f'<div class="tile {predictor}"><span class="name">{PREDICTOR_NAMES[predictor]}: ECE</span>'
        f"<strong>{percent1(curve.ece)}</strong>"
        f"<span>mean confidence {percent1(curve.mean_confidence)}, accuracy {percent1(curve.accuracy)}</span></div>"
    )


def _factor(exponent: float) -> str:
    factor = math.exp(exponent)
    return f"{factor:.1f}" if factor < 100 else f"{factor:,.0f}"
