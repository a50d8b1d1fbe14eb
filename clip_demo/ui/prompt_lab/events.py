"""The events of the lab: the headline is evaluated first, then the open section is drawn.

The prompt set is that of the Explore tab. Each tab has fields of its own, because Gradio cannot show a component twice;
the browser copies them when the visitor changes from one tab to the other (see prompt_lab.js). Only a class list with
one name for each class of the dataset is copied: Explore takes any list, the lab needs all classes of the test set.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import gradio as gr

from ...backend import Backend
from ...errors import ClipDemoError
from ..background import progress_bar, progress_of, visitor_task
from ..event_options import INSTANT, QUIET, load_if_downloaded, now, page_error, press
from ..explore.view import WAITING, alert, missing_model, waiting
from ..kept_prompts import keep
from ..permalink import own_classes
from ..permissions import may_download
from ..presence import visitor_request
from ..template_field import connect_presets
from . import template_switches
from .context import QUEUED, ExploreTab, LabContext
from .downloads import connect_downloads
from .experiments import connect_names, connect_none_of_these, connect_templates
from .headline import headline
from .layout import SECTIONS, Lab, hyphenated
from .sections import connect_calibration, connect_classes, connect_confusions, connect_images


def connect(backend: Backend, lab: Lab, explore: ExploreTab, kept: gr.Textbox) -> None:
    """Connect the lab's components with each other, with the Explore tab and with the backend.

    Parameters
    ----------
    backend : Backend
    lab : Lab
    explore : ExploreTab
    kept : gr.Textbox
        The visitor's baselines, which the Explore tab calls A; see `clip_demo.ui.kept_prompts`.
    """
    # Hidden fields: a change of `request` evaluates the prompt set, a change in `redraw` draws one section.
    request = gr.Textbox(visible="hidden", elem_id="lab-request")
    redraw = {name: gr.Textbox(visible="hidden", elem_id=f"lab-redraw-{hyphenated(name)}") for name in SECTIONS}
    fields = explore.fields
    context = LabContext(backend, [fields.dataset, fields.model, *lab.prompts.values(), kept], explore)
    _connect_tabs(backend, lab, explore, request)
    _connect_headline(context, lab, request, list(redraw.values()))
    _connect_prompts(backend, lab, fields.dataset)
    _connect_baseline(context, lab, kept, request)
    for name, tab in lab.tabs.items():
        tab.select(None, outputs=redraw[name], js=f"() => clipLab.open({name!r})", **QUIET)
    connect_classes(context, redraw["Classes"], **lab.sections["Classes"])
    connect_confusions(context, redraw["Confusions"], **lab.sections["Confusions"])
    connect_images(context, redraw["Images"], **lab.sections["Images"])
    connect_calibration(context, redraw["Calibration"], **lab.sections["Calibration"])
    connect_templates(context, redraw["Templates"], lab.prompts.templates, **lab.sections["Templates"])
    connect_names(context, redraw["Names"], lab.prompts.classes, **lab.sections["Names"])
    connect_none_of_these(context, redraw["None of these"], **lab.sections["None of these"])
    connect_downloads(context, lab.headline.table, lab.headline.csv, lab.headline.json)


def _connect_tabs(backend: Backend, lab: Lab, explore: ExploreTab, request: gr.Textbox) -> None:
    dataset, note = explore.fields.dataset, lab.prompts.note
    theirs = [explore.fields.templates, explore.fields.classes, explore.fields.replace_underscores]
    mine = lab.prompts.values()
    own = json.dumps({name: own_classes(backend, name) for name in backend.datasets}) + "[dataset]"
    lab.tab.select(
        None,
        inputs=[dataset, *theirs, *mine, note],
        outputs=[*mine, note, request],
        js=f"(dataset, a, b, c, x, y, z, note) => clipLab.enter(dataset, {own}, [a, b, c], [x, y, z], note)",
        **QUIET,
    )
    explore.tab.select(
        None,
        inputs=[dataset, *mine, *theirs, explore.request],
        outputs=[*theirs, explore.request],
        js=f"(dataset, a, b, c, x, y, z, request) => clipLab.leave({own}, [a, b, c], [x, y, z], request)",
        **QUIET,
    )
    # The model is chosen above all tabs.
    explore.fields.model.change(
        None,
        inputs=request,
        outputs=request,
        js="(request) => (clipLab.visible() ? clipExplorer.now() : request)",
        **QUIET,
    )


def _connect_headline(context: LabContext, lab: Lab, request: gr.Textbox, redraw: list[gr.Textbox]) -> None:
    fields, shown = lab.prompts, lab.headline
    # Evaluates again once the model is loaded.
    timer = gr.Timer(1.0, active=False)

    def show_headline(*values) -> Iterator[list[Any]]:
        _, model, templates, *_ = values
        switches = [gr.skip(), gr.skip()]
        if templates:
            switches = [template_switches.article_of(templates), template_switches.ends_with_period(templates)]
        for message, html, look_again in _evaluate(context, model, values):
            yield [message, html, *switches, gr.Timer(active=look_again)]

    evaluated = gr.on(
        [request.change, fields.templates.change, fields.classes.change, fields.replace_underscores.input],
        show_headline,
        inputs=context.inputs,
        outputs=[shown.alert, shown.html, fields.article, fields.period, timer],
        trigger_mode="always_last",
        **QUEUED,
    )
    js = f"(...values) => clipLab.redraw({list(SECTIONS)}, values)"
    evaluated.then(None, inputs=redraw, outputs=redraw, js=js, **QUIET)
    timer.tick(now, outputs=request, **INSTANT)

    def pressed(event: gr.EventData, dataset: str, model: str) -> list[str]:
        press(context.backend, event, dataset, model)
        return [now(), now()]

    # Queued: Gradio shows no error message of an event outside the queue.
    shown.html.click(pressed, inputs=context.inputs[:2], outputs=[request, context.explore.request], **QUIET)


def _evaluate(context: LabContext, model: str, values: Sequence[Any]) -> Iterator[tuple[Any, Any, bool]]:
    """Yield the message, the headline and whether to poll again, until the evaluation is done."""
    backend = context.backend
    status = load_if_downloaded(backend, model)
    if status.state == "absent":
        yield "", missing_model(status, may_download=may_download(backend, model)), False
    elif status.state in WAITING:
        yield "", waiting(status, "The numbers"), True
    else:
        try:
            request = context.parse(*values)
            with visitor_task(backend, partial(request.evaluate, backend), "evaluate") as task:
                for progress in progress_of(task):
                    yield progress_bar(progress), gr.skip(), False
            yield "", headline(task.result().accuracy, request), False
        except ClipDemoError as error:
            yield alert(error.page_message, stale=True, what="numbers"), gr.skip(), False
        except Exception:
            yield "", "", False  # no progress and no note that a model is loading, for ever
            raise


def _connect_prompts(backend: Backend, lab: Lab, dataset: gr.Radio | gr.Dropdown) -> None:
    fields = lab.prompts
    connect_presets(fields.presets, fields.templates, dataset, backend.datasets)
    fields.reset.click(lambda name: own_classes(backend, name), inputs=dataset, outputs=fields.classes, **INSTANT)
    changes = (fields.article, template_switches.with_article), (fields.period, template_switches.with_period)
    for switch, change in changes:
        switch.input(change, inputs=[fields.templates, switch], outputs=fields.templates, **INSTANT)


def _connect_baseline(context: LabContext, lab: Lab, kept: gr.Textbox, request: gr.Textbox) -> None:
    def pin(*values) -> list[Any]:
        try:
            parsed = context.parse(*values)
            with visitor_request(context.backend) as progress:
                parsed.evaluate(context.backend, progress)  # a baseline that cannot be evaluated is refused
        except ClipDemoError as error:
            raise page_error(error) from error
        return [keep(values[-1], parsed.dataset.name, parsed.prompts), now(), now()]

    def unpin(dataset: str, text: str) -> list[str]:
        return [keep(text, dataset, None), now(), now()]

    outputs = [kept, request, context.explore.request]
    lab.headline.pin.click(pin, inputs=context.inputs, outputs=outputs, **QUEUED)
    lab.headline.unpin.click(unpin, inputs=[context.inputs[0], kept], outputs=outputs, **INSTANT)
