"""The store of test features: those of a whole test set, computed once per model and dataset."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..artifacts import ArtifactStore, atomic_write, file_name, write_npz
from ..datasets.base import Dataset
from ..errors import ArtifactError
from ..models.encoder import Encoder
from ..progress import Progress
from .extract import Extract, encode_directly, encode_split
from .nearest import blocks

logger = logging.getLogger(__name__)

_MAPPED = 200_000_000  # bytes of features; larger ones are not read into memory


@dataclass(frozen=True)
class TestFeatures:
    """Image features and labels of a test set.

    Attributes
    ----------
    features : numpy.ndarray, shape (n, d), float32
        Not normalised. Memory-mapped where they were stored and are large.
    labels : numpy.ndarray, shape (n,), int64
        Positions in the dataset's class names.
    """

    __test__ = False  # pytest would collect any class whose name begins with Test

    features: np.ndarray
    labels: np.ndarray


class FeatureStore(ArtifactStore[TestFeatures]):
    """Test features by model and dataset; see `clip_demo.artifacts.ArtifactStore`."""

    def __init__(self, folders: Sequence[str | Path]):
        super().__init__(folders, load_features)

    def get_or_encode(
        self, encoder: Encoder, dataset: Dataset, extract: Extract, progress: Progress | None = None
    ) -> TestFeatures:
        """Return the test features of a model on a dataset; computed and stored where they are missing."""
        found = self.get(encoder.sha256, dataset.key)
        # Others may have been stored before it was found that some images are damaged.
        if found is None or len(found.labels) != dataset.sizes["test"]:
            found = TestFeatures(encode_split(extract, dataset, "test", progress), dataset.labels())
            self.put(found, encoder, dataset)
        return found

    def put(self, data: TestFeatures, encoder: Encoder, dataset: Dataset) -> None:
        """Return `data` from now on, and store it in the last folder."""
        self.remember(data, encoder.sha256, dataset.key)
        if self.folders:
            try:
                save_features(data, self.folders[-1], encoder, dataset)
            except OSError as error:  # A cache that cannot be written costs time, but the answer is right.
                logger.warning("features cannot be stored in %s (%s)", self.folders[-1], error)


def save_features(
    data: TestFeatures, folder: str | Path, encoder: Encoder, dataset: Dataset, *, compact: bool = False
) -> Path:
    """Write test features as npz without pickle.

    Parameters
    ----------
    data : TestFeatures
    folder : path
    encoder, dataset
        What the features belong to.
    compact : bool
        Store 16 bits per number, scaled by the largest of each image, instead of 32. With 8 bits, predictions of a
        dozen of 10,000 images change.

    Returns
    -------
    pathlib.Path
    """
    path, arrays = Path(folder) / file_name(encoder.name, dataset.key), {"features": data.features.astype(np.float32)}
    if compact:
        scale = np.abs(data.features).max(axis=1, keepdims=True) / 32767  # (n, 1)
        arrays = {"features": np.rint(data.features / scale).astype(np.int16), "scale": scale.astype(np.float32)}
    elif data.features.nbytes > _MAPPED:
        arrays = {"mapped": np.array(data.features.shape)}
        with atomic_write(_mapped(path, encoder.sha256)) as temporary, temporary.open("wb") as file:
            np.save(file, data.features.astype(np.float32, copy=False), allow_pickle=False)
    return write_npz(
        path,
        **arrays,
        labels=data.labels.astype(np.min_scalar_type(len(dataset.classnames))),
        model_sha256=np.array(encoder.sha256),
        image_set=np.array(dataset.key),  # the key of all stored features so far
    )


def encode_and_save(encoder: Encoder, dataset: Dataset, folder: str | Path, progress: Progress | None = None) -> Path:
    """Encode all test images, and write their features in compact form; see `save_features`."""
    features = encode_split(encode_directly(encoder), dataset, "test", progress)
    return save_features(TestFeatures(features, dataset.labels()), folder, encoder, dataset, compact=True)


def _mapped(path: str | Path, model_sha256: str) -> Path:
    """Return the file of features that are memory-mapped; two files are no atomic write, so its name has the model."""
    return Path(path).with_suffix(f".{model_sha256[:16]}.npy")


def is_compact(path: str | Path) -> bool:
    """Whether a file of test features has 16 bits per number; see `save_features`."""
    with np.load(path, allow_pickle=False) as stored:
        return "scale" in stored


def load_features(path: str | Path) -> tuple[TestFeatures, str, str]:
    """Open test features.

    Returns
    -------
    data : TestFeatures
    model_sha256 : str
    dataset : str

    Raises
    ------
    ArtifactError
        When the file does not hold test features.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            sha256 = str(stored["model_sha256"])
            if "mapped" in stored:
                features = np.load(_mapped(path, sha256), mmap_mode="r", allow_pickle=False)
                if features.dtype != np.float32 or features.shape != tuple(stored["mapped"]):
                    raise ValueError(f"the features have the shape {features.shape}")
            else:
                features = stored["features"].astype(np.float32)
            if "scale" in stored:
                features *= stored["scale"]
            for block in blocks(features):
                if not (np.isfinite(block).all() and block.any(axis=1).all()):
                    raise ValueError("some are infinite, zero or no numbers")
            return TestFeatures(features, stored["labels"].astype(np.int64)), sha256, str(stored["image_set"])
    except Exception as error:  # A bad zip, npz or field: for the user they all mean the same.
        raise ArtifactError(
            f"features: {str(path)!r} does not hold test features ({type(error).__name__}: {error}); delete it."
        ) from error
