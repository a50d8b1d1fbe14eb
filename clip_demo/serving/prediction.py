"""Both predictions for one image."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ..linear_probe.head import LinearProbe
from ..zero_shot.classifier import ZeroShotScore
from ..zero_shot.prompts import same_class


@dataclass(frozen=True)
class Prediction:
    """Both predictions for one image.

    Attributes
    ----------
    model : str
        The model's name.
    dataset : str
        The dataset's name: it gives the index its meaning and the probe its head.
    index : int or None
        Index in the dataset's test split; None for any other image.
    truth : str or None
        The true class name of an indexed image.
    zero_shot : tuple of ZeroShotScore
        The most probable classes of the class list, the most probable first; ties in the order of the list.
    linear_probe : LinearProbe or None
        None without a head for this model and dataset.
    assumption : str
        What was assumed of a checkpoint that does not say it, and is the reason if its predictions are wrong; usually
        empty, and then not in the JSON form.
    """

    model: str
    dataset: str
    index: int | None
    truth: str | None
    zero_shot: tuple[ZeroShotScore, ...]
    linear_probe: LinearProbe | None
    assumption: str = ""

    @property
    def agree(self) -> bool | None:
        """Whether both predict the same class; None without a head."""
        if self.linear_probe is None:
            return None
        return same_class(self.zero_shot[0].label, self.linear_probe.top[0].label)

    def to_dict(self) -> dict:
        """Return the JSON form that the command line and the endpoint share."""
        plain = json.loads(json.dumps(asdict(self)))  # tuples become lists
        return plain if self.assumption else {key: value for key, value in plain.items() if key != "assumption"}
