"""The panel that shows what both predictions looked at: maps at once, and the cover test on a button."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from ...inside.heat_map import HeatMaps
from ...progress import Progress
from ..background import progress_bar
from ..event_options import INSTANT, now
from .context import QUEUED, InsideContext, Selection, take_place
from .heat_maps_view import LIMITS, NOT_COVERED, maps_html, method_html
from .panel import Panel, long_work

# Queues of their own: a cover test takes longer than everything else here, and the check of a map is quick beside it.
_COVERING = {**QUEUED, "concurrency_id": "inside-cover"}
_CHECKING = {**QUEUED, "concurrency_id": "inside-check"}
_INTRODUCTION = (
    "<h2>Which parts of the image decide?</h2><p>A prediction is one number for each class, and each cell of the image "
    "has a share in it. Pick two classes: the <b>score</b> is how far the first is before the second, and the map "
    "shows which cells put it there. Beside it is the map of the linear probe, whose score no words can change.</p>"
)
_FIRST, _SECOND, _PROBE = "the first of its list", "the next of its list", "the first of its list"


@dataclass(frozen=True)
class HeatMapPanel:
    """The components of the panel."""

    panel: Panel
    choices: tuple[gr.Dropdown, gr.Dropdown, gr.Dropdown]
    instant: gr.HTML
    cover: gr.Button
    stop: gr.Button
    progress: gr.HTML
    covered: gr.HTML


def lay_out() -> HeatMapPanel:
    """Make the panel inside the current gradio context."""
    panel = Panel.open("heat-maps", "What it looked at: heat maps with a check", _INTRODUCTION)
    with panel.frame:
        with gr.Row(elem_classes="inside-choices"):
            choices = (
                _class_choice("Zero-shot: this class", _FIRST, "first"),
                _class_choice("before this one", _SECOND, "second"),
                _class_choice("Linear probe: this class", _PROBE, "probe"),
            )
        instant = gr.HTML(apply_default_css=False, elem_id="heat-maps-instant")
        with gr.Row(elem_classes="small-buttons"):
            cover = gr.Button(
                "Run the cover test", size="md", min_width=160, variant="primary", elem_id="heat-maps-cover"
            )
            stop = gr.Button("Stop", size="md", min_width=80, visible=False, elem_id="heat-maps-stop")
        progress = gr.HTML(apply_default_css=False, elem_id="heat-maps-progress")
        covered = gr.HTML(NOT_COVERED, apply_default_css=False, elem_id="heat-maps-covered")
        gr.HTML(LIMITS, apply_default_css=False)
    return HeatMapPanel(panel, choices, instant, cover, stop, progress, covered)


def _class_choice(label: str, automatic: str, name: str) -> gr.Dropdown:
    return gr.Dropdown([(automatic, "")], value="", label=label, min_width=200, elem_id=f"heat-maps-{name}")


def connect(context: InsideContext, parts: HeatMapPanel) -> None:
    """Connect the panel with what is on."""
    context = parts.panel.connect(context)
    check = gr.Textbox(visible="hidden", elem_id="heat-maps-check")
    covered_key = gr.State(())  # of the image whose cover test was run: with other classes it is answered at once
    choices, backend = list(parts.choices), context.backend
    picked = [choice.input for choice in choices]

    def show(selection: Selection, progress: Progress, *values: Any) -> list[Any]:
        *names, key = values
        take_place(backend, selection, progress)
        dropdowns, names = _choices(context, selection, names)
        maps = backend.inside.instant_maps(**_arguments(selection, names))
        return [*dropdowns, _html(maps), now(), gr.skip() if key == _key(selection) else NOT_COVERED]

    def add_checked(selection: Selection, progress: Progress, *values: Any) -> list[Any]:
        """Draw what takes many passes: the check and, where it was run for what is on now, the cover test."""
        *names, key = values
        take_place(backend, selection, progress)
        _, names = _choices(context, selection, names)
        arguments, covered = _arguments(selection, names), NOT_COVERED
        if key == _key(selection):
            covered = _html(backend.inside.cover_maps(progress=progress, **arguments))
        return [_html(backend.inside.instant_maps(check=True, **arguments)), covered]

    outputs = [*choices, parts.instant, check, parts.covered]
    inputs, message = [*choices, covered_key], parts.panel.message
    context.draw(show, outputs, message, inputs, picked)
    # The map is shown before its check, which takes four more passes.
    checked = replace(context, request=check)
    checked.draw(add_checked, [parts.instant, parts.covered], message, inputs, queue=_CHECKING)
    _connect_cover_test(context, parts, covered_key, check)


def _connect_cover_test(context: InsideContext, parts: HeatMapPanel, covered_key: gr.State, check: gr.Textbox) -> None:
    def cover(selection: Selection, progress: Progress, *names: Any) -> list[Any]:
        take_place(context.backend, selection, progress)
        _, names = _choices(context, selection, names)
        context.backend.inside.cover_maps(progress=progress, **_arguments(selection, names))
        return [_key(selection), now()]  # drawn by `add_checked`, for what is on then

    work = long_work(context, cover, 2)

    def run(*values: Any) -> Iterator[list[Any]]:
        same = [gr.skip()] * 3
        try:
            with closing(work(*values)) as steps:  # which stops the work when the visitor stops this handler
                for drawn in steps:
                    yield [*drawn, *_buttons(running=True)]
        except Exception:
            yield [*same, *_buttons(running=False)]
            raise
        yield [*same, *_buttons(running=False)]

    outputs = [parts.progress, covered_key, check, parts.cover, parts.stop]
    inputs = [*context.fields.all(), *parts.choices]
    shown = [parts.progress, parts.cover, parts.stop]
    # At once, because the cover tests of other visitors may fill the queue.
    pressed = parts.cover.click(lambda: [progress_bar(None), *_buttons(running=True)], outputs=shown, **INSTANT)
    running = pressed.then(run, inputs=inputs, outputs=outputs, preprocess=False, **_COVERING)
    # One after the other: a late progress update would show the bar and the button again.
    stopped = gr.on([parts.stop.click, context.request.change], lambda: None, cancels=[running], **INSTANT)
    stopped.then(lambda: ["", *_buttons(running=False)], outputs=shown, **INSTANT)


def _buttons(running: bool) -> list[gr.Button]:
    return [gr.Button(interactive=not running), gr.Button(visible=running)]


def _html(maps: HeatMaps) -> str:
    return method_html(maps.zero_shot) + maps_html(maps)


def _arguments(selection: Selection, names: Sequence[str]) -> dict[str, Any]:
    first, second, probe_class = (name or None for name in names)
    classes = {"first": first, "second": second, "probe_class": probe_class}
    return {**classes, "logit_scale": selection.logit_scale, **selection.arguments}


def _choices(context: InsideContext, selection: Selection, names: Sequence[Any]) -> tuple[list[gr.Dropdown], list[str]]:
    """Return the dropdowns, and the chosen names; "" for the most probable, and for one that is not on the list."""
    prompts = selection.prompts.classnames
    lists = [(_FIRST, prompts), (_SECOND, prompts), (_PROBE, selection.dataset.classnames)]
    # A client may send anything.
    chosen = [name if name in known else "" for name, (_, known) in zip(names, lists, strict=True)]
    dropdowns = [
        gr.Dropdown([(automatic, ""), *((each, each) for each in known)], value=name)
        for name, (automatic, known) in zip(chosen, lists, strict=True)
    ]
    return dropdowns, chosen


def _key(selection: Selection) -> Hashable:
    return selection.model, selection.dataset.name, str(sorted(selection.image.items()))
