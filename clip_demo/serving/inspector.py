"""The inspector: what happens inside a prediction, for several visitors at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ..datasets.base import Dataset
from ..errors import OptionError
from ..evaluation.calibration import logit_scale_or
from ..evaluation.labelled_images import LabelledImages
from ..features.balanced_order import balanced_order
from ..inside.contrastive_batch import (
    BatchImage,
    ContrastiveBatch,
    batch_images,
    check_snapshot,
    choose_pairs,
    contrastive_batch,
    read_snapshots,
    snapshot_batch,
)
from ..inside.deletion_check import DeletionRow, deletion_row
from ..inside.heat_map import HeatMaps, MapCheck
from ..inside.projection import ExactPlot, MeaningMap, nearest_prompts, project
from ..inside.walk import Walk, follow
from ..linear_probe.head import Head, HeadStore
from ..models.catalog import BUILT_IN
from ..numerics import normalize
from ..progress import Progress
from ..zero_shot.prompt_set import PromptSet
from ..zero_shot.prompts import MAX_LENGTH
from ..zero_shot.word_knowledge import word_knowledge
from .evaluator import Evaluator
from .heat_maps import SEED, HeatMapper, MapRequest, inspectable
from .model_handle import ModelHandle
from .subject import Subject

MAX_IMAGES = 2_000  # of a map: a browser draws them, and their distances to each other take 32 MB


class Inspector:
    """Answers what happens inside a prediction.

    Where a method takes ``**image``, these are the arguments `image`, `index`, `dataset`, `prompts` and `model` of
    `clip_demo.backend.Backend.predict`, and what it shows has the numbers of that prediction.

    Parameters
    ----------
    resolve : callable
        Turns these arguments into a `Subject`.
    choose : callable
        Turns the names of a model and a dataset, or None, into both.
    evaluator : Evaluator
        Holds the features of test sets.
    heads : HeadStore
    """

    def __init__(
        self,
        resolve: Callable[..., Subject],
        choose: Callable[[str | None, str | None], tuple[ModelHandle, Dataset]],
        evaluator: Evaluator,
        heads: HeadStore,
    ):
        self._resolve, self._choose, self._evaluator, self._heads = resolve, choose, evaluator, heads
        self._mapper = HeatMapper()

    # --- one image ------------------------------------------------------------------------------------------------

    def walk(self, *, classname: str | None = None, logit_scale: float | None = None, **image) -> Walk:
        """Return every step of a prediction with its numbers.

        Parameters
        ----------
        classname : str, optional
            The class whose prompts and cosine are shown; default the first of the zero-shot prediction.
        logit_scale : float, optional
            As in `Backend.predict`.
        **image
        """
        subject = self._resolve(**image)
        encoder = inspectable(subject.model)
        return follow(
            encoder,
            subject.features,
            subject.model.features.class_weights(subject.prompts),
            subject.prompts,
            logit_scale_or(encoder.logit_scale, logit_scale),
            self._head(subject.model, subject.dataset),
            classname=classname,
            original=subject.read() if subject.read else None,
            truth=subject.truth,
        )

    def instant_maps(
        self,
        *,
        first: str | None = None,
        second: str | None = None,
        probe_class: str | None = None,
        logit_scale: float | None = None,
        check: bool = False,
        **image,
    ) -> HeatMaps:
        """Return heat maps from gradients: one forward pass for each method.

        Parameters
        ----------
        first, second : str, optional
            Classes of the prompt set; the score is the difference of their logits. Default: the first two of the
            zero-shot prediction.
        probe_class : str, optional
            A class of the linear probe, whose logit is its score. Default: its first.
        logit_scale : float, optional
            As in `Backend.predict`.
        check : bool
            Whether to check the maps in numbers, for four more forward passes in the background.
        **image

        Raises
        ------
        DatasetError
            When the image itself is not on this machine.
        ModelError
            When the model cannot be looked into.
        """
        request = self._request(image, first, second, probe_class, logit_scale)
        return self._mapper.gradient_maps(request, seed=SEED if check else None)

    def cover_maps(
        self,
        *,
        first: str | None = None,
        second: str | None = None,
        probe_class: str | None = None,
        logit_scale: float | None = None,
        progress: Progress | None = None,
        **image,
    ) -> HeatMaps:
        """Return heat maps from the cover test, with their checks.

        Each of up to 64 cells is covered alone, in pieces of about 0.2 seconds, between which visitors' predictions are
        computed. The covered features are remembered, so other classes of the same image are answered at once.

        Parameters
        ----------
        first, second, probe_class, logit_scale
            As in `instant_maps`.
        progress : callable, optional
            Called with "cells", the number of covered cells and that of all. Where it raises, the work stops.
        **image

        Raises
        ------
        DatasetError, ModelError
            As in `instant_maps`.
        """
        request = self._request(image, first, second, probe_class, logit_scale)
        return self._mapper.cover_maps(request, progress=progress)

    # --- many images ----------------------------------------------------------------------------------------------

    def batch_images(self) -> tuple[BatchImage, ...]:
        """Return the images that a training batch can have: eleven of Shapes-100 and four photos."""
        return batch_images()

    def snapshots(self, model: str | None = None) -> tuple[float, ...]:
        """Return the moments of the training that are stored, 0 to 1; empty unless the model is the built-in one."""
        return read_snapshots().progress if self._choose(model, None)[0].name == BUILT_IN else ()

    def contrastive_batch(
        self,
        captions: Sequence[str] | None = None,
        *,
        sources: Sequence[str] | None = None,
        model: str | None = None,
        snapshot: int | None = None,
    ) -> ContrastiveBatch:
        """Return a batch with its matrix and its loss.

        Parameters
        ----------
        captions : sequence of str, optional
            One for each image; default those that the images come with.
        sources : sequence of str, optional
            Names of 2 or more of the `batch_images`; default all.
        model : str, optional
        snapshot : int, optional
            A position in `snapshots`, only without `captions`.
        """
        chosen, _ = self._choose(model, None)
        pairs = choose_pairs(sources, captions)
        if snapshot is not None:
            position = check_snapshot(snapshot, chosen.name == BUILT_IN and captions is None)
            return snapshot_batch(pairs, position)
        images = [chosen.features.encode_image(("batch", each.source), lambda e=each: e.image) for each in pairs]
        texts = chosen.features.encode_prompts([each.caption for each in pairs])
        return contrastive_batch(pairs, normalize(np.stack(images)), texts, chosen.encoder.logit_scale)

    def exact_plot(
        self,
        prompt_a: str,
        prompt_b: str,
        *,
        images: int = 500,
        dataset: str | None = None,
        model: str | None = None,
        star: dict | None = None,
        progress: Progress | None = None,
    ) -> ExactPlot:
        """Return the cosines of test images with two prompts.

        Parameters
        ----------
        prompt_a, prompt_b : str
            Whole prompts.
        images : int
            How many test images, class-balanced.
        dataset, model : str, optional
        star : dict, optional
            The arguments `image` or `index` of one's own image.
        progress : callable, optional
            See `Backend.evaluate`.
        """
        prompts = (_check_prompt(prompt_a), _check_prompt(prompt_b))
        chosen, on, test, indices = self._test_images(model, dataset, images, progress)
        texts = chosen.features.encode_prompts(prompts)
        own = None if star is None else self._resolve(**star, dataset=dataset, model=model)
        return ExactPlot(
            prompts=prompts,
            indices=indices,
            points=(test.features[indices] @ texts.T).astype(np.float64),
            labels=test.labels[indices],
            classnames=on.classnames,
            star=None if own is None else tuple((normalize(own.features) @ texts.T).tolist()),
        )

    def map_of_meanings(
        self,
        prompts: PromptSet | None = None,
        *,
        added: Iterable[str] = (),
        centred: bool = False,
        images: int = 500,
        dataset: str | None = None,
        model: str | None = None,
        star: dict | None = None,
        progress: Progress | None = None,
    ) -> MeaningMap:
        """Return class prompts and test images, projected to the plane.

        Parameters
        ----------
        prompts : PromptSet, optional
            As in `Backend.predict`.
        added : iterable of str
            More class names. They get points, and do not change the axes.
        centred : bool
            Subtract the mean of each modality first.
        images, dataset, model, star, progress
            As in `exact_plot`.
        """
        chosen, on, test, indices = self._test_images(model, dataset, images, progress)
        prompts = PromptSet.for_dataset(on) if prompts is None else prompts
        added = (added,) if isinstance(added, str) else tuple(added)
        everything = prompts.varied(classnames=(*prompts.classnames, *added)) if added else prompts
        weights = chosen.features.class_weights(everything, progress)
        own = None if star is None else normalize(self._resolve(**star, dataset=dataset, model=model).features)
        return MeaningMap(
            **vars(project(test.features[indices], weights, len(added), own, centred)),
            classnames=everything.classnames,
            n_added=len(added),
            indices=indices,
            labels=test.labels[indices],
            nearest=() if own is None else nearest_prompts(own, weights, everything.classnames),
            centred=centred,
            knowledge=word_knowledge(everything.classnames, chosen.encoder.sha256),
        )

    def deletion_check(
        self,
        dataset: str | None = None,
        model: str | None = None,
        *,
        images: int = 200,
        progress: Progress | None = None,
    ) -> tuple[DeletionRow, ...]:
        """Check the heat maps of test images: a row for each kind of map and each method.

        Parameters
        ----------
        dataset, model : str, optional
        images : int
            How many test images, class-balanced.
        progress : callable, optional
        """
        images = _check_images(images)
        chosen, on = self._choose(model, dataset)
        found: dict[tuple[str, str], list[MapCheck]] = {}
        indices = balanced_order(on.labels())[:images].tolist()
        for done, index in enumerate(indices, 1):
            request = self._request({"index": index, "dataset": on.name, "model": chosen.name})
            # The index as seed: other random cells for each image.
            for maps in (self._mapper.cover_maps(request, seed=index), self._mapper.gradient_maps(request, seed=index)):
                for predictor, heat_map in (("zero-shot", maps.zero_shot), ("linear probe", maps.probe)):
                    if heat_map is not None:
                        found.setdefault((heat_map.method, predictor), []).append(heat_map.check)
            if progress:
                progress("images", done, len(indices))
        return tuple(deletion_row(*kind, checks) for kind, checks in found.items())

    # --- what the methods share -----------------------------------------------------------------------------------

    def _request(self, image: dict, *options: str | float | None) -> MapRequest:
        subject = self._resolve(**image)
        return MapRequest.of(subject, self._head(subject.model, subject.dataset), *options)

    def _head(self, model: ModelHandle, dataset: Dataset) -> Head | None:
        return self._heads.get(model.encoder.sha256, dataset.key)

    def _test_images(
        self, model: str | None, dataset: str | None, images: int, progress: Progress | None
    ) -> tuple[ModelHandle, Dataset, LabelledImages, np.ndarray]:
        """Return a class-balanced choice of test images as indices, and where they come from."""
        images = _check_images(images)
        chosen, on = self._choose(model, dataset)
        test = self._evaluator.labelled_images(chosen, on, progress)
        return chosen, on, test, balanced_order(test.labels)[:images]


def _check_images(images: int) -> int:
    if isinstance(images, bool) or not isinstance(images, int) or not 2 <= images <= MAX_IMAGES:
        raise OptionError(f"images: got {images!r}; use a whole number from 2 to {MAX_IMAGES}.")
    return images


def _check_prompt(prompt: str) -> str:
    if not isinstance(prompt, str) or not 1 <= len(prompt.strip()) <= MAX_LENGTH:
        raise OptionError(
            f"prompt: got {prompt!r:.60}; give text of 1 to {MAX_LENGTH} characters.",
            page=f"Type a prompt of 1 to {MAX_LENGTH} characters for each axis.",
        )
    return prompt.strip()
