"""The one service: everything that the page, the command line and the endpoints can do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from .encoder import Encoder
from .errors import OptionError
from .fetch import Fetch
from .images import ImageSet, open_image_sets, read_picture, resolve_image_set
from .loading import Loading
from .metadata import ARTICLE_TEMPLATE
from .names import BUILT_IN, check_model
from .numerics import best
from .paths import HEADS, cache_folder
from .probe import Head, find_head, fit_head, save_head
from .prompts import check_classnames, check_templates
from .results import ImageSetStatus, LinearProbe, Prediction, ProbeScore, Status
from .zero_shot import class_features, zero_shot_scores

__all__ = ["Backend"]


class Backend:
    """Zero-shot prediction beside a linear probe, for any picture.

    Parameters
    ----------
    encoder : Encoder or callable
        The model, or a function without arguments that loads it. A function is called in the background at once,
        so that a server can answer before the model is there; predictions wait for it.
    model : str, optional
        The model's name while it loads; default the encoder's own.
    image_sets : dict of str to ImageSet, optional
        Default: CIFAR-100 and Shapes-100.
    default_images : str, optional
        The image set that is on unless a call names another; default CIFAR-100 where it is on disk, else
        Shapes-100.
    head_folders : sequence of path, optional
        Where heads are looked for; the first match wins. Default: ``assets/heads`` and the cache.

    Raises
    ------
    ImageSetError
        When `default_images` is unknown.
    """

    def __init__(
        self,
        encoder: Encoder | Callable[[], Encoder],
        *,
        model: str | None = None,
        image_sets: dict[str, ImageSet] | None = None,
        default_images: str | None = None,
        head_folders: Sequence[str | Path] | None = None,
    ):
        self.image_sets = open_image_sets() if image_sets is None else image_sets
        if default_images is not None:
            resolve_image_set(self.image_sets, default_images)
        self._default_images = default_images
        self._head_folders = [HEADS, cache_folder() / "heads"] if head_folders is None else list(head_folders)
        self._heads: dict[str, Head | None] = {}
        self._fetches: dict[str, Fetch] = {}
        self._loading = Loading(encoder, model or getattr(encoder, "name", "the model"))

    @classmethod
    def open(cls, model: str = BUILT_IN, *, images: str | None = None, data_root: str | Path | None = None) -> Backend:
        """Return a backend for a model by its name or checkpoint; the model loads in the background.

        Parameters
        ----------
        model : str
            ``"tiny"``, a name of ``clip.available_models()``, or a path to a checkpoint.
        images : {"cifar100", "shapes100"}, optional
            The default image set.
        data_root : path, optional
            The folder that holds ``cifar-100-python``; default ``$CLIP_DEMO_DATA``, else ``~/.cache``.

        Raises
        ------
        ModelError, ImageSetError
            At once, when a name is unknown or `data_root` is no folder; `status` tells of what fails later.
        """
        check_model(model)

        def load() -> Encoder:
            # Imported here, in the background: torch takes seconds, and a server should answer before that.
            from .model import load_model

            return load_model(model)

        return cls(load, model=model, image_sets=open_image_sets(data_root), default_images=images)

    @property
    def encoder(self) -> Encoder:
        """The model; waits until it is loaded, and raises a ModelError where that failed."""
        return self._loading.encoder

    # --- what is on -------------------------------------------------------------------------------------------

    @property
    def default_images(self) -> str:
        """Name of the image set that is on unless a call names another."""
        return resolve_image_set(self.image_sets, self._default_images).name

    def status(self) -> Status:
        """Say where the model and the image sets stand; answers at once."""
        note = self.encoder.note if self._loading.state == "ready" else ""
        sets = tuple(self._image_set_status(each) for each in self.image_sets.values())
        return Status(self._loading.name, note, self._loading.state, self._loading.message, sets, self.default_images)

    def _image_set_status(self, image_set: ImageSet) -> ImageSetStatus:
        fetch = self._fetches.get(image_set.name)
        state, progress, message = "ready", None, ""
        if fetch is not None and fetch.running:
            state, progress, message = "fetching", fetch.progress, f"{image_set.title} is on its way …"
        elif not image_set.on_disk():
            state, message = "absent", f"{image_set.title} is not on disk."
            if fetch is not None and fetch.error:
                state, message = "failed", fetch.error
        return ImageSetStatus(image_set.name, image_set.title, state, progress, message)

    def fetch(self, images: str) -> None:
        """Start the download of an image set in the background; `status` tells how far it is.

        A second call while one runs changes nothing; a call after a failure tries again.
        """
        image_set = resolve_image_set(self.image_sets, images)
        running = self._fetches.get(image_set.name)
        if not image_set.on_disk() and (running is None or not running.running):
            self._fetches[image_set.name] = Fetch(image_set)

    def head(self, images: str | None = None) -> Head | None:
        """Return the head that was fitted on this model and image set, or None where there is none."""
        image_set = resolve_image_set(self.image_sets, images or self.default_images)
        if image_set.name not in self._heads:
            self._heads[image_set.name] = find_head(self._head_folders, self.encoder.sha256, image_set.name)
        return self._heads[image_set.name]

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
        image_set = resolve_image_set(self.image_sets, images or self.default_images)
        classnames = image_set.classnames if classnames is None else check_classnames(classnames)
        templates = check_templates([ARTICLE_TEMPLATE] if templates is None else templates)
        top_k = _check_top_k(top_k)
        if (image is None) == (index is None):
            came = "neither" if image is None else "both"
            raise OptionError(f"image, index: {came} came; give one of them: a picture, or an index of an image set.")
        picture = read_picture(image) if index is None else image_set.picture(index)
        truth = None if index is None else image_set.classnames[image_set.label(index)]
        weights = class_features(self._loading.features, classnames, templates, spaces)
        picture_features = self._loading.features.of_picture(picture)
        return Prediction(
            model=self.encoder.name,
            image_set=image_set.name,
            index=None if index is None else int(index),
            truth=truth,
            zero_shot=zero_shot_scores(weights, picture_features, self.encoder.logit_scale, classnames, top_k),
            linear_probe=self._linear_probe(picture_features, image_set.name, top_k),
        )

    def _linear_probe(self, features, images: str, top_k: int) -> LinearProbe | None:
        head = self.head(images)
        if head is None:
            return None
        probabilities = head.predict_proba(features[None])[0]
        top = tuple(ProbeScore(head.classes_[i], float(probabilities[i])) for i in best(probabilities, top_k))
        return LinearProbe(head.provenance, top)

    # --- making a head ------------------------------------------------------------------------------------------

    def fit_probe(
        self,
        images: str | None = None,
        *,
        folder: str | Path,
        progress: Callable[[str, int, int], None] | None = None,
        **options,
    ) -> tuple[Path, Head]:
        """Fit a head by the article's recipe on all training pictures, test it on all test pictures, and save it.

        Parameters
        ----------
        images : {"cifar100", "shapes100"}, optional
            The image set.
        folder : path
            Where the head goes.
        progress : callable, optional
            Called with what is being done, how many are done and how many there are.
        **options
            Passed to `clip_demo.probe.fit_head`, such as ``C``.

        Returns
        -------
        path : pathlib.Path
        head : Head
        """
        image_set = resolve_image_set(self.image_sets, images or self.default_images)
        train, test = (self._encode_split(image_set, split, progress) for split in ("train", "test"))
        head = fit_head(
            train,
            image_set.labels("train"),
            test,
            image_set.labels("test"),
            classnames=image_set.classnames,
            model=self.encoder.name,
            model_sha256=self.encoder.sha256,
            image_set=image_set.name,
            **options,
        )
        path = save_head(head, folder)
        self._heads.pop(image_set.name, None)
        return path, head

    def _encode_split(self, image_set: ImageSet, split: str, progress) -> np.ndarray:
        size, batch, parts = image_set.sizes[split], 128, []
        for start in range(0, size, batch):
            pixels = image_set.pixels(np.arange(start, min(start + batch, size)), split)
            parts.append(self.encoder.encode_images([Image.fromarray(each) for each in pixels]))
            if progress:
                progress(f"{split} features", min(start + batch, size), size)
        return np.concatenate(parts)


def _check_top_k(top_k: int) -> int:
    if isinstance(top_k, bool) or not isinstance(top_k, (int, float)) or top_k != top_k // 1 or top_k < 1:
        raise OptionError(f"top_k: {top_k!r} is not allowed; use a whole number of 1 or more.")
    return int(top_k)
