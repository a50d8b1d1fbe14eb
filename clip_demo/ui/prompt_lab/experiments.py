"""The two parts that try something out: every template by itself, and other names for a class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from ...errors import ClipDemoError
from ...evaluation.report import EvaluationReport
from ...zero_shot.prompts import parse_classnames
from ...zero_shot.templates import CIFAR100_TEMPLATES
from ..event_options import INSTANT, now
from ..explore.view import alert
from . import template_switches as wording
from .background import Work, progress_bar
from .context import QUEUED, Wiring
from .layout import Lab
from .request import arguments, without_baseline
from .tables import names_table, template_table

__all__ = ["connect_names", "connect_templates"]


def connect_templates(wiring: Wiring, lab: Lab, ask: gr.Textbox) -> None:
    """Connect the switches of the templates, and what measures them."""
    part, field = lab.parts["Templates"], lab.wording.templates
    known = gr.State({})  # what was measured, and of which wording

    def toggle(text: str, event: gr.EventData) -> str:
        return wording.toggle(text or "", event.value)

    def measure(*asked) -> Iterator[list[Any]]:
        given = arguments(wiring.backend, *asked)
        work = Work(lambda progress: _measured(wiring, given, progress))
        for note in work.notes():
            yield [progress_bar(*note), gr.skip(), gr.skip(), gr.Button(visible=True)]
        try:
            report = work.result()
            yield ["", _table(given, report), report, gr.Button(visible=False)]
        except ClipDemoError as error:
            yield [alert(str(error), stale=False), gr.skip(), gr.skip(), gr.Button(visible=False)]

    wiring.draw([ask.change], lambda found, given, report: [_table(given, report)], [known], [part.table])
    part.table.toggle(toggle, inputs=field, outputs=field, **INSTANT)
    outputs = [part.progress, part.table, known, part.cancel]
    measuring = part.measure.click(measure, inputs=wiring.asked, outputs=outputs, **QUEUED)
    hidden = [part.progress, part.cancel]
    part.cancel.click(lambda: ["", gr.Button(visible=False)], outputs=hidden, cancels=[measuring], **INSTANT)


def _measured(wiring: Wiring, given: dict[str, Any], progress) -> dict[str, Any]:
    """Measure all templates that have a switch, and what those that are on add to each other."""
    asked = without_baseline(given)
    every = wiring.backend.templates_report(**{**asked, "templates": _offered(given)}, progress=progress)
    chosen = wiring.backend.templates_report(**asked, progress=progress)
    return {
        "of": _of(given),
        "alone": {row.template: row.top1 for row in every},
        "gain": {row.template: row.gain for row in chosen if row.gain is not None},
    }


def _offered(given: dict[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*CIFAR100_TEMPLATES, *given["templates"]]))


def _of(given: dict[str, Any]) -> tuple:
    return tuple(given[key] for key in ("dataset", "model", "classnames", "replace_underscores", "templates"))


def _table(given: dict[str, Any], report: dict[str, Any]) -> str:
    """Return the table with what is known of this wording: a gain belongs to one ensemble, an accuracy to any."""
    here, there = _of(given), report.get("of", ())
    alone = report["alone"] if here[:-1] == there[:-1] else {}
    gain = report["gain"] if here == there else {}
    return template_table(_offered(given), given["templates"], alone, gain)


def connect_names(wiring: Wiring, lab: Lab, ask: gr.Textbox) -> None:
    """Connect the part where one class gets other names."""
    part, field = lab.parts["Names"], lab.wording.classes

    def make(found, given, number, others) -> list[Any]:
        choices = [(name, i) for i, name in enumerate(found.names)]
        dropdown = gr.Dropdown(choices)
        if number not in range(len(choices)):
            # The class that zero-shot knows least is the first one to try.
            number = min(range(len(choices)), key=lambda i: found.classes[i].zero_shot)
            dropdown = gr.Dropdown(choices, value=number)
        return [dropdown, _tried(wiring, given, found, number, others)]

    def use(classes: str, number: int, event: gr.EventData) -> str:
        names = list(parse_classnames(classes or ""))
        if isinstance(number, int) and number < len(names):
            names[number] = event.value
        return "\n".join(names)

    wiring.draw([ask.change, part.others.change], make, [part.name, part.others], [part.name, part.table])
    part.name.input(now, outputs=ask, **INSTANT)
    part.table.use(use, inputs=[field, part.name], outputs=field, **INSTANT)


def _tried(wiring: Wiring, given: dict[str, Any], found: EvaluationReport, number: int, others: str | None) -> str:
    asked = without_baseline(given)
    names = list(dict.fromkeys(parse_classnames(others or "")))
    if not names:
        return '<p class="caption">Type other names for this class: each is measured on all test images.</p>'
    try:
        present = found.classes[number]
        return names_table(present, found.evaluation.top1, wiring.backend.try_names(present.name, names, **asked))
    except ClipDemoError as error:
        return alert(str(error), stale=False)
