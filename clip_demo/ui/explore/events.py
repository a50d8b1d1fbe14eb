"""The events of the Explore tab that predict, restore a link, and change the fields.

`show` predicts and draws the results. Every field triggers it; handlers that set fields themselves trigger it through
the hidden field `request`. Its trigger mode ``always_last`` sends the last input after the running event has returned,
so an old result never replaces a newer one. `show` runs on every keystroke and takes no full status: the status line is
drawn by the events of `status_events`.
"""

import json
from functools import partial
from typing import Any

import gradio as gr

from ...backend import Backend
from ...datasets.base import Dataset
from ...errors import ClipDemoError, DatasetError, IndexRangeError
from ...linear_probe.head import LinearProbe
from ...models.catalog import BUILT_IN
from ...zero_shot.prompt_set import PromptSet
from ...zero_shot.prompts import MAX_CLASSNAMES, parse_classnames, parse_templates
from ..event_options import INSTANT, QUIET, load_if_downloaded, now, uploaded_path
from ..permalink import View, from_query, own_classes, to_query
from ..template_field import connect_presets
from . import view
from .layout import OWN, Controls, Fields, example_images, index_range
from .prediction_cards import SHOWN, results
from .status_events import PageState, changed, connect_status, facts, report, report_outputs

# One group for all events that use a model. The backend encodes simultaneous images in one batch of up to this size.
MODEL_QUEUE = {"concurrency_id": "model", "concurrency_limit": 32}


def connect(demo: gr.Blocks, backend: Backend, fields: Fields, controls: Controls) -> PageState:
    """Connect the components of the Explore tab with each other and with the backend."""
    state = PageState.make()
    _connect_show(backend, fields, controls, state)
    _connect_index(backend, fields, controls, state.request)
    _connect_prompts(backend, fields, controls)
    _connect_load(demo, backend, fields, controls, state)
    connect_status(backend, fields, controls, state)
    return state


def model_choices(backend: Backend) -> list[tuple[str, str]]:
    """Return the choices of the model dropdown, with the size of those that would be downloaded."""
    return [(f"{name} ({_source(backend, name)})", name) for name in backend.models]


def _source(backend: Backend, model: str) -> str:
    if model == BUILT_IN:
        return "built in"
    return "on disk" if backend.is_downloaded(model) else f"{backend.model_status(model).megabytes:,} MB to download"


def show(
    backend: Backend,
    source,
    dataset,
    index,
    photo,
    templates,
    classes,
    replace_underscores,
    model,
    notice,
    before,
    reported,
) -> list[Any]:
    """Predict, and return the values of the outputs. The arguments are the values of the inputs in `_connect_show`.

    `before` is the query string of the last results.
    """
    chosen, own = backend.datasets[dataset], source == OWN
    typed = View(dataset, index, templates or "", classes or "", bool(replace_underscores), model)
    classnames, template_list = parse_classnames(typed.classes), parse_templates(typed.templates)
    status = load_if_downloaded(backend, model)
    drawn, prediction, problem = gr.skip(), None, ""
    try:
        if status.state == "absent":
            drawn = view.missing_model(status)
        elif status.state in view.WAITING:
            drawn = view.waiting(status)
        elif own and photo is None:
            drawn = view.NO_PHOTO
        else:
            prompts = PromptSet(classnames, template_list, typed.replace_underscores)
            prediction = backend.predict(
                image=uploaded_path(photo) if own else None,
                index=None if own else _filled(index, chosen),
                dataset=dataset,
                prompts=prompts,
                top_k=MAX_CLASSNAMES,  # all: the rank of the true label is shown
                model=model,
            )
            shown = [score.label for score in prediction.zero_shot[:SHOWN]]
            drawn = results(prediction, chosen, prompts, backend.word_knowledge(shown, model))
    except ClipDemoError as error:
        problem = str(error)
    image, available = gr.skip(), None
    if not own:
        image, available, no_image = _image(chosen, index, prediction and prediction.truth)
        problem = problem or no_image
    query = to_query(backend, typed)
    # A notice about the link stays until the visitor changes something: results may also be redrawn without a change.
    notice = notice if before in ("", query) else ""
    known = facts(status, dataset, available, prediction and _n_train(prediction.linear_probe))
    out_of_date = status.state in view.WAITING or changed(reported, known)
    return [
        image,
        view.alert(problem, stale=True) + view.alert(notice, stale=False),
        drawn,
        view.count(classnames, template_list),
        query,
        notice,
        known,
        gr.Timer(active=True) if out_of_date else gr.skip(),
    ]


def _connect_show(backend: Backend, fields: Fields, controls: Controls, state: PageState) -> None:
    outputs = [
        *[controls.image, controls.alert, controls.results, controls.count],
        *[state.query, state.notice, state.drawn, state.timer],
    ]

    def show_restored(request: str, *values: Any) -> list[Any]:
        # Gradio reports a change of every text field when the page opens, before `restore` has read the link: the
        # results would show the default model for a moment, and the address would lose what the link says.
        return show(backend, *values) if request else [gr.skip()] * len(outputs)

    shown = gr.on(
        [
            state.request.change,
            fields.source.input,
            fields.index.input,
            fields.photo.change,
            # Not `input`: Gradio 6 triggers it by key presses only, not by Backspace, paste or phone keyboards.
            fields.templates.change,
            fields.classes.change,
            fields.replace_underscores.input,
        ],
        show_restored,
        inputs=[state.request, *fields.all(), state.notice, state.query, state.reported],
        outputs=outputs,
        # The backend reads images and checks values itself.
        preprocess=False,
        trigger_mode="always_last",
        js="(...values) => { clipExplorer.sent(); return values; }",
        **MODEL_QUEUE,
        **QUIET,
    )
    shown.then(None, inputs=state.query, js="(query) => clipExplorer.received(query)", **QUIET)


def _filled(index: float | None, dataset: Dataset) -> float:
    if index is None:
        last, _ = index_range(dataset)
        raise IndexRangeError(f"index: the field is empty; type a whole number from 0 to {last}.")
    return index


def _image(dataset: Dataset, index: float | None, truth: str | None) -> tuple[Any, bool | None, str]:
    """Return the test image as HTML, whether the dataset is available (None: unknown), and an error message."""
    try:
        return view.figure(dataset, _filled(index, dataset)), True, ""
    except DatasetError as error:
        available = dataset.available()  # true if the files are damaged
        if truth is None:
            return gr.skip(), available, str(error)
        return view.missing_image(dataset, index, truth), available, ""
    except ClipDemoError as error:
        return gr.skip(), None, str(error)


def _n_train(probe: LinearProbe | None) -> int:
    return probe.head.n_train if probe else 0


def _connect_index(backend: Backend, fields: Fields, controls: Controls, request: gr.Textbox) -> None:
    # The browser changes the index itself: clicks may come faster than responses of the server.
    last = json.dumps({name: index_range(dataset)[0] for name, dataset in backend.datasets.items()}) + "[dataset]"
    inputs, outputs = [fields.index, fields.dataset], [fields.index, controls.slider, request]
    for button, js in (
        (controls.previous, f"(index, dataset) => clipExplorer.step(index, -1, {last})"),
        (controls.next, f"(index, dataset) => clipExplorer.step(index, 1, {last})"),
        (controls.random, f"(index, dataset) => clipExplorer.random(index, {last})"),
    ):
        button.click(None, inputs=inputs, outputs=outputs, js=js, trigger_mode="multiple", **QUIET)
    controls.slider.input(
        None,
        inputs=controls.slider,
        outputs=[fields.index, request],
        js="(index) => [index, clipExplorer.now()]",
        trigger_mode="multiple",
        **QUIET,
    )
    fields.index.input(
        None,
        inputs=[fields.index, controls.slider, fields.dataset],
        outputs=controls.slider,
        js=f"(index, slider, dataset) => clipExplorer.slide(index, slider, {last})",
        trigger_mode="multiple",
        **QUIET,
    )
    if controls.examples is not None:
        paths = {path.name: str(path) for path in example_images()}

        # The browser sends a name and never a path, so no other file can be requested.
        def pick(event: gr.EventData) -> Any:
            return paths.get(event.name, gr.skip())

        controls.examples.click(pick, outputs=fields.photo, **INSTANT)


def _connect_prompts(backend: Backend, fields: Fields, controls: Controls) -> None:
    connect_presets(controls.presets, fields.templates)
    controls.reset.click(partial(own_classes, backend), inputs=fields.dataset, outputs=fields.classes, **INSTANT)


def _connect_load(demo: gr.Blocks, backend: Backend, fields: Fields, controls: Controls, state: PageState) -> None:
    def restore(search: str) -> list[Any]:
        linked, problems = from_query(backend, search or "")
        load_if_downloaded(backend, linked.model)
        last, label = index_range(backend.datasets[linked.dataset])
        return [
            linked.dataset,
            gr.Number(linked.index, label=label),
            gr.Slider(value=linked.index, maximum=last, label=label),
            linked.templates,
            linked.classes,
            linked.replace_underscores,
            gr.Dropdown(model_choices(backend), value=linked.model),
            problems,
            *report(backend, backend.status(linked.model, linked.dataset)),
            now(),
        ]

    demo.load(
        restore,
        inputs=state.query,
        outputs=[
            *[fields.dataset, fields.index, controls.slider, fields.templates, fields.classes],
            *[fields.replace_underscores, fields.model, state.notice],
            *report_outputs(controls, state),
            state.request,
        ],
        js="() => window.location.search",
        **INSTANT,
    )
