"""What the backend answers: frozen, sorted, plain Python values; never a tensor or a component."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass

from .zero_shot.prompts import same_class

__all__ = [
    "ProbeJobStatus",
    "CurvePoint",
    "FewShotCurve",
    "DatasetStatus",
    "LinearProbe",
    "ModelStatus",
    "Prediction",
    "ProbeScore",
    "Provenance",
    "Status",
    "ZeroShotScore",
    "curve_to_csv",
]


@dataclass(frozen=True)
class ZeroShotScore:
    """One zero-shot answer.

    Attributes
    ----------
    label : str
        The class name as it was given.
    probability : float
        Softmax over the class list of `logit_scale` × cosine, 0 to 1.
    cosine : float
        Cosine between the image and the class's text feature, -1 to 1.
    """

    label: str
    probability: float
    cosine: float


@dataclass(frozen=True)
class ProbeScore:
    """One answer of the linear probe: a class of the head and its probability, 0 to 1."""

    label: str
    probability: float


@dataclass(frozen=True)
class Provenance:
    """Where a linear-probe head comes from.

    Attributes
    ----------
    model, model_sha256 : str
        The model whose features it was fitted on, and the SHA-256 of that model's checkpoint.
    dataset : str
        The dataset whose training images it was fitted on.
    n_train, n_test : int
        Numbers of images that it was fitted and tested on.
    C : float
        Inverse regularisation strength of scikit-learn's ``LogisticRegression``.
    max_iter, n_iter : int
        Iterations allowed and used.
    random_state : int
        Seed given to ``LogisticRegression``.
    normalized : bool
        Whether features were L2-normalised before the fit. The article's recipe does not.
    test_accuracy : float
        Share of the test images that it gets right, 0 to 1.
    versions : dict of str to str
        Versions of the packages that made it.
    date : str
        Day of the fit, ISO 8601.
    note : str
        What sets it apart from the recipe on all images, such as ``"20 images per class"``; else empty.
    """

    model: str
    model_sha256: str
    dataset: str
    n_train: int
    n_test: int
    C: float
    max_iter: int
    n_iter: int
    random_state: int
    normalized: bool
    test_accuracy: float
    versions: dict[str, str]
    date: str
    note: str = ""


@dataclass(frozen=True)
class LinearProbe:
    """The probe's answer: the head that gave it and its best classes, most probable first."""

    head: Provenance
    top: tuple[ProbeScore, ...]


@dataclass(frozen=True)
class Prediction:
    """Both predictions for one image.

    Attributes
    ----------
    model : str
        The model's name.
    dataset : str
        The dataset that is on: it gives the index its meaning and the probe its head.
    index : int or None
        Index in the dataset's test split; None for an image of the user's own.
    truth : str or None
        The true class name of an indexed image.
    zero_shot : tuple of ZeroShotScore
        The best classes of the class list, most probable first; ties in the order of the list.
    linear_probe : LinearProbe or None
        None where no head was fitted on this model and dataset.
    """

    model: str
    dataset: str
    index: int | None
    truth: str | None
    zero_shot: tuple[ZeroShotScore, ...]
    linear_probe: LinearProbe | None

    @property
    def agree(self) -> bool | None:
        """Whether both put the same class first; None without a probe."""
        if self.linear_probe is None:
            return None
        return same_class(self.zero_shot[0].label, self.linear_probe.top[0].label)

    def to_dict(self) -> dict:
        """Return the JSON form that the command line and the endpoint share."""
        plain = asdict(self)
        plain["zero_shot"] = list(plain["zero_shot"])
        if plain["linear_probe"]:
            plain["linear_probe"]["top"] = list(plain["linear_probe"]["top"])
        return plain


@dataclass(frozen=True)
class DatasetStatus:
    """Where an dataset stands.

    Attributes
    ----------
    name, title : str
        As in `clip_demo.images.Dataset`.
    state : {"ready", "absent", "fetching", "failed"}
        "absent": not on disk and not being fetched.
    progress : float or None
        Share of the download that has come, 0 to 1, while fetching.
    message : str
        One sentence for people, empty when ready.
    """

    name: str
    title: str
    state: str
    progress: float | None
    message: str


@dataclass(frozen=True)
class ModelStatus:
    """Where a model stands.

    Attributes
    ----------
    name : str
        What calls name it.
    state : {"absent", "fetching", "loading", "ready", "failed"}
        "absent": not in memory.
    progress : float or None
        Share of the download that has come, 0 to 1, while fetching.
    message : str
        One sentence for people, empty when ready.
    megabytes : int or None
        About the size of its archive, where it is one of OpenAI's.
    available : bool
        Whether it loads without a download.
    """

    name: str
    state: str
    progress: float | None
    message: str
    megabytes: int | None
    available: bool


@dataclass(frozen=True)
class Status:
    """Where the service stands.

    Attributes
    ----------
    model : str
        Name of the model that was asked about.
    model_note : str
        One sentence on what that model is.
    state : {"absent", "fetching", "loading", "ready", "failed"}
        State of the model.
    message : str
        One sentence for people, empty when ready.
    datasets : tuple of DatasetStatus
        All datasets.
    default_dataset : str
        Name of the dataset that a new visit starts on.
    models : tuple of ModelStatus
        All models that calls may name.
    default_model : str
        Name of the model that a new visit starts on.
    """

    model: str
    model_note: str
    state: str
    message: str
    datasets: tuple[DatasetStatus, ...]
    default_dataset: str
    models: tuple[ModelStatus, ...] = ()
    default_model: str = ""


@dataclass(frozen=True)
class ProbeJobStatus:
    """Where the job stands that fits a head in the background.

    Attributes
    ----------
    state : {"waiting", "encoding", "fitting", "done", "failed", "stopped"}
        "waiting": for the model or the dataset. After the last three nothing runs any more.
    message : str
        One sentence for people.
    done, total : int
        Images that are encoded, from this and earlier starts, and images in all; 0 and 0 while waiting.
    images_per_second : float or None
        Speed of late, while encoding.
    seconds_left : float or None
        Until all images are encoded at that speed.
    head_note : str
        What the best head so far knows, such as ``"20 images per class"``; empty where there is none.
    """

    state: str
    message: str
    done: int
    total: int
    images_per_second: float | None
    seconds_left: float | None
    head_note: str = ""


@dataclass(frozen=True)
class CurvePoint:
    """Test accuracy of linear probes on so many training images of each class.

    Attributes
    ----------
    per_class : int
        Images of each class.
    n_train : int
        Images in all.
    mean, std : float
        Over `draws`; `std` with the number of draws as divisor, so 0.0 for one draw.
    draws : tuple of float
        Accuracy of each draw of training images, 0 to 1.
    """

    per_class: int
    n_train: int
    mean: float
    std: float
    draws: tuple[float, ...]


@dataclass(frozen=True)
class FewShotCurve:
    """Linear probes on ever more training images, against zero-shot prediction on the same test images.

    Attributes
    ----------
    model, model_sha256, dataset : str
        As in `Provenance`.
    zero_shot : float
        Zero-shot accuracy, 0 to 1.
    zero_shot_templates : tuple of str
        The prompt templates that it comes from; class names as the dataset spells them.
    points : tuple of CurvePoint
        Fewest images first.
    crossing : float or None
        Images of each class at which the probe reaches zero-shot prediction, read off between two points on a
        logarithmic axis. The first point's where it is there already, None where no point reaches it.
    complete : bool
        Whether all points are there, the last one with all training images.
    date : str
        Day of the latest point, ISO 8601.
    versions : dict of str to str
        Versions of the packages that made it.
    """

    model: str
    model_sha256: str
    dataset: str
    zero_shot: float
    zero_shot_templates: tuple[str, ...]
    points: tuple[CurvePoint, ...]
    crossing: float | None
    complete: bool
    date: str
    versions: dict[str, str]


def curve_to_csv(curve: FewShotCurve) -> str:
    """Return a curve as a table: one row for zero-shot prediction (0 images), then one for each point."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    draws = max((len(point.draws) for point in curve.points), default=0)
    numbers = [f"draw_{number}" for number in range(1, draws + 1)]
    table.writerow(["model", "dataset", "method", "per_class", "n_train", "mean", "std", *numbers])
    table.writerow([curve.model, curve.dataset, "zero-shot", 0, 0, curve.zero_shot, "", *[""] * draws])
    for point in curve.points:
        row = [curve.model, curve.dataset, "linear probe", point.per_class, point.n_train, point.mean, point.std]
        table.writerow([*row, *point.draws, *[""] * (draws - len(point.draws))])
    return text.getvalue()
