"""Fits, saves and opens a linear head; the only file that imports scikit-learn."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ..artifacts import Store, write_npz
from ..errors import HeadError, OptionError
from ..numerics import best, normalize, softmax
from .head import LinearProbe, ProbeScore, Provenance

__all__ = ["RECIPE", "Head", "HeadStore", "fit_head", "linear_probe", "load_head", "package_versions", "save_head"]

# The recipe of openai/CLIP's README, section "Linear-probe evaluation", which the article follows.
RECIPE = {"random_state": 0, "C": 0.316, "max_iter": 1000}


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
        Where it comes from.
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
            As `encode_images` gives them; normalised here where the head was fitted on normalised ones.

        Returns
        -------
        numpy.ndarray, shape (n, n_classes), float64
            Rows sum to 1.
        """
        if features.shape[-1] != self.coef.shape[1]:
            raise HeadError(
                f"head: it takes features of {self.coef.shape[1]} numbers, {features.shape[-1]} came; "
                f"use it with {self.provenance.model} or fit one for this model."
            )
        if self.provenance.normalized:
            features = normalize(features)
        logits = features.astype(np.float64) @ self.coef.T + self.intercept
        return softmax(logits)


def linear_probe(head: Head | None, image: np.ndarray, top_k: int) -> LinearProbe | None:
    """Return a head's best classes for one image, most probable first; None without a head.

    Parameters
    ----------
    head : Head or None
    image : numpy.ndarray, shape (d,)
        Image features as `encode_images` gives them.
    top_k : int
        How many classes.
    """
    if head is None:
        return None
    probabilities = head.predict_proba(image[None])[0]
    top = tuple(ProbeScore(head.classes_[i], float(probabilities[i])) for i in best(probabilities, top_k))
    return LinearProbe(head.provenance, top)


def fit_head(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
    *,
    classnames: Sequence[str],
    model: str,
    model_sha256: str,
    dataset: str,
    C: float = RECIPE["C"],
    max_iter: int = RECIPE["max_iter"],
    random_state: int = RECIPE["random_state"],
    normalized: bool = False,
    note: str = "",
) -> Head:
    """Fit a head by the article's recipe and test it.

    Parameters
    ----------
    train_features, test_features : numpy.ndarray, shape (n, d)
        As `encode_images` gives them: not normalised.
    train_labels, test_labels : numpy.ndarray, shape (n,), int
        Positions in `classnames`.
    classnames : sequence of str
        All class names.
    model, model_sha256, dataset : str
        For the provenance.
    C, max_iter, random_state
        Handed to scikit-learn's ``LogisticRegression``.
    normalized : bool
        L2-normalise the features first. The article does not.
    note : str
        For the provenance.

    Returns
    -------
    Head

    Raises
    ------
    OptionError
        When `C` or `max_iter` is not positive.
    """
    if not C > 0 or not max_iter >= 1:
        raise OptionError(
            f"C, max_iter: {C!r} and {max_iter!r} came; both must be positive, as in the article's {RECIPE}."
        )
    # Imported late: it takes a second, and only fitting needs it.
    from sklearn.linear_model import LogisticRegression

    if normalized:
        train_features, test_features = normalize(train_features), normalize(test_features)
    classifier = LogisticRegression(random_state=random_state, C=C, max_iter=max_iter)
    classifier.fit(train_features, train_labels)
    provenance = Provenance(
        model=model,
        model_sha256=model_sha256,
        dataset=dataset,
        n_train=len(train_labels),
        n_test=len(test_labels),
        C=float(C),
        max_iter=int(max_iter),
        n_iter=int(classifier.n_iter_.max()),
        random_state=random_state,
        normalized=normalized,
        test_accuracy=float(np.mean(classifier.predict(test_features) == test_labels)),
        versions=package_versions(),
        date=datetime.date.today().isoformat(),
        note=note,
    )
    return Head(
        classifier.coef_.astype(np.float32),
        classifier.intercept_.astype(np.float32),
        tuple(classnames[i] for i in classifier.classes_),
        provenance,
    )


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that a head depends on."""
    return {name: version(name) for name in ("scikit-learn", "numpy", "torch", "torchvision")}


def save_head(head: Head, folder: str | Path) -> Path:
    """Write a head as npz without pickle; see `clip_demo.store.write_npz`."""
    return write_npz(
        folder,
        head.provenance.model,
        head.provenance.dataset,
        coef=head.coef,
        intercept=head.intercept,
        classes=np.array(head.classes_, dtype=np.str_),
        metadata=np.array(json.dumps(asdict(head.provenance))),
    )


def load_head(path: str | Path) -> Head:
    """Open a head.

    Raises
    ------
    HeadError
        When the file is not a head.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            provenance = Provenance(**json.loads(str(data["metadata"])))
            head = Head(data["coef"], data["intercept"], tuple(map(str, data["classes"])), provenance)
    except Exception as error:  # zip, npz, JSON and field errors all mean the same to the user.
        raise HeadError(
            f"head: {str(path)!r} is not a head ({type(error).__name__}: {error}); "
            "take it away or make it again with `python -m clip_demo fit-probe`."
        ) from error
    if head.coef.shape[:1] != head.intercept.shape or len(head.classes_) != len(head.intercept):
        raise HeadError(f"head: {str(path)!r} has parts of different length; make it again.")
    return head


class HeadStore(Store[Head]):
    """Heads by model and dataset; see `clip_demo.store.Store`."""

    def __init__(self, folders: Sequence[str | Path]):
        super().__init__(folders, _load_with_key)

    def put(self, head: Head, folder: str | Path) -> Path:
        """Save a head and use it from now on."""
        path = save_head(head, folder)
        self.remember(head, head.provenance.model_sha256, head.provenance.dataset)
        return path

    def improve(self, head: Head, folder: str | Path) -> Head:
        """Put a head unless one that knows as many training images is there; return the one that is used."""
        key = (head.provenance.model_sha256, head.provenance.dataset)
        # On disk too: meanwhile another process may have made a better one.
        for other in filter(None, (self.get(*key), self._find(key))):
            if other.provenance.n_train >= head.provenance.n_train:
                self.remember(other, *key)
                return other
        self.put(head, folder)
        return head


def _load_with_key(path: Path) -> tuple[Head, str, str]:
    head = load_head(path)
    return head, head.provenance.model_sha256, head.provenance.dataset
