"""The sections that evaluate more prompt sets: each template alone, and other names for a class."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import gradio as gr

from ...backend import Backend
from ...errors import ClipDemoError
from ...evaluation.report import EvaluationReport
from ...progress import Progress
from ...serving.background import BackgroundTask
from ...zero_shot.prompts import parse_classnames
from ...zero_shot.templates import CIFAR100_TEMPLATES
from ..event_options import INSTANT, now
from ..explore.view import alert
from . import template_switches
from .background import progress_bar, progress_of
from .context import QUEUED, LabContext
from .request import Request
from .tables import names_table, template_table


class _Measured(NamedTuple):
    """What was measured of templates."""

    key: tuple = ()  # see `_key`
    top1: dict[str, float] = {}  # accuracy of each template alone
    gain: dict[str, float] = {}  # what each adds to the ensemble


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
    """Connect the table of templates with the template field and with what measures them."""
    measured = gr.State(_Measured())

    def toggle(text: str, event: gr.EventData) -> str:
        return template_switches.toggle(text or "", event.value)

    def run(*values) -> Iterator[list[Any]]:
        try:
            request = context.parse(*values)
            task = BackgroundTask(lambda progress: _measure(context.backend, request, progress), "measure-templates")
            for reached in progress_of(task):
                yield [progress_bar(reached), gr.skip(), gr.skip(), gr.Button(visible=True)]
            result = task.result()
            yield ["", _template_table(request, result), result, gr.Button(visible=False)]
        except ClipDemoError as error:
            yield [alert(str(error), stale=False), gr.skip(), gr.skip(), gr.Button(visible=False)]

    context.draw([redraw.change], lambda report, *drawn: [_template_table(*drawn)], [measured], [table])
    table.toggle(toggle, inputs=templates, outputs=templates, **INSTANT)
    outputs = [progress, table, measured, stop]
    measuring = measure.click(run, inputs=context.inputs, outputs=outputs, **QUEUED)
    stopped = [progress, stop]
    stop.click(lambda: ["", gr.Button(visible=False)], outputs=stopped, cancels=[measuring], **INSTANT)


def _measure(backend: Backend, request: Request, progress: Progress) -> _Measured:
    where = {"dataset": request.dataset.name, "model": request.model, "progress": progress}
    offered = backend.ablate_templates(request.prompts.varied(templates=_offered(request)), **where)
    selected = backend.ablate_templates(request.prompts, **where)
    return _Measured(
        key=_key(request),
        top1={row.template: row.top1 for row in offered},
        gain={row.template: row.gain for row in selected if row.gain is not None},
    )


def _offered(request: Request) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*CIFAR100_TEMPLATES, *request.prompts.templates]))


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
            # The class with the lowest accuracy is the first that needs a better name.
            position = min(range(len(choices)), key=lambda i: report.classes[i].zero_shot)
            dropdown = gr.Dropdown(choices, value=position)
        return [dropdown, _names_table(context.backend, request, report, position, names)]

    def use(text: str, position: int, event: gr.EventData) -> str:
        names = list(parse_classnames(text or ""))
        if isinstance(position, int) and position < len(names):
            names[position] = event.value
        return "\n".join(names)

    inputs, outputs = [classname, names], [classname, table]
    context.draw([redraw.change, names.change], draw, inputs, outputs)
    classname.input(now, outputs=redraw, **INSTANT)
    table.use(use, inputs=[classes, classname], outputs=classes, **INSTANT)


def _names_table(backend: Backend, request: Request, report: EvaluationReport, position: int, text: str | None) -> str:
    names = list(dict.fromkeys(parse_classnames(text or "")))
    if not names:
        return '<p class="caption">Enter other names for this class: each is evaluated on the whole test set.</p>'
    current = report.classes[position]
    try:
        rows = backend.compare_names(
            current.name, names, request.prompts, dataset=request.dataset.name, model=request.model
        )
        return names_table(current, report.accuracy.top1, rows)
    except ClipDemoError as error:
        return alert(str(error), stale=False)
