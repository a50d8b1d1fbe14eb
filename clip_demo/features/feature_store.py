"""The store of test features: those of a whole test set, computed once per model and dataset."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..artifacts import ArtifactStore, file_name, map_array, write_mappable_npz, write_npz
from ..datasets.base import Dataset
from ..errors import ArtifactError
from ..models.encoder import Encoder
from ..numerics import row_norms
from ..progress import Progress
from .extract import Extract, encode_directly, encode_split

logger = logging.getLogger(__name__)

_MAPPED = 200_000_000  # bytes of features; larger ones are not read into memory


@dataclass(frozen=True)
class TestFeatures:
    """Image features and labels of a test set.

    Attributes
    ----------
    features : numpy.ndarray, shape (n, d), float32
        Not normalised. Perhaps mapped from a file: those of a million images take 2 GB.
    labels : numpy.ndarray, shape (n,), int64
        Positions in the dataset's class names.
    """

    __test__ = False  # pytest would collect any class whose name begins with Test

    features: np.ndarray
    labels: np.ndarray

    @cached_property
    def norms(self) -> np.ndarray:
        """Lengths of the features, shape (n,), float32; computed once."""
        return row_norms(self.features)


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
            features = encode_split(extract, dataset, "test", progress)  # first: it may leave out damaged images
            found = self.put(TestFeatures(features, dataset.labels()), encoder, dataset)
        return found

    def put(self, data: TestFeatures, encoder: Encoder, dataset: Dataset) -> TestFeatures:
        """Store features in the last folder, and return them from now on: from the file, where it can be written."""
        if self.folders:
            try:
                path = save_features(data, self.folders[-1], encoder, dataset)
                data = TestFeatures(_mapped(path), data.labels)
            except OSError as error:  # A cache that cannot be written costs time, but the answer is right.
                logger.warning("features cannot be stored in %s (%s)", self.folders[-1], error)
        self.remember(data, encoder.sha256, dataset.key)
        return data


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
        Store 16 bits per number, scaled by the largest of each image and compressed, instead of 32, which can be mapped
        into memory. With 8 bits, predictions of a dozen of 10,000 images change.

    Returns
    -------
    pathlib.Path
    """
    write, arrays = write_mappable_npz, {"features": data.features.astype(np.float32, copy=False)}
    if compact:
        scale = np.abs(data.features).max(axis=1, keepdims=True) / 32767  # (n, 1)
        arrays = {"features": np.rint(data.features / scale).astype(np.int16), "scale": scale.astype(np.float32)}
        write = write_npz
    return write(
        Path(folder) / file_name(encoder.name, dataset.key),
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
    """Open test features; those that are neither compact nor of an earlier version stay on disk.

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
            features = _mapped(Path(path))
            if features is None:
                features = stored["features"].astype(np.float32)
                if "scale" in stored:
                    features *= stored["scale"]
            data = TestFeatures(features, stored["labels"].astype(np.int64))
            if len(data.features) != len(data.labels):
                raise ValueError("there are more of them than labels, or fewer")
            if not (np.isfinite(data.norms).all() and data.norms.all()):
                raise ValueError("some are infinite, zero or no numbers")
            return data, str(stored["model_sha256"]), str(stored["image_set"])
    except Exception as error:  # A bad zip, npz or field: for the user they all mean the same.
        raise ArtifactError(
            f"features: {str(path)!r} does not hold test features ({type(error).__name__}: {error}); delete it."
        ) from error


def _mapped(path: Path) -> np.ndarray | None:
    return map_array(path, "features", np.float32)
