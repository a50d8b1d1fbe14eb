"""What all parts of the tab share: the image, the words, the dataset and the model of the Explore tab."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ...backend import Backend, Prediction
from ...datasets.base import Dataset
from ...errors import ClipDemoError, ImageError, ModelError
from ...models.catalog import BUILT_IN
from ...progress import Progress
from ...zero_shot.prompt_set import PromptSet
from ..event_options import QUIET, load_if_downloaded
from ..explore.events import view_of
from ..explore.layout import Fields
from ..explore.show import image_argument
from ..explore.view import alert
from ..permalink import OWN, View
from ..presence import visitor_request

# A queue of its own, so that visitors of this tab do not delay visitors of the Explore tab.
QUEUED = {**QUIET, "concurrency_id": "inside", "concurrency_limit": 4}


@dataclass(frozen=True)
class Selection:
    """What is on: the values of the Explore tab, checked and ready for `Backend.inside`.

    Attributes
    ----------
    view : View
        As chosen and typed.
    dataset : Dataset
    prompts : PromptSet
    image : dict
        ``image`` or ``index``; also the `star` of the maps of meanings.
    model : str
        A model that is ready: the chosen one, or the built-in one while that is loading.
    logit_scale : float or None
        Explore's sharpness; None for the model's own.
    note : str
        Text: why the model is not the chosen one; "" where it is.
    """

    view: View
    dataset: Dataset
    prompts: PromptSet
    image: dict[str, Any]
    model: str
    logit_scale: float | None
    note: str

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments that `Backend.inside` calls ``**image``."""
        return {**self.image, "dataset": self.dataset.name, "prompts": self.prompts, "model": self.model}


@dataclass(frozen=True)
class InsideContext:
    """What connects a part of the tab with the rest of the page.

    Attributes
    ----------
    backend : Backend
    fields : Fields
        The fields of the Explore tab.
    request : gr.Textbox
        A hidden field. It gets a new value when the tab is opened and, while it is open, when what is on has changed.
    """

    backend: Backend
    fields: Fields
    request: gr.Textbox

    def select(self, values: Sequence[Any]) -> Selection:
        """Return what is on, for the values of ``fields.all()`` without Gradio's preprocessing.

        Raises
        ------
        ClipDemoError
        """
        view, photo = view_of(self.backend, list(values))
        dataset = self.backend.datasets[view.dataset]
        prompts = PromptSet.parse(view.templates, view.classes, view.replace_underscores)
        if view.source == OWN and photo is None:
            sentence = "Choose a photo on the tab Explore first, or one of its examples."
            raise ImageError("image: no photo was uploaded; upload one first.", page=sentence)
        model, note = self._ready_model(view.model)
        scale = self.backend.encoder(model).logit_scale * 2.0**view.sharpness if view.sharpness else None
        return Selection(view, dataset, prompts, image_argument(view, photo, dataset), model, scale, note)

    def draw(
        self,
        make: Callable[..., Sequence[Any]],
        outputs: list[gr.components.Component],
        message: gr.HTML,
        inputs: Sequence[gr.components.Component] = (),
        triggers: Sequence[Callable] = (),
        queue: Mapping[str, Any] = QUEUED,
    ) -> gr.events.Dependency:
        """Fill `outputs` with ``make(selection, progress, *inputs)`` when what is on changes, and on `triggers`.

        Parameters
        ----------
        make : callable
            `progress` is the `Progress` of one visitor's request. A ClipDemoError is shown in `message`.
        outputs : list of component
        message : gr.HTML
        inputs : sequence of component
            Without Gradio's preprocessing.
        triggers : sequence of callable
            Events of components, such as ``button.click``.
        queue : mapping
            Another one for what may take long.
        """
        fields = self.fields.all()

        def handler(*values: Any) -> list[Any]:
            try:
                with visitor_request(self.backend) as progress:
                    selection = self.select(values[: len(fields)])
                    return ["", *make(selection, progress, *values[len(fields) :])]
            except ClipDemoError as error:
                return [alert(error.page_message, stale=False), *[gr.skip()] * len(outputs)]

        return gr.on(
            [self.request.change, *triggers],
            handler,
            inputs=[*fields, *inputs],
            outputs=[message, *outputs],
            preprocess=False,
            trigger_mode="always_last",
            **queue,
        )

    def _ready_model(self, name: str) -> tuple[str, str]:
        status = load_if_downloaded(self.backend, name)
        if status.state == "ready":
            return name, ""
        if name != BUILT_IN and BUILT_IN in self.backend.models:
            if load_if_downloaded(self.backend, BUILT_IN).state == "ready":
                return (
                    BUILT_IN,
                    f"{status.name} is not ready yet. Until then, the built-in model is shown.",
                )
        raise ModelError(
            f"model: {name!r} is {status.state}; wait until it is ready.",
            page=f"{status.name} is not ready yet. The steps will appear as soon as it is.",
        )


def take_place(backend: Backend, selection: Selection, progress: Progress) -> Prediction:
    """Predict as Explore does, which waits for its turn; the image and all prompts are then remembered."""
    options = {"logit_scale": selection.logit_scale, "none_of_these": selection.view.none_of_these}
    return backend.predict(**selection.arguments, **options, progress=progress)
