"""The events that set all fields at once: a link, back and forward, the guided start, and starting over."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from ...backend import Backend
from ...models.catalog import BUILT_IN
from ..event_options import INSTANT, QUIET, event_value, load_if_downloaded, now
from ..permalink import View, from_query, start
from ..permissions import models_to_choose
from .guided_start import experiments, strip
from .guided_start import view_of as view_of_experiment
from .layout import Controls, Fields, index_range
from .status_events import PageState, report, report_outputs


def connect_links(demo: gr.Blocks, backend: Backend, fields: Fields, controls: Controls, state: PageState) -> None:
    """Restore links when the page opens and when the visitor goes back or forward; connect the other buttons."""
    filled = [field for field in fields.all() if field is not fields.photo]
    outputs = [*filled, *report_outputs(controls, state), state.request]

    def fill(view: View) -> list[Any]:
        load_if_downloaded(backend, view.model)
        _, label = index_range(backend.datasets[view.dataset])
        values = [
            *(view.source, view.example, view.dataset, gr.Number(view.index, label=label), view.templates),
            *(view.classes, view.replace_underscores, view.sharpness, view.none_of_these),
            gr.Dropdown(model_choices(backend), value=view.model),
        ]
        return [*values, *report(backend, backend.status(view.model, view.dataset)), now()]

    def restore(search: str) -> list[Any]:
        linked, problems = from_query(backend, search or "")
        return [problems, "", strip(experiments(backend, linked.model)), *fill(linked)]

    # Without the query of the last results, `show` keeps the notice about the new link.
    restored = {"inputs": state.link, "outputs": [state.notice, state.query, controls.guide, *outputs], **INSTANT}
    demo.load(restore, js="() => clipExplorer.opened()", **restored)
    state.link.change(restore, **restored)

    def start_over(model: str) -> list[Any]:
        return [None, "", strip(experiments(backend, model)), *fill(start(backend, None, model))]

    begun = [state.words, state.kept, controls.guide, *outputs]
    controls.start_over.click(start_over, inputs=fields.model, outputs=begun, **INSTANT)
    _connect_guide(backend, fields, controls, fill, outputs)
    js = "(note) => clipExplorer.copyLink(note)"
    controls.copy_link.click(None, inputs=state.link_note, outputs=controls.copied, js=js, **QUIET)


def _connect_guide(backend: Backend, fields: Fields, controls: Controls, fill: Callable, outputs: list) -> None:
    def guide(event: gr.EventData, model: str) -> list[Any]:
        offered, name = experiments(backend, model), event_value(event, "experiment")
        if name not in list(offered):  # the button that closes the guide
            return [strip(offered), *[gr.skip()] * len(outputs)]
        answered = event_value(event, "answer") == "1"
        view = view_of_experiment(backend, model, offered[name], answered)
        return [strip(offered, name, answered), *fill(view)]

    controls.guide.click(guide, inputs=fields.model, outputs=[controls.guide, *outputs], **INSTANT)
    fields.model.input(
        lambda model: strip(experiments(backend, model)), inputs=fields.model, outputs=controls.guide, **INSTANT
    )


def model_choices(backend: Backend) -> list[tuple[str, str]]:
    """Return the choices of the model dropdown, with the size of those that would be downloaded."""
    return [(f"{name} ({_source(backend, name)})", name) for name in models_to_choose(backend)]


def _source(backend: Backend, model: str) -> str:
    if model == BUILT_IN:
        return "built in"
    return "on disk" if backend.is_downloaded(model) else f"{backend.model_status(model).megabytes:,} MB to download"
