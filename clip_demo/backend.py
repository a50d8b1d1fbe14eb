"""The one service: everything that the page, the command line and the endpoints can do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from .backend import Prediction, Status
from .datasets.base import Dataset
from .datasets.catalog import open_datasets, resolve_dataset
from .errors import ModelError, OptionError
from .evaluation.ablations import NameRow, TemplateRow
from .evaluation.accuracy import Evaluation
from .evaluation.report import EvaluationReport
from .features.extract import encode_directly, encode_split
from .features.feature_store import FeatureStore, TestFeatures, save_features
from .linear_probe.few_shot_curve import CurveStore, FewShotCurve
from .linear_probe.head import Head, HeadStore, linear_probe
from .linear_probe.pipeline import Stores, make_head
from .models.catalog import AUTO, BUILT_IN, OPENAI_MODELS, PREFERRED, available_models, check_model
from .models.encoder import Encoder, Report
from .models.image_input import image_key, read_image
from .numerics import check_top_k
from .paths import CURVES, FEATURES, HEADS, cache_folder, weights_on_disk
from .serving.downloads import Downloads
from .serving.evaluator import Evaluator
from .serving.model_handle import LoadModel, ModelHandle
from .serving.model_pool import ModelPool
from .serving.probe_job import ProbeJobStatus
from .serving.probe_jobs_tmp import ProbeJobs
from .zero_shot.classifier import class_features, zero_shot_scores
from .zero_shot.prompt_set import PromptSet, check_baseline, check_whole_set, check_wording

__all__ = ["Backend"]


class Backend:
    """Zero-shot prediction beside a linear probe, for any image.

    Parameters
    ----------
    encoder : Encoder or callable
        The only model; or a function that loads one by its name, see `clip_demo.loading.LoadModel`. A function is
        called in the background, so that a server can answer before the model is there; predictions wait for it.
    model : str, optional
        The model that is on unless a call names another; default the encoder's own name.
    preferred : str, optional
        A model that takes over from `model` as soon as it is there. It begins to load at once; where that fails,
        `model` stays.
    datasets : dict of str to Dataset, optional
        Default: CIFAR-100 and Shapes-100.
    default_dataset : str, optional
        The dataset that is on unless a call names another; default CIFAR-100 where it is on disk, else
        Shapes-100.
    head_folders, feature_folders, curve_folders : sequence of path, optional
        Where heads, features of test sets and few-shot curves are looked for; the first match wins, and new ones go to
        the last. Default: ``assets`` and the cache.
    shard_folder : path, optional
        Where features of whole datasets are kept while heads are made; default in the cache.
    weights_root : path, optional
        The folder of OpenAI's weights, to tell which are there; default ``$CLIP_DEMO_WEIGHTS``, else ``~/.cache/clip``.

    Raises
    ------
    DatasetError
        When `default_dataset` is unknown.
    """

    def __init__(
        self,
        encoder: Encoder | LoadModel,
        *,
        model: str | None = None,
        preferred: str | None = None,
        datasets: dict[str, Dataset] | None = None,
        default_dataset: str | None = None,
        head_folders: Sequence[str | Path] | None = None,
        feature_folders: Sequence[str | Path] | None = None,
        curve_folders: Sequence[str | Path] | None = None,
        shard_folder: str | Path | None = None,
        weights_root: str | Path | None = None,
    ):
        self.datasets = open_datasets() if datasets is None else datasets
        if default_dataset is not None:
            resolve_dataset(self.datasets, default_dataset)
        self._default_images = default_dataset
        cache = cache_folder()
        self._heads = HeadStore([HEADS, cache / "heads"] if head_folders is None else head_folders)
        self._stored = FeatureStore([FEATURES, cache / "features"] if feature_folders is None else feature_folders)
        self._desk = Evaluator(self._stored, self._heads)
        self._curves = CurveStore([CURVES, cache / "curves"] if curve_folders is None else curve_folders)
        self._fetches = Downloads()
        shards = Path(shard_folder or cache / "shards")
        self._stores = Stores(self._heads, self._stored, self._curves, shards, self._zero_shot)
        self._builds = ProbeJobs(self._stores, self._fetches)
        if hasattr(encoder, "encode_images"):
            self._shelf = ModelPool(lambda name, progress: encoder, [model or encoder.name])
        else:
            names = dict.fromkeys((model or BUILT_IN, *available_models()))
            self._shelf = ModelPool(encoder, list(names), preferred, available=partial(_on_disk, weights_root))

    @classmethod
    def open(
        cls,
        model: str = BUILT_IN,
        *,
        dataset: str | None = None,
        data_root: str | Path | None = None,
        weights_root: str | Path | None = None,
        device: str | None = None,
        hold: threading.Event | None = None,
    ) -> Backend:
        """Return a backend for a model by its name or checkpoint; the model loads in the background.

        Parameters
        ----------
        model : str
            ``"tiny"``, a name of ``clip.available_models()``, a path to a checkpoint, or ``"auto"``: the built-in
            model at once, and ViT-B/32 as soon as it is downloaded and loaded.
        images : {"cifar100", "shapes100"}, optional
            The default dataset.
        data_root : path, optional
            The folder that holds ``cifar-100-python``; default ``$CLIP_DEMO_DATA``, else ``~/.cache``.
        weights_root : path, optional
            The folder of OpenAI's weights; default ``$CLIP_DEMO_WEIGHTS``, else ``~/.cache/clip``.
        device : str, optional
            Where models run; default a GPU where there is one.
        hold : threading.Event, optional
            Models begin to load when it is set; default at once. A server that starts has the processor for itself.

        Raises
        ------
        ModelError, DatasetError
            At once, when a name is unknown or `data_root` is no folder; `status` tells of what fails later.
        """
        if model != AUTO:
            check_model(model)

        def load(name: str, progress: Callable[[int, int], None]) -> Encoder:
            if hold is not None:
                hold.wait()
            # Imported here, in the background: torch takes seconds, and a server should answer before that.
            from .models.load import load_model

            return load_model(name, device=device, weights_root=weights_root, progress=progress)

        return cls(
            load,
            model=BUILT_IN if model == AUTO else model,
            preferred=PREFERRED if model == AUTO else None,
            datasets=open_datasets(data_root),
            default_dataset=dataset,
            weights_root=weights_root,
        )

    # --- models ---------------------------------------------------------------------------------------------------

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that calls may name."""
        return self._shelf.names

    @property
    def default_model(self) -> str:
        """Name of the model that is on unless a call names another."""
        return self._shelf.default

    @property
    def preferred_model(self) -> str:
        """Name of the model that is the default as soon as it is there."""
        return self._shelf.preferred

    @property
    def encoder(self) -> Encoder:
        """The default model; waits until it is loaded, and raises a ModelError where that failed."""
        return self._shelf.get().encoder

    def use(self, model: str) -> None:
        """Begin to load a model in the background, downloading it where it must; `status` tells how far it is."""
        self._shelf.retry(model)

    # --- what is on -------------------------------------------------------------------------------------------

    @property
    def default_dataset(self) -> str:
        """Name of the dataset that is on unless a call names another."""
        return self._dataset(None).name

    def status(self, model: str | None = None) -> Status:
        """Say where a model (default: the default model) and the datasets stand; answers at once."""
        name = model or self.default_model
        on, loading = self._shelf.status(name), self._shelf.peek(name)
        return Status(
            model=name,
            model_note=loading.encoder.note if loading and on.state == "ready" else "",
            state=on.state,
            message=on.message,
            datasets=tuple(self._fetches.status(each) for each in self.datasets.values()),
            default_dataset=self.default_dataset,
            models=tuple(self._shelf.status(each) for each in self.models),
            default_model=self.default_model,
        )

    def fetch(self, dataset: str) -> None:
        """Start the download of an dataset in the background; `status` tells how far it is.

        A second call while one runs changes nothing; a call after a failure tries again.
        """
        self._fetches.start(resolve_dataset(self.datasets, dataset))

    def head(self, dataset: str | None = None, model: str | None = None) -> Head | None:
        """Return the head that was fitted on this model and dataset, or None where there is none."""
        return self._heads.get(self._shelf.get(model).encoder.sha256, self._dataset(dataset).name)

    # --- predictions --------------------------------------------------------------------------------------------

    def predict(
        self,
        *,
        image: Image.Image | str | Path | bytes | None = None,
        index: int | None = None,
        dataset: str | None = None,
        classnames: Iterable[str] | None = None,
        templates: Iterable[str] | None = None,
        replace_underscores: bool = False,
        top_k: int = 5,
        model: str | None = None,
    ) -> Prediction:
        """Predict one image both ways.

        Parameters
        ----------
        image : PIL image, path or bytes, optional
            An image of the user's own. Exactly one of `image` and `index` is given.
        index : int, optional
            An image of the dataset's test split, 0 to 9999.
        images : {"cifar100", "shapes100"}, optional
            The dataset: it gives `index` its meaning, the default class list, and the probe its head.
        classnames : iterable of str, optional
            What zero-shot prediction chooses among; default the dataset's own 100 names.
        templates : iterable of str, optional
            One prompt template with ``{}``, or several for an ensemble; default the article's.
        spaces : bool
            Whether underscores of class names become spaces in the prompts.
        top_k : int
            How many answers of each, at least 1; fewer come where there are fewer classes.
        model : str, optional
            One of `models`; default `default_model`.

        Returns
        -------
        Prediction

        Raises
        ------
        InputError
            When an argument is not allowed; each kind has its own subclass.
        ModelError, DatasetError
            When the model or the dataset cannot be used.
        """
        dataset = self._dataset(dataset)
        wording = check_wording(dataset, classnames, templates, replace_underscores)
        top_k = check_top_k(top_k)
        if (image is None) == (index is None):
            came = "neither" if image is None else "both"
            raise OptionError(f"image, index: {came} came; give one of them: an image, or an index of an dataset.")
        chosen = self._ready(model)
        if index is None:
            image, truth = chosen.features.image_features(image_key(image), partial(read_image, image)), None
        else:
            image, truth = self._of_index(chosen, dataset, dataset.check_index(index))
        weights = class_features(chosen.features, wording.classnames, wording.templates, wording.replace_underscores)
        return Prediction(
            model=chosen.name,
            dataset=dataset.name,
            index=None if index is None else int(index),
            truth=truth,
            zero_shot=zero_shot_scores(weights, image, chosen.encoder.logit_scale, wording.classnames, top_k),
            linear_probe=linear_probe(self._heads.get(chosen.encoder.sha256, dataset.name), image, top_k),
        )

    def _ready(self, model: str | None) -> ModelHandle:
        """Return a model; only for the default one a call waits until it is there."""
        chosen = self._shelf.get(model)
        if chosen.name != self.default_model and chosen.state in ("fetching", "loading"):
            raise ModelError(f"model: {chosen.message} Ask again in a while, or use {self.default_model!r}.")
        return chosen

    def _dataset(self, name: str | None) -> Dataset:
        return resolve_dataset(self.datasets, name or self._default_images)

    def _of_index(self, chosen: ModelHandle, dataset: Dataset, index: int) -> tuple[np.ndarray, str]:
        """Return the features and the true class of a test image; stored ones where the images are not there."""
        stored = None if dataset.available() else self._stored.get(chosen.encoder.sha256, dataset.name)
        if stored is not None:
            return stored.features[index], dataset.classnames[stored.labels[index]]
        image = chosen.features.image_features((dataset.name, index), partial(dataset.image, index))
        return image, dataset.classnames[dataset.label(index)]

    # --- whole datasets ----------------------------------------------------------------------------------------

    def wording(
        self,
        *,
        dataset: str | None = None,
        classnames: Iterable[str] | None = None,
        templates: Iterable[str] | None = None,
        replace_underscores: bool = False,
    ) -> PromptSet:
        """Return the wording that is meant for a whole test set, checked; see `examine` for the arguments."""
        return check_whole_set(self._dataset(dataset), classnames, templates, replace_underscores)

    def evaluate(self, **arguments) -> Evaluation:
        """Return the zero-shot accuracy over the whole test set; for the arguments see `examine`."""
        return self.examine(**arguments).evaluation

    def examine(
        self,
        *,
        dataset: str | None = None,
        classnames: Iterable[str] | None = None,
        templates: Iterable[str] | None = None,
        replace_underscores: bool = False,
        model: str | None = None,
        baseline: PromptSet | None = None,
        progress: Report | None = None,
    ) -> EvaluationReport:
        """Hold a wording against the whole test set: accuracies, confusions, calibration, single images.

        The images' features are computed once and kept; the last few wordings are remembered.

        Parameters
        ----------
        images, templates, spaces, model
            See `predict`.
        classnames : iterable of str, optional
            Other spellings of the dataset's classes, one for each, in its order.
        baseline : PromptSet, optional
            What the wording is compared with, on the same images.
        progress : callable, optional
            See `clip_demo.encoder.Report`; may raise `clip_demo.errors.Cancelled`.

        Raises
        ------
        InputError, ModelError, DatasetError, HeadError
            See `predict`.
        """
        dataset = self._dataset(dataset)
        wording = check_whole_set(dataset, classnames, templates, replace_underscores)
        baseline = check_baseline(dataset, baseline)
        return self._desk.examine(self._ready(model), dataset, wording, baseline, progress)

    def templates_report(
        self,
        *,
        dataset: str | None = None,
        classnames: Iterable[str] | None = None,
        templates: Iterable[str] | None = None,
        replace_underscores: bool = False,
        model: str | None = None,
        progress: Report | None = None,
    ) -> tuple[TemplateRow, ...]:
        """Measure every template alone, and the ensemble without it; see `examine` for the arguments."""
        dataset = self._dataset(dataset)
        wording = check_whole_set(dataset, classnames, templates, replace_underscores)
        return self._desk.templates(self._ready(model), dataset, wording, progress)

    def try_names(
        self,
        classname: str,
        names: Iterable[str],
        *,
        dataset: str | None = None,
        classnames: Iterable[str] | None = None,
        templates: Iterable[str] | None = None,
        replace_underscores: bool = False,
        model: str | None = None,
        progress: Report | None = None,
    ) -> tuple[NameRow, ...]:
        """Measure other names for one class.

        Parameters
        ----------
        classname : str
            One of the class names as they stand.
        names : iterable of str
            From 1 to 50 others.
        images, classnames, templates, spaces, model, progress
            See `examine`.
        """
        dataset = self._dataset(dataset)
        wording = check_whole_set(dataset, classnames, templates, replace_underscores)
        position = wording.position(classname)
        wordings = [wording, *wording.renamed(position, names)]
        return self._desk.names(self._ready(model), dataset, wordings, position, progress)

    def store_features(self, dataset: str | None = None, *, folder: str | Path, progress: Report | None = None) -> Path:
        """Write the features of all test images, computed anew, in compact form; return the file."""
        dataset = self._dataset(dataset)
        features = encode_split(encode_directly(self.encoder), dataset, "test", progress)
        test = TestFeatures(features, dataset.labels())
        return save_features(test, folder, self.encoder, dataset, compact=True)

    # --- linear probes --------------------------------------------------------------------------------------------

    def fit_probe(
        self,
        dataset: str | None = None,
        *,
        folder: str | Path,
        progress: Report | None = None,
        **options,
    ) -> tuple[Path, Head]:
        """Fit a head by the article's recipe on all training images, test it on all test images, and save it.

        Features are kept in the cache, so that work that is cut off goes on where it was.

        Parameters
        ----------
        images : {"cifar100", "shapes100"}, optional
            The dataset.
        folder : path
            Where the head goes.
        progress : callable, optional
            See `clip_demo.encoder.Report`.
        **options
            Passed to `clip_demo.builds.make_head`: ``C``, ``normalized``, ``swept`` and ``curve_folder``.

        Returns
        -------
        path : pathlib.Path
        head : Head
        """
        head = make_head(self._stores, self._shelf.get(), self._dataset(dataset), progress, **options)
        return self._heads.put(head, folder), head

    # --- heads in the background ----------------------------------------------------------------------------------

    def build(self, dataset: str | None = None, model: str | None = None, *, if_missing: bool = False) -> None:
        """Start the job that fits a head and its few-shot curve in the background; `build_status` tells how far it is.

        It waits for the model and the dataset, fetching them where it must, and goes on where an earlier one was
        stopped. While it runs, a second call for the same changes nothing.

        Parameters
        ----------
        images, model : str, optional
            As in `predict`.
        if_missing : bool
            Do nothing where a head on all training images is there already.

        Raises
        ------
        OptionError
            While a job for another model or dataset runs.
        """
        dataset = self._dataset(dataset)
        self._builds.start(self._shelf.retry(model or self.default_model), dataset, if_missing)

    def cancel_build(self) -> None:
        """Let the job stop after the batch, or the fit, that it is at; what it computed stays on disk."""
        self._builds.stop()

    def build_status(self, dataset: str | None = None, model: str | None = None) -> ProbeJobStatus | None:
        """Say where the latest job for a model and an dataset stands; None where there was none. Never waits."""
        return self._builds.status(model or self.default_model, self._dataset(dataset).name)

    def curve(self, dataset: str | None = None, model: str | None = None) -> FewShotCurve | None:
        """Return the few-shot curve, stored or as far as it has come; None where there is none. Waits for the model."""
        return self._curves.get(self._shelf.get(model).encoder.sha256, self._dataset(dataset).name)

    def _zero_shot(self, dataset: str, model: str) -> float:
        return self.evaluate(dataset=dataset, model=model).top1


def _on_disk(weights_root: str | Path | None, name: str) -> bool:
    return name not in OPENAI_MODELS or weights_on_disk(name, weights_root)
