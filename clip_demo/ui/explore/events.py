"""The events of the Explore tab that predict, and change the fields.

`show` predicts and draws the results. Every field triggers it; handlers that set fields themselves trigger it through
the hidden field `request`. Its trigger mode ``always_last`` sends the last input after the running event has returned,
so an old result never replaces a newer one. `show` runs on every keystroke and takes no full status: the status line is
drawn by the events of `status_events`.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import gradio as gr

from ...backend import Backend
from ...datasets.example_photos import example_photos
from ...errors import ClipDemoError
from ...zero_shot.prompt_set import PromptSet
from ..event_options import INSTANT, QUIET, event_value, now, page_error
from ..kept_prompts import keep, read_kept
from ..permalink import (
    EXAMPLE,
    README_INDEX,
    SOURCES,
    TEST_IMAGE,
    View,
    default_classes,
    sharpness_is_allowed,
)
from ..template_field import connect_presets
from .layout import Controls, Fields, index_range
from .link_events import connect_links
from .show import OUTPUTS, likely_classes, show
from .status_events import PageState, connect_status, list_or_request

# One group for all events that use a model. The backend encodes simultaneous images in one batch of up to this size.
MODEL_QUEUE = {"concurrency_id": "model", "concurrency_limit": 32}


def connect(demo: gr.Blocks, backend: Backend, fields: Fields, controls: Controls) -> PageState:
    """Connect the components of the Explore tab with each other and with the backend."""
    state = PageState.make()
    _connect_show(backend, fields, controls, state)
    _connect_index(backend, fields, controls, state.request)
    _connect_image(backend, fields, controls, state.request)
    _connect_words(backend, fields, controls, state)
    connect_links(demo, backend, fields, controls, state)
    connect_status(backend, fields, controls, state)
    return state


def view_of(backend: Backend, values: list[Any]) -> tuple[View, Mapping[str, Any] | None]:
    """Return the view for the values of all fields, and the visitor's own photo.

    Without Gradio's preprocessing a client may send anything: what no field can hold is replaced by the first choice.
    """
    source, example, dataset, index, photo, templates, classes, replace_underscores, *rest = values
    sharpness, none_of_these, model = rest
    view = View(
        source=source if source in SOURCES else TEST_IMAGE,
        example=example if example in list(example_photos()) else next(iter(example_photos()), ""),
        dataset=dataset if dataset in list(backend.datasets) else backend.default_dataset,
        index=index if isinstance(index, (int, float)) and math.isfinite(index) else None,
        templates=_text(templates),
        classes=_text(classes),
        replace_underscores=bool(replace_underscores),
        sharpness=sharpness if sharpness_is_allowed(sharpness) else 0,
        model=model if isinstance(model, str) else backend.default_model,
        none_of_these=bool(none_of_these),
    )
    return view, photo


def _text(value: Any) -> str:
    """Return typed text without halves of characters, which no address can hold."""
    return value.encode("utf-8", "ignore").decode("utf-8") if isinstance(value, str) else ""


def _connect_show(backend: Backend, fields: Fields, controls: Controls, state: PageState) -> None:
    memory = [state.words, state.kept, state.notice, state.query, state.reported]

    def show_restored(request: str, *values: Any) -> list[Any]:
        # Gradio reports a change of every text field when the page opens, before `restore` has read the link: the
        # results would show the default model for a moment, and the address would lose what the link says.
        drawn = {}
        if request:
            words, kept, *others = values[-len(memory) :]
            view = view_of(backend, values[: -len(memory)])
            drawn = show(backend, *view, words, read_kept(kept), *others)
        return [drawn.get(name, gr.skip()) for name in OUTPUTS]

    shown = gr.on(
        [
            state.request.change,
            fields.index.input,
            fields.photo.change,
            # Not `input`: Gradio 6 triggers it by key presses only, not by Backspace, paste or phone keyboards.
            fields.templates.change,
            fields.classes.change,
            fields.replace_underscores.input,
            fields.sharpness.change,
            fields.none_of_these.input,
        ],
        show_restored,
        inputs=[state.request, *fields.all(), *memory],
        outputs=[getattr(controls, name, None) or getattr(state, name) for name in OUTPUTS],
        # The backend reads images and checks values itself.
        preprocess=False,
        trigger_mode="always_last",
        js="(...values) => { clipExplorer.sent(); return values; }",
        **MODEL_QUEUE,
        **QUIET,
    )
    shown.then(None, inputs=state.query, js="(query) => clipExplorer.received(query)", **QUIET)
    shown.failure(None, js="() => clipExplorer.failed()", **QUIET)  # which triggers no `then`


def _connect_index(backend: Backend, fields: Fields, controls: Controls, request: gr.Textbox) -> None:
    # The browser changes the index itself: clicks may come faster than responses of the server.
    last = json.dumps({name: index_range(dataset)[0] for name, dataset in backend.datasets.items()}) + "[dataset]"
    inputs, outputs = [fields.index, fields.dataset], [fields.index, request]
    for button, js in (
        (controls.previous, f"(index, dataset) => clipExplorer.step(index, -1, {last})"),
        (controls.next, f"(index, dataset) => clipExplorer.step(index, 1, {last})"),
        (controls.random, f"(index, dataset) => clipExplorer.random(index, {last})"),
        (controls.readme_image, f"() => [{README_INDEX}, clipExplorer.now()]"),
    ):
        button.click(None, inputs=inputs, outputs=outputs, js=js, trigger_mode="multiple", **QUIET)


def _connect_image(backend: Backend, fields: Fields, controls: Controls, request: gr.Textbox) -> None:
    def with_list(source: str, example: str, dataset: str, classes: str) -> list[Any]:
        """Return the class list that comes with the image, unless the visitor has edited it."""
        return list_or_request(backend, classes, default_classes(backend, source, example, dataset))

    def pick(event: gr.EventData, example: str, dataset: str, classes: str) -> list[Any]:
        # The browser sends a name and never a path, so no other file can be requested.
        name = event_value(event, "name")
        name = name if name in list(example_photos()) else example
        return [name, *list_or_request(backend, classes, default_classes(backend, EXAMPLE, name, dataset))]

    chosen = [fields.example, fields.dataset, fields.classes]
    fields.source.input(
        with_list,
        inputs=[fields.source, *chosen],
        outputs=[fields.classes, request],
        trigger_mode="always_last",
        **INSTANT,
    )
    controls.examples.click(pick, inputs=chosen, outputs=[fields.example, fields.classes, request], **INSTANT)


def _connect_words(backend: Backend, fields: Fields, controls: Controls, state: PageState) -> None:
    connect_presets(controls.presets, fields.templates, fields.dataset, backend.datasets)

    def own_list(source: str, example: str, dataset: str) -> str:
        return default_classes(backend, source, example, dataset)

    def likely_list(*values: Any) -> str:
        """Return the ten classes of the dataset that zero-shot prediction finds most likely."""
        try:
            return ", ".join(likely_classes(backend, *view_of(backend, values)))
        except ClipDemoError as error:
            raise page_error(error) from error

    def keep_or_forget(dataset: str, templates: str, classes: str, underscores: bool, kept: str) -> list[str]:
        if dataset in read_kept(kept):
            return [keep(kept, dataset, None), now()]
        try:
            prompts = PromptSet.parse(templates, classes, underscores)
        except ClipDemoError as error:
            raise page_error(error) from error
        return [keep(kept, dataset, prompts), now()]

    chosen = [fields.source, fields.example, fields.dataset]
    controls.own_list.click(own_list, inputs=chosen, outputs=fields.classes, **INSTANT)
    controls.likely_list.click(
        likely_list, inputs=fields.all(), outputs=fields.classes, preprocess=False, **MODEL_QUEUE, **QUIET
    )
    controls.keep.click(
        keep_or_forget,
        inputs=[fields.dataset, fields.templates, fields.classes, fields.replace_underscores, state.kept],
        outputs=[state.kept, state.request],
        **QUIET,  # queued: Gradio shows no error message of an event outside the queue
    )
