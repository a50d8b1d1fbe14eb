"""The head of a linear probe: its predictions, its provenance and its file."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..artifacts import ArtifactStore, file_name, write_npz
from ..errors import ArtifactError, HeadError, page_message_of
from ..numerics import best, normalize, softmax


@dataclass(frozen=True)
class ProbeScore:
    """The linear probe's score of one class: its name and its probability, 0 to 1."""

    label: str
    probability: float


@dataclass(frozen=True)
class Provenance:
    """Where a head comes from.

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
        Whether features were L2-normalised before the fit. The recipe of openai/CLIP's README does not.
    test_accuracy : float
        Fraction of the test images that it classifies correctly, 0 to 1.
    versions : dict of str to str
        Versions of the packages used.
    date : str
        Day of the fit, ISO 8601.
    note : str
        How it differs from the recipe on all images, such as ``"20 images per class"``; else empty.
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
    """The linear probe's prediction: the head's provenance, and its best classes, the most probable first."""

    head: Provenance
    top: tuple[ProbeScore, ...]


@dataclass(frozen=True)
class Head:
    """A linear classifier on image features.

    Attributes
    ----------
    coef : numpy.ndarray, shape (n_classes, d), float32
    intercept : numpy.ndarray, shape (n_classes,), float32
    classes_ : tuple of str
        Class names in the order of the rows.
    provenance : Provenance
    """

    coef: np.ndarray
    intercept: np.ndarray
    classes_: tuple[str, ...]
    provenance: Provenance

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Return the probability of every class, as scikit-learn's multinomial ``predict_proba`` does.

        Parameters
        ----------
        features : numpy.ndarray, shape (n, d)
            Not normalised; this method normalises them where the head was fitted on normalised features.

        Returns
        -------
        numpy.ndarray, shape (n, n_classes), float64
            Rows sum to 1.
        """
        if features.shape[-1] != self.coef.shape[1]:
            raise HeadError(
                f"head: it needs features of {self.coef.shape[1]} numbers, got {features.shape[-1]}; "
                f"use it with {self.provenance.model} or fit one for this model."
            )
        if self.provenance.normalized:
            features = normalize(features)
        return softmax(features.astype(np.float64) @ self.coef.T + self.intercept)


def linear_probe(head: Head | None, image: np.ndarray, top_k: int) -> LinearProbe | None:
    """Return a head's `top_k` most probable classes for one image; None without a head.

    Parameters
    ----------
    head : Head or None
    image : numpy.ndarray, shape (d,)
        Image features, not normalised.
    top_k : int
    """
    if head is None:
        return None
    probabilities = head.predict_proba(image[None])[0]
    top = tuple(ProbeScore(head.classes_[i], float(probabilities[i])) for i in best(probabilities, top_k))
    return LinearProbe(head.provenance, top)


class HeadStore(ArtifactStore[Head]):
    """Heads by model and dataset; see `clip_demo.artifacts.ArtifactStore`."""

    def __init__(self, folders: Sequence[str | Path]):
        super().__init__(folders, _load_with_key)

    def put(self, head: Head, folder: str | Path | None = None) -> Path:
        """Save a head, by default in the last folder, and return it from now on, also where it cannot be saved."""
        self.remember(head, head.provenance.model_sha256, head.provenance.dataset)
        folder = self.folders[-1] if folder is None else folder
        try:
            return save_head(head, folder)
        except OSError as error:
            raise ArtifactError(
                f"head: it was fitted, but cannot be saved in {str(folder)!r} ({error.strerror or error}); fit it "
                "again with another folder, which takes less time: the features of the images are kept in the cache.",
                page=page_message_of(error, "The linear probe was fitted, but could not be saved."),
            ) from error

    def improve(self, head: Head) -> Head:
        """Put a head unless one fitted on as many images exists; return the one in use."""
        key = (head.provenance.model_sha256, head.provenance.dataset)
        for other in self.versions(*key):
            if other.provenance.n_train >= head.provenance.n_train:
                self.remember(other, *key)
                return other
        self.put(head)
        return head


def save_head(head: Head, folder: str | Path) -> Path:
    """Write a head as npz without pickle: ``coef``, ``intercept``, ``classes`` and the provenance as JSON text."""
    provenance = asdict(head.provenance)
    provenance["image_set"] = provenance.pop("dataset")  # the key of all stored heads so far
    return write_npz(
        Path(folder) / file_name(head.provenance.model, head.provenance.dataset),
        coef=head.coef,
        intercept=head.intercept,
        classes=np.array(head.classes_, dtype=np.str_),
        metadata=np.array(json.dumps(provenance)),
    )


def load_head(path: str | Path) -> Head:
    """Open a head.

    Raises
    ------
    HeadError
        When the file is not a head.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            provenance = json.loads(str(stored["metadata"]))
            provenance["dataset"] = provenance.pop("image_set")
            classes = tuple(map(str, stored["classes"]))
            head = Head(stored["coef"], stored["intercept"], classes, Provenance(**provenance))
    except Exception as error:  # A bad zip, npz, JSON or field: for the user they all mean the same.
        raise HeadError(
            f"head: {str(path)!r} is not a head ({type(error).__name__}: {error}); "
            "delete it, or fit it again with `python -m clip_demo fit-probe`."
        ) from error
    if head.coef.shape[:1] != head.intercept.shape or len(head.classes_) != len(head.intercept):
        raise HeadError(f"head: {str(path)!r} has parts of different lengths; fit it again.")
    if not (np.isfinite(head.coef).all() and np.isfinite(head.intercept).all()):
        raise HeadError(f"head: {str(path)!r} has weights that are infinite or no numbers; fit it again.")
    return head


def _load_with_key(path: Path) -> tuple[Head, str, str]:
    head = load_head(path)
    return head, head.provenance.model_sha256, head.provenance.dataset
