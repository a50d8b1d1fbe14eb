"""What the backend answers: frozen, sorted, plain Python values; never a tensor or a component."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from .prompts import same_class

__all__ = [
    "BuildStatus",
    "ImageSetStatus",
    "LinearProbe",
    "ModelStatus",
    "Prediction",
    "ProbeScore",
    "Provenance",
    "Status",
    "ZeroShotScore",
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
        Cosine between the picture and the class's text feature, -1 to 1.
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
    image_set : str
        The image set whose training pictures it was fitted on.
    n_train, n_test : int
        Numbers of pictures that it was fitted and tested on.
    C : float
        Inverse regularisation strength of scikit-learn's ``LogisticRegression``.
    max_iter, n_iter : int
        Iterations allowed and used.
    random_state : int
        Seed given to ``LogisticRegression``.
    normalized : bool
        Whether features were L2-normalised before the fit. The article's recipe does not.
    test_accuracy : float
        Share of the test pictures that it gets right, 0 to 1.
    versions : dict of str to str
        Versions of the packages that made it.
    date : str
        Day of the fit, ISO 8601.
    """

    model: str
    model_sha256: str
    image_set: str
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


@dataclass(frozen=True)
class LinearProbe:
    """The probe's answer: the head that gave it and its best classes, most probable first."""

    head: Provenance
    top: tuple[ProbeScore, ...]


@dataclass(frozen=True)
class Prediction:
    """Both predictions for one picture.

    Attributes
    ----------
    model : str
        The model's name.
    image_set : str
        The image set that is on: it gives the index its meaning and the probe its head.
    index : int or None
        Index in the image set's test split; None for a picture of the user's own.
    truth : str or None
        The true class name of an indexed picture.
    zero_shot : tuple of ZeroShotScore
        The best classes of the class list, most probable first; ties in the order of the list.
    linear_probe : LinearProbe or None
        None where no head was fitted on this model and image set.
    """

    model: str
    image_set: str
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
class ImageSetStatus:
    """Where an image set stands.

    Attributes
    ----------
    name, title : str
        As in `clip_demo.images.ImageSet`.
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
class BuildStatus:
    """Where the building of a head stands.

    Attributes
    ----------
    state : {"waiting", "encoding", "fitting", "done", "failed", "stopped"}
        "waiting": for the model.
    message : str
        One sentence for people.
    done, total : int
        Pictures whose features are there, and all that are needed.
    images_per_second, seconds_left : float or None
        The pace of the encoding, and how long the rest of it takes at that; None while nothing is encoded.
    """

    state: str
    message: str
    done: int
    total: int
    images_per_second: float | None
    seconds_left: float | None


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
    on_disk : bool
        Whether it loads without a download.
    """

    name: str
    state: str
    progress: float | None
    message: str
    megabytes: int | None
    on_disk: bool


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
    image_sets : tuple of ImageSetStatus
        All image sets.
    default_images : str
        Name of the image set that a new visit starts on.
    models : tuple of ModelStatus
        All models that calls may name.
    default_model : str
        Name of the model that a new visit starts on.
    """

    model: str
    model_note: str
    state: str
    message: str
    image_sets: tuple[ImageSetStatus, ...]
    default_images: str
    models: tuple[ModelStatus, ...] = ()
    default_model: str = ""
