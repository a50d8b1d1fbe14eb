"""What happens in the lab: `measure` writes the big numbers, then the part that is open is drawn.

The wording is Explore's. Both tabs have their own fields, of which one at a time can be seen; what stands in the one
is carried to the other when the tab changes, in the browser (see `lab.js`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from ...backend import Backend
from ...errors import ClipDemoError
from ...evaluation.report import EvaluationReport
from ..event_options import INSTANT, QUIET, now
from ..explore import view as answers
from ..explore.layout import PRESETS, Fields
from ..permalink import own_classes
from . import template_switches as wording
from .background import Work, progress_bar
from .context import QUEUED, Explore, Wiring
from .downloads import connect_saving
from .experiments import connect_names, connect_templates
from .headline import big_numbers
from .layout import SECTIONS, Lab
from .request import arguments, described, first_baseline, wording_of
from .sections import connect_parts

__all__ = ["connect"]


def connect(backend: Backend, lab: Lab, explore: Explore) -> None:
    """Connect the lab's components with each other, with the main tab and with the backend."""
    request = gr.Textbox(visible="hidden", elem_id="lab-request")
    asks = [gr.Textbox(visible="hidden", elem_id=f"lab-ask-{name.lower()}") for name in SECTIONS]
    pinned = gr.State({})
    fields = explore.fields
    asked = [
        fields.dataset,
        fields.model,
        lab.wording.templates,
        lab.wording.classes,
        lab.wording.replace_underscores,
        pinned,
    ]
    _connect_tabs(lab, explore, request)
    _connect_measure(backend, lab, asked, request, asks)
    _connect_switches(backend, lab, fields)
    _connect_baseline(backend, lab, asked, pinned, request)
    for name, ask in zip(SECTIONS, asks, strict=True):
        lab.parts[name].tab.select(None, outputs=ask, js=f"() => clipLab.see('{name}')", **QUIET)
    wiring = Wiring(backend, asked, explore)
    connect_parts(wiring, lab, dict(zip(SECTIONS, asks, strict=True)))
    connect_templates(wiring, lab, asks[SECTIONS.index("Templates")])
    connect_names(wiring, lab, asks[SECTIONS.index("Names")])
    connect_saving(wiring, lab.numbers)


def _connect_tabs(lab: Lab, explore: Explore, request: gr.Textbox) -> None:
    theirs = [explore.fields.templates, explore.fields.classes, explore.fields.replace_underscores]
    mine = [lab.wording.templates, lab.wording.classes, lab.wording.replace_underscores]
    lab.tab.select(None, inputs=theirs, outputs=[*mine, request], js="(...values) => clipLab.enter(...values)", **QUIET)
    explore.tab.select(
        None,
        inputs=[*mine, *theirs, explore.request],
        outputs=[*theirs, explore.request],
        js="(a, b, c, x, y, z, request) => clipLab.leave([a, b, c], [x, y, z], request)",
        **QUIET,
    )
    # Another model: it is chosen above all tabs.
    explore.fields.model.change(
        None,
        inputs=request,
        outputs=request,
        js="(request) => (clipLab.open() ? clipExplorer.now() : request)",
        **QUIET,
    )


def _connect_measure(backend: Backend, lab: Lab, asked: list, request: gr.Textbox, asks: list) -> None:
    # Looks again while the model is on its way.
    timer = gr.Timer(1.0, active=False)

    def measure(dataset, model, templates, classes, replace_underscores, pinned) -> Iterator[list[Any]]:
        switches = [gr.skip(), gr.skip()]
        if templates:
            switches = [wording.article_of(templates), wording.ends_with_period(templates)]
        state = backend.status(model)
        if state.state in answers.WAITING:
            yield ["", answers.waiting(backend, state, "The numbers"), *switches, gr.Timer(active=True)]
            return
        given = arguments(backend, dataset, model, templates, classes, replace_underscores, pinned)
        work = Work(lambda progress: backend.examine(**given, progress=progress))
        for note in work.notes():
            yield [progress_bar(*note), gr.skip(), *switches, gr.Timer(active=False)]
        try:
            drawn = ["", _drawn(backend, given, work.result())]
        except ClipDemoError as error:
            drawn = [answers.alert(str(error), stale=True, what="numbers"), gr.skip()]
        yield [*drawn, *switches, gr.Timer(active=False)]

    fields, numbers = lab.wording, lab.numbers
    measured = gr.on(
        [request.change, fields.templates.change, fields.classes.change, fields.replace_underscores.input],
        measure,
        inputs=asked,
        outputs=[numbers.alert, numbers.big, fields.article, fields.period, timer],
        trigger_mode="always_last",
        **QUEUED,
    )
    measured.then(
        None,
        inputs=asks,
        outputs=asks,
        js=f"(...asked) => clipLab.ask({list(SECTIONS)}, asked)",
        **QUIET,
    )
    timer.tick(lambda: now(), outputs=request, **INSTANT)


def _drawn(backend: Backend, given: dict[str, Any], found: EvaluationReport) -> str:
    baseline = given["baseline"]
    same = found.wording == baseline
    dataset = backend.datasets[given["dataset"]]
    return big_numbers(found.evaluation, dataset.title, described(backend, dataset.name, baseline), same)


def _connect_switches(backend: Backend, lab: Lab, explore: Fields) -> None:
    fields = lab.wording
    for name, button in fields.presets.items():
        button.click(lambda text=PRESETS[name]: text, outputs=fields.templates, **INSTANT)
    fields.reset.click(
        lambda dataset: own_classes(backend, dataset), inputs=explore.dataset, outputs=fields.classes, **INSTANT
    )
    for switch, change in ((fields.article, wording.with_article), (fields.period, wording.with_period)):
        switch.input(change, inputs=[fields.templates, switch], outputs=fields.templates, **INSTANT)


def _connect_baseline(backend: Backend, lab: Lab, asked: list, pinned: gr.State, request: gr.Textbox) -> None:
    def pin(dataset, model, templates, classes, replace_underscores, before) -> list[Any]:
        given = arguments(backend, dataset, model, templates, classes, replace_underscores, before)
        try:
            backend.examine(**given)
        except ClipDemoError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return [{**before, dataset: wording_of(templates, classes, replace_underscores)}, now()]

    def unpin(dataset, before) -> list[Any]:
        return [{**before, dataset: first_baseline(backend, dataset)}, now()]

    lab.numbers.pin.click(pin, inputs=asked, outputs=[pinned, request], **QUEUED)
    lab.numbers.unpin.click(unpin, inputs=[asked[0], pinned], outputs=[pinned, request], **INSTANT)
