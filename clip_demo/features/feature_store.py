"""Features of a whole test set, computed once for a model and an dataset."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..artifacts import Store, write_npz
from ..datasets.base import Dataset
from ..errors import HeadError
from ..models.encoder import Encoder, Report
from .extract import Encode, encode_directly, encode_split

__all__ = ["FeatureStore", "TestFeatures", "load_features", "save_features"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TestFeatures:
    """Image features and labels of a test set.

    Attributes
    ----------
    features : numpy.ndarray, shape (n, d), float32
        As `encode_images` gives them: not normalised.
    labels : numpy.ndarray, shape (n,), int64
        Positions in the dataset's class names.
    """

    __test__ = False  # pytest takes every name that begins with Test for a test

    features: np.ndarray
    labels: np.ndarray


class FeatureStore(Store[TestFeatures]):
    """Test features by model and dataset; new ones go to the last folder. See `clip_demo.store.Store`."""

    def __init__(self, folders: Sequence[str | Path]):
        super().__init__(folders, load_features)

    def of(
        self,
        encoder: Encoder,
        dataset: Dataset,
        progress: Report | None = None,
        encode: Encode | None = None,
    ) -> TestFeatures:
        """Return the test features of a model on an dataset, computed and kept where they are not stored yet.

        They are computed by `encode` where it is given, else straight by the encoder.
        """
        found = self.get(encoder.sha256, dataset.name)
        if found is None:
            found = TestFeatures(
                encode_split(encode or encode_directly(encoder), dataset, "test", progress), dataset.labels()
            )
            self.keep(found, encoder, dataset)
        return found

    def keep(self, data: TestFeatures, encoder: Encoder, dataset: Dataset) -> None:
        """Use `data` from now on, and store it in the last folder."""
        self.remember(data, encoder.sha256, dataset.name)
        if self.folders:
            try:
                save_features(data, self.folders[-1], encoder, dataset)
            except OSError as error:  # A cache that cannot be written costs time, not the answer.
                logger.warning("features are not kept in %s (%s)", self.folders[-1], error)


def save_features(
    data: TestFeatures, folder: str | Path, encoder: Encoder, dataset: Dataset, *, compact: bool = False
) -> Path:
    """Write test features as npz without pickle.

    Parameters
    ----------
    data : TestFeatures
    folder : path
    encoder, dataset
        What they belong to.
    compact : bool
        Store sixteen bits a number, scaled for each image by its largest; else 32. What eight would cost is seen:
        of 10,000 images a dozen are then answered otherwise.

    Returns
    -------
    pathlib.Path
    """
    stored = {"features": data.features.astype(np.float32)}
    if compact:
        scale = np.abs(data.features).max(axis=1, keepdims=True) / 32767  # (n, 1)
        stored = {"features": np.rint(data.features / scale).astype(np.int16), "scale": scale.astype(np.float32)}
    return write_npz(
        folder,
        encoder.name,
        dataset.name,
        **stored,
        labels=data.labels.astype(np.uint8),
        model_sha256=np.array(encoder.sha256),
        dataset=np.array(dataset.name),
    )


def load_features(path: str | Path) -> tuple[TestFeatures, str, str]:
    """Open test features.

    Returns
    -------
    data : TestFeatures
    model_sha256 : str
    dataset : str

    Raises
    ------
    HeadError
        When the file holds no test features.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            features = stored["features"].astype(np.float32)
            if "scale" in stored:
                features *= stored["scale"]
            data = TestFeatures(features, stored["labels"].astype(np.int64))
            return data, str(stored["model_sha256"]), str(stored["dataset"])
    except Exception as error:  # zip, npz and field errors all mean the same to the user.
        raise HeadError(
            f"features: {str(path)!r} holds no test features ({type(error).__name__}: {error}); take it away."
        ) from error
