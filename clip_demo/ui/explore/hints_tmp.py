"""What one has to know about the built-in model to read its bars rightly."""

from __future__ import annotations

from ...backend import Prediction
from ...datasets.catalog import CIFAR100, SHAPES100
from ...datasets.shapes100 import UNSEEN_CLASSNAMES
from ...models.catalog import BUILT_IN
from ..html import escape

__all__ = ["hint"]


def hint(prediction: Prediction) -> str:
    """Say whether a zero-shot answer of the built-in model shows more than it was told; nothing for other models."""
    if prediction.model != BUILT_IN:
        return ""
    if prediction.dataset == CIFAR100:
        text = (
            "In training, the captions of <b>tiny</b> named all of CIFAR-100’s classes. Its zero-shot bars show here "
            "how the mechanism works, not how CLIP generalises."
        )
    elif prediction.dataset == SHAPES100 and prediction.truth in UNSEEN_CLASSNAMES:
        text = (
            f"No caption in the training of <b>tiny</b> named “<b>{escape(prediction.truth)}</b>”, and no image "
            "showed one: these zero-shot bars are a true test."
        )
    elif prediction.dataset == SHAPES100 and prediction.truth:
        text = (
            f"Captions in the training of <b>tiny</b> named “<b>{escape(prediction.truth)}</b>”. "
            f"{len(UNSEEN_CLASSNAMES)} other pairs of colour and shape were kept from it, such as "
            f"“{escape(UNSEEN_CLASSNAMES[0])}”."
        )
    else:
        return ""
    return f'<p class="hint">{text}</p>'
