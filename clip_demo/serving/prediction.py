"""Both predictions for one image."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ..evaluation.calibration import logit_scale_or
from ..linear_probe.head import Head, LinearProbe, linear_probe
from ..progress import Progress
from ..zero_shot.classifier import ZeroShotScore, zero_shot_scores
from ..zero_shot.none_of_these import NoneOfThese
from ..zero_shot.prompts import same_class
from .none_of_these import NoneOfTheseJudge
from .subject import Subject


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
    none_of_these : NoneOfThese or None
        What speaks for none of the classes, whose shares in `zero_shot` then sum with it to 1; None where that was not
        asked, and then not in the JSON form.
    """

    model: str
    dataset: str
    index: int | None
    truth: str | None
    zero_shot: tuple[ZeroShotScore, ...]
    linear_probe: LinearProbe | None
    assumption: str = ""
    none_of_these: NoneOfThese | None = None

    @classmethod
    def of(
        cls,
        subject: Subject,
        head: Head | None,
        top_k: int,
        logit_scale: float | None = None,
        judge: NoneOfTheseJudge | None = None,
        progress: Progress | None = None,
    ) -> Prediction:
        """Predict by both methods, and with a judge also whether it is none of the classes."""
        model, features, prompts = subject.model, subject.features, subject.prompts
        weights = model.features.class_weights(prompts, progress)
        scale = logit_scale_or(model.encoder.logit_scale, logit_scale)
        none, negatives = judge.judge(subject, weights, scale, progress) if judge else (None, None)
        others = negatives and negatives.weights
        return cls(
            model=model.name,
            dataset=subject.dataset.name,
            index=subject.index,
            truth=subject.truth,
            zero_shot=zero_shot_scores(weights, features, scale, prompts.classnames, top_k, others),
            linear_probe=linear_probe(head, features, top_k),
            assumption=model.assumption,
            none_of_these=none,
        )

    @property
    def agree(self) -> bool | None:
        """Whether both predict the same class; None without a head."""
        if self.linear_probe is None:
            return None
        return same_class(self.zero_shot[0].label, self.linear_probe.top[0].label)

    def to_dict(self) -> dict:
        """Return the JSON form that the command line and the endpoint share."""
        plain = json.loads(json.dumps(asdict(self)))  # tuples become lists
        asked = {"assumption": bool(self.assumption), "none_of_these": self.none_of_these is not None}
        return {key: value for key, value in plain.items() if asked.get(key, True)}
