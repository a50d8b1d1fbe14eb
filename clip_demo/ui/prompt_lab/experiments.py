"""The sections that evaluate more: each template alone, other names for a class, and a list without some classes."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import gradio as gr

from ...backend import Backend
from ...errors import ClipDemoError
from ...evaluation.report import EvaluationReport
from ...progress import Progress
from ...zero_shot.prompts import join_classnames, parse_classnames
from ..background import progress_bar, progress_of, visitor_task
from ..event_options import INSTANT, event_value, now
from ..explore.view import alert
from ..presence import visitor_request
from ..template_field import ensemble_of
from . import template_switches
from .context import QUEUED, LabContext
from .request import Request
from .tables import detection_table, names_table, template_table

# Seconds that templates are measured without a click. Prompts that were encoded until then stay remembered.
AT_ONCE = 10
# A queue of its own: a measurement takes longer than everything else in the lab.
_MEASURING = {**QUEUED, "concurrency_id": "lab-measure"}


class _Measured(NamedTuple):
    """What was measured of templates."""

    key: tuple = ()  # see `_key`
    top1: dict[str, float] = {}  # accuracy of each template alone
    gain: dict[str, float] = {}  # what each adds to the ensemble
    slow: str = ""  # the model that is measured only on request, because it took longer than `AT_ONCE`


def connect_templates(
    context: LabContext,
    redraw: gr.Textbox,
    templates: gr.Textbox,
    *,
    measure: gr.Button,
    stop: gr.Button,
    progress: gr.HTML,
    table: gr.HTML,
) -> None:
    """Connect the table of templates with the template field and with what measures them.

    The measurement starts when the table is drawn. It is stopped where it takes too long; a button starts it again.
    """
    measured = gr.State(_Measured())

    def toggle(text: str, event: gr.EventData) -> str:
        template = event_value(event, "value")
        return template_switches.toggle(text or "", template) if isinstance(template, str) else text

    def stopped(model: str, before: _Measured) -> list[Any]:
        return [before._replace(slow=model), *_ended(False)]

    # `measured` is drawn with the prompt set of that moment, which may have changed during the measurement.
    triggers = [redraw.change, measured.change]
    context.draw(triggers, lambda report, *drawn: [_template_table(*drawn)], [measured], [table])
    table.toggle(toggle, inputs=templates, outputs=templates, **INSTANT)
    options = {"inputs": [*context.inputs, measured], "outputs": [measured, progress, measure, stop], **_MEASURING}
    at_once = redraw.change(partial(_run, context, True), trigger_mode="always_last", **options)
    clicked = measure.click(partial(_run, context, False), **options)
    inputs = [context.inputs[1], measured]
    # One after the other: a late progress update would show the bar and the button again.
    cancelled = stop.click(lambda: None, cancels=[at_once, clicked], **INSTANT)
    cancelled.then(stopped, inputs=inputs, outputs=options["outputs"], **INSTANT)


def _run(context: LabContext, at_once: bool, *values: Any) -> Iterator[list[Any]]:
    """Measure the templates, and yield what was measured, the progress and the two buttons.

    At once, which is without a click, it may not take longer than `AT_ONCE`, and a slow model is not tried again.
    """
    *values, before = values
    start = time.monotonic()
    try:
        request = context.parse(*values)
        known = before.key == _key(request)
        if at_once and (known or before.slow == request.model or not context.is_ready(request)):
            yield [gr.skip(), *_ended(known)]
            return
        measure = partial(_measure, context.backend, request, before)
        with visitor_task(context.backend, measure, "measure-templates") as task:
            for reached in progress_of(task):
                if at_once and time.monotonic() - start > AT_ONCE:
                    task.cancel()
                    yield [before._replace(slow=request.model), *_ended(False)]
                    return
                yield [gr.skip(), progress_bar(reached), gr.Button(visible=False), gr.Button(visible=True)]
        yield [task.result(), *_ended(True)]
    except ClipDemoError as error:
        # The headline says what is wrong with the prompt set.
        yield [
            gr.skip(),
            "" if at_once else alert(error.page_message, stale=False),
            gr.skip(),
            gr.Button(visible=False),
        ]
    except Exception:
        yield [gr.skip(), *_ended(False)]
        raise


def _ended(measured: bool) -> list[Any]:
    """Return no progress, the button that measures unless all is measured, and no button that stops."""
    return ["", gr.Button(visible=not measured), gr.Button(visible=False)]


def _measure(backend: Backend, request: Request, before: _Measured, progress: Progress) -> _Measured:
    where = {"dataset": request.dataset.name, "model": request.model, "progress": progress}
    key, offered = _key(request), _offered(request)
    top1 = before.top1
    if key[:-1] != before.key[:-1] or not set(offered) <= set(top1):
        rows = backend.ablate_templates(request.prompts.varied(templates=offered), **where)
        top1 = {row.template: row.top1 for row in rows}
    rows = backend.ablate_templates(request.prompts, **where)
    return _Measured(key, top1, {row.template: row.gain for row in rows if row.gain is not None})


def _offered(request: Request) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*ensemble_of(request.dataset), *request.prompts.templates]))


def _key(request: Request) -> tuple:
    """Return what the accuracy of a template depends on, and last the ensemble, on which only its gain depends."""
    prompts = request.prompts
    return request.dataset.name, request.model, prompts.classnames, prompts.replace_underscores, prompts.templates


def _template_table(request: Request, measured: _Measured) -> str:
    key = _key(request)
    top1 = measured.top1 if key[:-1] == measured.key[:-1] else {}
    gain = measured.gain if key == measured.key else {}
    return template_table(_offered(request), request.prompts.templates, top1, gain)


def connect_names(
    context: LabContext,
    redraw: gr.Textbox,
    classes: gr.Textbox,
    *,
    classname: gr.Dropdown,
    names: gr.Textbox,
    table: gr.HTML,
) -> None:
    """Connect the section that compares names of one class with the class list."""

    def draw(report, request, position, names) -> list[Any]:
        choices = [(name, i) for i, name in enumerate(report.names)]
        dropdown = gr.Dropdown(choices)
        if position not in range(len(choices)):
            # The class with the lowest accuracy is the first that needs a better name; of one without images it is
            # not known.
            known = [i for i, row in enumerate(report.classes) if row.n]
            position = min(known, key=lambda i: report.classes[i].zero_shot)
            dropdown = gr.Dropdown(choices, value=position)
        return [dropdown, _names_table(context.backend, request, report, position, names)]

    def use(text: str, position: int, event: gr.EventData) -> str:
        names, name = list(parse_classnames(text or "")), event_value(event, "value")
        if isinstance(name, str) and position in range(len(names)):
            names[position] = name
        return join_classnames(names, "\n")

    inputs, outputs = [classname, names], [classname, table]
    context.draw([redraw.change, names.change], draw, inputs, outputs)
    classname.input(now, outputs=redraw, **INSTANT)
    table.use(use, inputs=[classes, classname], outputs=classes, preprocess=False, **INSTANT)


def _names_table(backend: Backend, request: Request, report: EvaluationReport, position: int, text: str | None) -> str:
    names = list(dict.fromkeys(parse_classnames(text or "")))
    if not names:
        return '<p class="caption">Type other names for this class: each is tried on the whole test set.</p>'
    current = report.classes[position]
    try:
        where = {"dataset": request.dataset.name, "model": request.model}
        with visitor_request(backend) as progress:
            rows = backend.compare_names(current.name, names, request.prompts, progress=progress, **where)
        return names_table(current, report.accuracy.top1, rows)
    except ClipDemoError as error:
        return alert(error.page_message, stale=False)


def connect_none_of_these(
    context: LabContext, redraw: gr.Textbox, *, number: gr.Slider, others: gr.Button, table: gr.HTML
) -> None:
    """Connect the section that hides classes with the slider of their number and the button that hides others."""
    seed = gr.State(0)

    def draw(_, request, number, seed) -> list[Any]:
        most = max(1, len(request.dataset.classnames) // 2)
        slider = gr.Slider(maximum=max(2, most))  # Gradio takes no slider of one value
        if isinstance(number, (int, float)) and number > most:  # of another dataset
            number, slider = most, gr.Slider(maximum=max(2, most), value=most)
        where = {"dataset": request.dataset.name, "model": request.model}
        try:
            with visitor_request(context.backend) as progress:
                measured = context.backend.hide_classes(
                    request.prompts, hidden=number, seed=seed, progress=progress, **where
                )
        except ClipDemoError as error:
            return [slider, alert(error.page_message, stale=False)]
        return [slider, detection_table(measured, request.dataset.title)]

    context.draw([redraw.change, number.input], draw, [number, seed], [number, table])
    others.click(lambda seed: [seed + 1, now()], inputs=seed, outputs=[seed, redraw], **INSTANT)
