"""The one service: everything that the page, the command line and the endpoints can do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from .serving.probe_jobs_tmp import Builds
from .linear_probe.pipeline import Stores, make_head
from .models.encoder import Encoder, Report
from .errors import ModelError, OptionError
from .evaluation.accuracy import Evaluation
from .serving.downloads import Fetches
from .datasets.base import ImageSet
from .datasets.catalog import open_image_sets, resolve_image_set
from .models.image_input import picture_key, read_picture
from .serving.evaluator import Desk
from .evaluation.report import Examination
from .evaluation.ablations import NameRow, TemplateRow
from .zero_shot.prompt_set import Wording, check_baseline, check_whole_set, check_wording
from .serving.model_handle import Loading, LoadModel
from .models.catalog import OPENAI_MODELS
from .models.catalog import AUTO, BUILT_IN, PREFERRED, available_models, check_model
from .numerics import check_top_k
from .paths import CURVES, FEATURES, HEADS, cache_folder, weights_on_disk
from .linear_probe.head import Head, HeadStore, linear_probe
from .linear_probe.few_shot_curve import CurveStore
from .features.extract import encode_split, straight
from .serving.probe_job import BuildStatus
from .linear_probe.few_shot_curve import FewShotCurve
from .backend import Prediction, Status
from .serving.model_pool import Shelf
from .features.feature_store import FeatureStore, TestFeatures, save_features
from .zero_shot.classifier import class_features, zero_shot_scores

__all__ = ["Backend"]


class Backend:
    """Zero-shot prediction beside a linear probe, for any picture.

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
    image_sets : dict of str to ImageSet, optional
        Default: CIFAR-100 and Shapes-100.
    default_images : str, optional
        The image set that is on unless a call names another; default CIFAR-100 where it is on disk, else
        Shapes-100.
    head_folders, feature_folders, curve_folders : sequence of path, optional
        Where heads, features of test sets and few-shot curves are looked for; the first match wins, and new ones go to
        the last. Default: ``assets`` and the cache.
    shard_folder : path, optional
        Where features of whole image sets are kept while heads are made; default in the cache.
    weights_root : path, optional
        The folder of OpenAI's weights, to tell which are there; default ``$CLIP_DEMO_WEIGHTS``, else ``~/.cache/clip``.

    Raises
    ------
    ImageSetError
        When `default_images` is unknown.
    """

    def __init__(
        self,
        encoder: Encoder | LoadModel,
        *,
        model: str | None = None,
        preferred: str | None = None,
        image_sets: dict[str, ImageSet] | None = None,
        default_images: str | None = None,
        head_folders: Sequence[str | Path] | None = None,
        feature_folders: Sequence[str | Path] | None = None,
        curve_folders: Sequence[str | Path] | None = None,
        shard_folder: str | Path | None = None,
        weights_root: str | Path | None = None,
    ):
        self.image_sets = open_image_sets() if image_sets is None else image_sets
        if default_images is not None:
            resolve_image_set(self.image_sets, default_images)
        self._default_images = default_images
        cache = cache_folder()
        self._heads = HeadStore([HEADS, cache / "heads"] if head_folders is None else head_folders)
        self._stored = FeatureStore([FEATURES, cache / "features"] if feature_folders is None else feature_folders)
        self._desk = Desk(self._stored, self._heads)
        self._curves = CurveStore([CURVES, cache / "curves"] if curve_folders is None else curve_folders)
        self._fetches = Fetches()
        shards = Path(shard_folder or cache / "shards")
        self._stores = Stores(self._heads, self._stored, self._curves, shards, self._zero_shot)
        self._builds = Builds(self._stores, self._fetches)
        if hasattr(encoder, "encode_images"):
            self._shelf = Shelf(lambda name, progress: encoder, [model or encoder.name])
        else:
            names = dict.fromkeys((model or BUILT_IN, *available_models()))
            self._shelf = Shelf(encoder, list(names), preferred, on_disk=partial(_on_disk, weights_root))

    @classmethod
    def open(
        cls,
        model: str = BUILT_IN,
        *,
        images: str | None = None,
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
            The default image set.
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
        ModelError, ImageSetError
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
            image_sets=open_image_sets(data_root),
            default_images=images,
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
    def default_images(self) -> str:
        """Name of the image set that is on unless a call names another."""
        return self._image_set(None).name

    def status(self, model: str | None = None) -> Status:
        """Say where a model (default: the default model) and the image sets stand; answers at once."""
        name = model or self.default_model
        on, loading = self._shelf.status(name), self._shelf.peek(name)
        return Status(
            model=name,
            model_note=loading.encoder.note if loading and on.state == "ready" else "",
            state=on.state,
            message=on.message,
            image_sets=tuple(self._fetches.status(each) for each in self.image_sets.values()),
            default_images=self.default_images,
            models=tuple(self._shelf.status(each) for each in self.models),
            default_model=self.default_model,
        )

    def fetch(self, images: str) -> None:
        """Start the download of an image set in the background; `status` tells how far it is.

        A second call while one runs changes nothing; a call after a failure tries again.
        """
        self._fetches.start(resolve_image_set(self.image_sets, images))

    def head(self, images: str | None = None, model: str | None = None) -> Head | None:
        """Return the head that was fitted on this model and image set, or None where there is none."""
        return self._heads.get(self._shelf.get(model).encoder.sha256, self._image_set(images).name)

    # --- predictions --------------------------------------------------------------------------------------------

    def predict(
        self,
        *,
        image: Image.Image | str | Path | bytes | None = None,
        index: int | None = None,
        images: str | None = None,
        classnames: Iterable[str] | None = None,
        templates: Iterable[str] | None = None,
        spaces: bool = False,
        top_k: int = 5,
        model: str | None = None,
    ) -> Prediction:
        """Predict one picture both ways.

        Parameters
        ----------
        image : PIL image, path or bytes, optional
            A picture of the user's own. Exactly one of `image` and `index` is given.
        index : int, optional
            A picture of the image set's test split, 0 to 9999.
        images : {"cifar100", "shapes100"}, optional
            The image set: it gives `index` its meaning, the default class list, and the probe its head.
        classnames : iterable of str, optional
            What zero-shot prediction chooses among; default the image set's own 100 names.
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
        ModelError, ImageSetError
            When the model or the image set cannot be used.
        """
        image_set = self._image_set(images)
        wording = check_wording(image_set, classnames, templates, spaces)
        top_k = check_top_k(top_k)
        if (image is None) == (index is None):
            came = "neither" if image is None else "both"
            raise OptionError(f"image, index: {came} came; give one of them: a picture, or an index of an image set.")
        chosen = self._ready(model)
        if index is None:
            picture, truth = chosen.features.of_picture(picture_key(image), partial(read_picture, image)), None
        else:
            picture, truth = self._of_index(chosen, image_set, image_set.check_index(index))
        weights = class_features(chosen.features, wording.classnames, wording.templates, wording.spaces)
        return Prediction(
            model=chosen.name,
            image_set=image_set.name,
            index=None if index is None else int(index),
            truth=truth,
            zero_shot=zero_shot_scores(weights, picture, chosen.encoder.logit_scale, wording.classnames, top_k),
            linear_probe=linear_probe(self._heads.get(chosen.encoder.sha256, image_set.name), picture, top_k),
        )

    def _ready(self, model: str | None) -> Loading:
        """Return a model; only for the default one a call waits until it is there."""
        chosen = self._shelf.get(model)
        if chosen.name != self.default_model and chosen.state in ("fetching", "loading"):
            raise ModelError(f"model: {chosen.message} Ask again in a while, or use {self.default_model!r}.")
        return chosen

    def _image_set(self, name: str | None) -> ImageSet:
        return resolve_image_set(self.image_sets, name or self._default_images)

    def _of_index(self, chosen: Loading, image_set: ImageSet, index: int) -> tuple[np.ndarray, str]:
        """Return the features and the true class of a test picture; stored ones where the pictures are not there."""
        stored = None if image_set.on_disk() else self._stored.get(chosen.encoder.sha256, image_set.name)
        if stored is not None:
            return stored.features[index], image_set.classnames[stored.labels[index]]
        picture = chosen.features.of_picture((image_set.name, index), partial(image_set.picture, index))
        return picture, image_set.classnames[image_set.label(index)]

    # --- whole image sets ----------------------------------------------------------------------------------------

    def wording(
        self,
        *,
        images: str | None = None,
        classnames: Iterable[str] | None = None,
        templates: Iterable[str] | None = None,
        spaces: bool = False,
    ) -> Wording:
        """Return the wording that is meant for a whole test set, checked; see `examine` for the arguments."""
        return check_whole_set(self._image_set(images), classnames, templates, spaces)

    def evaluate(self, **arguments) -> Evaluation:
        """Return the zero-shot accuracy over the whole test set; for the arguments see `examine`."""
        return self.examine(**arguments).evaluation

    def examine(
        self,
        *,
        images: str | None = None,
        classnames: Iterable[str] | None = None,
        templates: Iterable[str] | None = None,
        spaces: bool = False,
        model: str | None = None,
        baseline: Wording | None = None,
        progress: Report | None = None,
    ) -> Examination:
        """Hold a wording against the whole test set: accuracies, confusions, calibration, single pictures.

        The pictures' features are computed once and kept; the last few wordings are remembered.

        Parameters
        ----------
        images, templates, spaces, model
            See `predict`.
        classnames : iterable of str, optional
            Other spellings of the image set's classes, one for each, in its order.
        baseline : Wording, optional
            What the wording is compared with, on the same pictures.
        progress : callable, optional
            See `clip_demo.encoder.Report`; may raise `clip_demo.errors.Cancelled`.

        Raises
        ------
        InputError, ModelError, ImageSetError, HeadError
            See `predict`.
        """
        image_set = self._image_set(images)
        wording = check_whole_set(image_set, classnames, templates, spaces)
        baseline = check_baseline(image_set, baseline)
        return self._desk.examine(self._ready(model), image_set, wording, baseline, progress)

    def templates_report(
        self,
        *,
        images: str | None = None,
        classnames: Iterable[str] | None = None,
        templates: Iterable[str] | None = None,
        spaces: bool = False,
        model: str | None = None,
        progress: Report | None = None,
    ) -> tuple[TemplateRow, ...]:
        """Measure every template alone, and the ensemble without it; see `examine` for the arguments."""
        image_set = self._image_set(images)
        wording = check_whole_set(image_set, classnames, templates, spaces)
        return self._desk.templates(self._ready(model), image_set, wording, progress)

    def try_names(
        self,
        classname: str,
        names: Iterable[str],
        *,
        images: str | None = None,
        classnames: Iterable[str] | None = None,
        templates: Iterable[str] | None = None,
        spaces: bool = False,
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
        image_set = self._image_set(images)
        wording = check_whole_set(image_set, classnames, templates, spaces)
        position = wording.position(classname)
        wordings = [wording, *wording.renamed(position, names)]
        return self._desk.names(self._ready(model), image_set, wordings, position, progress)

    def store_features(self, images: str | None = None, *, folder: str | Path, progress: Report | None = None) -> Path:
        """Write the features of all test pictures, computed anew, in compact form; return the file."""
        image_set = self._image_set(images)
        features = encode_split(straight(self.encoder), image_set, "test", progress)
        test = TestFeatures(features, image_set.labels())
        return save_features(test, folder, self.encoder, image_set, compact=True)

    # --- linear probes --------------------------------------------------------------------------------------------

    def fit_probe(
        self,
        images: str | None = None,
        *,
        folder: str | Path,
        progress: Report | None = None,
        **options,
    ) -> tuple[Path, Head]:
        """Fit a head by the article's recipe on all training pictures, test it on all test pictures, and save it.

        Features are kept in the cache, so that work that is cut off goes on where it was.

        Parameters
        ----------
        images : {"cifar100", "shapes100"}, optional
            The image set.
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
        head = make_head(self._stores, self._shelf.get(), self._image_set(images), progress, **options)
        return self._heads.put(head, folder), head

    # --- heads in the background ----------------------------------------------------------------------------------

    def build(self, images: str | None = None, model: str | None = None, *, if_missing: bool = False) -> None:
        """Start the job that fits a head and its few-shot curve in the background; `build_status` tells how far it is.

        It waits for the model and the image set, fetching them where it must, and goes on where an earlier one was
        stopped. While it runs, a second call for the same changes nothing.

        Parameters
        ----------
        images, model : str, optional
            As in `predict`.
        if_missing : bool
            Do nothing where a head on all training pictures is there already.

        Raises
        ------
        OptionError
            While a job for another model or image set runs.
        """
        image_set = self._image_set(images)
        self._builds.start(self._shelf.retry(model or self.default_model), image_set, if_missing)

    def cancel_build(self) -> None:
        """Let the job stop after the batch, or the fit, that it is at; what it computed stays on disk."""
        self._builds.stop()

    def build_status(self, images: str | None = None, model: str | None = None) -> BuildStatus | None:
        """Say where the latest job for a model and an image set stands; None where there was none. Never waits."""
        return self._builds.status(model or self.default_model, self._image_set(images).name)

    def curve(self, images: str | None = None, model: str | None = None) -> FewShotCurve | None:
        """Return the few-shot curve, stored or as far as it has come; None where there is none. Waits for the model."""
        return self._curves.get(self._shelf.get(model).encoder.sha256, self._image_set(images).name)

    def _zero_shot(self, images: str, model: str) -> float:
        return self.evaluate(images=images, model=model).top1


def _on_disk(weights_root: str | Path | None, name: str) -> bool:
    return name not in OPENAI_MODELS or weights_on_disk(name, weights_root)
