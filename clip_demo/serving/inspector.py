"""The inspector: what happens inside a prediction, for several visitors at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..datasets.base import Dataset
from ..inside.contrastive_batch import BatchImage, ContrastiveBatch
from ..inside.deletion_check import DeletionRow
from ..inside.heat_map import HeatMaps
from ..inside.projection import ExactPlot, MeaningMap
from ..inside.walk import Walk
from ..progress import Progress
from ..zero_shot.prompt_set import PromptSet
from .evaluator import Evaluator
from .model_handle import ModelHandle
from .subject import Subject


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
        Holds the heads and the features of test sets.
    """

    def __init__(
        self,
        resolve: Callable[..., Subject],
        choose: Callable[[str | None, str | None], tuple[ModelHandle, Dataset]],
        evaluator: Evaluator,
    ):
        self._resolve, self._choose, self._evaluator = resolve, choose, evaluator

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
        raise NotImplementedError

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
        raise NotImplementedError

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
        raise NotImplementedError

    # --- many images ----------------------------------------------------------------------------------------------

    def batch_images(self) -> tuple[BatchImage, ...]:
        """Return the images that a training batch can have: eleven of Shapes-100 and five photos."""
        raise NotImplementedError

    def snapshots(self, model: str | None = None) -> tuple[float, ...]:
        """Return the moments of the training that are stored, 0 to 1; empty unless the model is the built-in one."""
        raise NotImplementedError

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
            Names of 2 to 16 of the `batch_images`; default all.
        model : str, optional
        snapshot : int, optional
            A position in `snapshots`, only without `captions`.
        """
        raise NotImplementedError

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
        raise NotImplementedError

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
        raise NotImplementedError

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
        raise NotImplementedError
