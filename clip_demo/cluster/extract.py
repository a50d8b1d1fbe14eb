"""Feature extraction with Ray Data: the images of a dataset, encoded by actors that read them where they lie."""

import os
from collections.abc import Callable, Iterator
from types import ModuleType

import numpy as np

from ..datasets.base import Dataset
from ..datasets.catalog import open_chosen
from ..datasets.folder import FolderDataset
from ..errors import ClipDemoError, DatasetError, ModelError, OptionError
from ..features.extract import damaged_rows, encode_directly, joined
from ..features.shards import ROWS
from ..models.encoder import Encoder
from .remote_errors import error_in


class RayExtract:
    """An `clip_demo.features.extract.Extract` on all machines of a Ray session.

    Each actor holds the model and encodes a shard's images at a time. One that dies is replaced, and its images are
    encoded again.

    Parameters
    ----------
    ray : module
        Connected; see `clip_demo.cluster.session.ray_session`.
    load : callable
        Returns the model, in the process of an actor.
    encoder : Encoder
        The same model in this process, whose checksum the actors' must have.
    data_root : str, optional
        Folder of CIFAR-100; see `clip_demo.datasets.catalog.open_datasets`. Default: this machine's $CLIP_DEMO_DATA.

    Attributes
    ----------
    wants_all : bool
        Starting the actors takes seconds, so they are asked for all images in one call.
    """

    wants_all = True

    def __init__(self, ray: ModuleType, load: Callable[[], Encoder], encoder: Encoder, data_root: str | None = None):
        self._ray, self._load, self._encoder = ray, load, encoder
        self._data_root = data_root or os.environ.get("CLIP_DEMO_DATA") or None

    def __call__(self, dataset: Dataset, split: str, ids: np.ndarray) -> Iterator[np.ndarray]:
        """Yield features in the order of the ids, some hundred rows at a time; see `Extract`."""
        data = self._ray.data
        context = data.DataContext.get_current()
        context.execution_options.preserve_order, context.enable_progress_bars = True, False
        # Made here, so that no task needs one of the cores, which the actors have.
        blocks = data.from_numpy([ids[start : start + ROWS] for start in range(0, len(ids), ROWS)])
        worker = {
            "load": self._load,
            "dataset": (self._data_root, _argument(dataset), split),
            "expected": (self._encoder.sha256, dataset.files_key),
        }
        try:
            features = blocks.map_batches(
                _Worker, fn_constructor_kwargs=worker, batch_size=None, batch_format="numpy", **self._resources()
            )
            start = 0
            for batch in features.iter_batches(batch_size=None, batch_format="numpy"):
                rows = batch["features"]
                _check_damaged(dataset, split, ids[start : start + len(rows)][damaged_rows(rows)])
                yield rows
                start += len(rows)
        except ClipDemoError:
            raise
        except Exception as error:
            raise error_in(str(error)) or error from error

    def _resources(self) -> dict:
        """Return how many actors there are, and what each has: a GPU, or as many cores as the smallest machine."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if gpus := int(sum(node.get("GPU", 0) for node in nodes)):
            return {"compute": self._ray.data.ActorPoolStrategy(size=gpus), "num_gpus": 1, "num_cpus": 1}
        cores = [int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1]
        if not cores:
            raise OptionError("ray: no machine of the cluster offers a processor core or a GPU; start some with more.")
        each = min(cores)
        size = sum(number // each for number in cores)
        return {"compute": self._ray.data.ActorPoolStrategy(size=size), "num_cpus": each}


class _Worker:
    """An actor: a model and a dataset, opened on its machine.

    Parameters
    ----------
    load : callable
    dataset : tuple of (str or None, str, str)
        Data root, what ``--dataset`` takes, and the split.
    expected : tuple of (str, str)
        Checksum of the model, and `Dataset.files_key`.
    """

    def __init__(self, load: Callable[[], Encoder], dataset: tuple[str | None, str, str], expected: tuple[str, str]):
        root, argument, self._split = dataset
        sha256, key = expected
        encoder = load()
        if encoder.sha256 != sha256:
            raise ModelError(
                f"model: on the machine {_machine()} it has the SHA-256 {encoder.sha256}, and here {sha256}; bring the "
                "same weights to all machines."
            )
        datasets, name = open_chosen(root, argument)
        self._dataset = datasets[name]
        if not self._dataset.available() or self._dataset.files_key != key:
            raise DatasetError(
                f"dataset: {argument!r} on the machine {_machine()} is not there or has other files than here; bring "
                "the same files to all machines, or use a folder that all of them see."
            )
        self._extract, self._width = encode_directly(encoder), encoder.encode_texts(["a photo"]).shape[1]

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        rows = joined([*self._extract(self._dataset, self._split, batch["data"])])
        # Also where all images are damaged: the batches of a dataset of Ray have one width.
        return {"features": np.ascontiguousarray(np.broadcast_to(rows, (len(rows), self._width)))}


def _check_damaged(dataset: Dataset, split: str, ids: np.ndarray) -> None:
    """Raise a DatasetError where an image that an actor could not read can be read here: its machine has a problem."""
    for each, image in zip(ids.tolist(), dataset.readable_images(ids, split), strict=True):
        if image is not None:
            raise DatasetError(
                f"dataset: image {each} of the {split} split of {dataset.title} can be read here, and not on a machine "
                "of the cluster; see that its folder is there, and start again: what was encoded is kept."
            )


def _machine() -> str:
    import ray

    return ray.util.get_node_ip_address()


def _argument(dataset: Dataset) -> str:
    """Return what ``--dataset`` takes for a dataset, from any working directory."""
    return str(dataset.folder.absolute()) if isinstance(dataset, FolderDataset) else dataset.name
