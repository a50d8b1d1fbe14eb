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
        f'<div class="calibration" role="status"><div class="tiles">{tiles}</div>'
        "<p><b>Can you trust a confidence of 80\N{NO-BREAK SPACE}%?</b> Yes, if 80\N{NO-BREAK SPACE}% of such "
        "predictions are right: then the point lies on the dashed line. Below the line, a predictor is too sure of "
        "itself; above, it could be surer. The calibration error (expected calibration error, ECE) is the average "
        "distance from the line.</p>"
        "<p><b>How does a cosine of 0.25 become 95\N{NO-BREAK SPACE}%?</b> Cosines are multiplied by the logit scale, "
        f"here <b>{scale:.4g}</b> ({comparison}), before the softmax turns them into probabilities: a class whose "
        f"cosine is higher by 0.03 gets {_factor(0.03 * scale)} times the probability. The scale changes the "
        "confidence, but never the order of the classes. The slider does not affect the linear probe.</p>"
        f'<p class="caption">Each point is one of {BINS} equal ranges of confidence; a range with fewer than '
        f"{MIN_BIN_SIZE} images is not drawn. In the average, a range counts by its number of images.</p></div>"
    )


def _tile(predictor: str, curve: Reliability) -> str:
    return (
        f'<div class="tile {predictor}"><span class="name">{PREDICTOR_NAMES[predictor]}: calibration error</span>'
        f"<strong>{percent1(curve.ece)}</strong>"
        f"<span>{percent1(curve.mean_confidence)} sure on average, {percent1(curve.accuracy)} right</span></div>"
    )


def _factor(exponent: float) -> str:
    factor = math.exp(exponent)
    return f"{factor:.1f}" if factor < 100 else f"{factor:,.0f}"
