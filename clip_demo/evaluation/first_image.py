"""The first image: one that both methods classify correctly until its class is removed from the class list."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..artifacts import ArtifactStore, atomic_write, file_name
from ..datasets.base import Dataset
from ..errors import ArtifactError
from ..models.encoder import Encoder
from ..numerics import softmax
from .labelled_images import LabelledImages
from .predictions import Predictions

MIN_PROBABILITY = 0.6
# The first thing that a visitor sees shall not be a person who is mistaken for an animal or a thing.
PEOPLE = "people"
_SUFFIX = ".first-image.json"


@dataclass(frozen=True)
class FirstImage:
    """The test image that a visitor sees first.

    Attributes
    ----------
    index : int
    truth : str
        The true class, which both methods predict.
    zero_shot, probe : float
        Its probabilities, 0 to 1.
    flip : str
        The zero-shot prediction once `truth` is removed from the class list.
    flip_probability : float
        Its probability there, 0 to 1.
    """

    index: int
    truth: str
    zero_shot: float
    probe: float
    flip: str
    flip_probability: float


def find_first_image(images: LabelledImages, predictions: Predictions) -> FirstImage | None:
    """Return the image on which the least certain of three predictions is the most certain.

    The three are the zero-shot prediction and the linear probe's, both correct, and the zero-shot prediction once the
    true class is removed from the class list. That one must be of another coarse class, so that it is a surprise; where
    there are none, each class counts as one.
    People are left out. The earlier of equal images is returned; None where no image has three probabilities of at
    least `MIN_PROBABILITY`.

    Parameters
    ----------
    images : LabelledImages
        With a head's predictions.
    predictions : Predictions
        With the dataset's own class names.
    """
    dataset, labels = images.dataset, images.labels
    rows = np.arange(len(labels))
    logits = images.logit_scale * predictions.cosines  # (n, n_classes)
    zero_shot = softmax(logits)[rows, labels]  # (n,)
    logits[rows, labels] = -np.inf  # as if the true class were not in the list
    flip, flip_probability = logits.argmax(axis=1), softmax(logits).max(axis=1)

    names = dataset.coarse_names or dataset.classnames
    coarse = np.array(dataset.coarse_of or range(len(names)))
    people = np.array([name == PEOPLE for name in names])[coarse]  # (n_classes,)
    allowed = predictions.correct & images.probe_correct & (coarse[flip] != coarse[labels])
    allowed &= ~people[labels] & ~people[flip]
    least = np.minimum.reduce([zero_shot, images.probe.confidence, flip_probability])
    least[~allowed] = 0
    index = int(least.argmax())
    if least[index] < MIN_PROBABILITY:
        return None
    return FirstImage(
        index=index,
        truth=dataset.classnames[labels[index]],
        zero_shot=float(zero_shot[index]),
        probe=float(images.probe.confidence[index]),
        flip=dataset.classnames[flip[index]],
        flip_probability=float(flip_probability[index]),
    )


class FirstImageStore(ArtifactStore[FirstImage]):
    """First images by model and dataset, in the folders of the heads; see `clip_demo.artifacts.ArtifactStore`."""

    def __init__(self, folders: Sequence[str | Path]):
        super().__init__(folders, _load_first_image, _SUFFIX)

    def put(self, first: FirstImage, encoder: Encoder, dataset: Dataset, folder: str | Path | None = None) -> Path:
        """Save a first image as JSON, by default in the last folder, and return it from now on."""
        path = Path(self.folders[-1] if folder is None else folder) / file_name(encoder.name, dataset.key, _SUFFIX)
        key = {"model": encoder.name, "model_sha256": encoder.sha256, "dataset": dataset.key}
        with atomic_write(path) as part:
            part.write_text(json.dumps(key | asdict(first), indent=1) + "\n", encoding="utf-8")
        self.remember(first, encoder.sha256, dataset.key)
        return path


def _load_first_image(path: Path) -> tuple[FirstImage, str, str]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        stored.pop("model")
        model_sha256, dataset = stored.pop("model_sha256"), stored.pop("dataset")
        return FirstImage(**stored), model_sha256, dataset
    except Exception as error:  # A bad file, JSON or field: for the user they all mean the same.
        raise ArtifactError(
            f"first image: {str(path)!r} does not hold one ({type(error).__name__}: {error}); "
            "delete it, or find it again with `python -m clip_demo first-image`."
        ) from error
