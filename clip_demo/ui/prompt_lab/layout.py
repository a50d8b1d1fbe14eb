"""The components of the Prompt Lab: the wording and its numbers on top, and a part for each question below."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import gradio as gr

from ...zero_shot.templates import README_TEMPLATE
from ..explore.layout import PRESETS
from . import template_switches as wording
from .confusions import ALL, COARSE
from .downloads import CHOICES

__all__ = ["SECTIONS", "Lab", "lay_out"]

# The parts, in their order; only the one in view is computed.
SECTIONS = ("Classes", "Confusions", "Images", "Calibration", "Templates", "Names")
_PREDICTORS = [("Zero-shot", "zero-shot"), ("Linear probe", "probe")]


@dataclass(frozen=True)
class Lab:
    """The lab's components.

    Attributes
    ----------
    tab : gr.Tab
    wording : SimpleNamespace
        The fields: `templates`, `classes`, `spaces`, `article`, `period`, `presets`, `reset`.
    numbers : SimpleNamespace
        What they lead to: `alert`, `big`, `pin`, `unpin`, `what`, `csv`, `json`.
    parts : dict of str to SimpleNamespace
        The components of each of `SECTIONS`, with its `tab`.
    """

    tab: gr.Tab
    wording: SimpleNamespace
    numbers: SimpleNamespace
    parts: dict[str, SimpleNamespace]


def lay_out(tab: gr.Tab) -> Lab:
    """Make the tab's components inside the current gradio context."""
    with gr.Row(elem_id="lab-top", equal_height=False):
        with gr.Column(scale=5, min_width=320, elem_id="lab-wording"):
            fields = _wording()
        with gr.Column(scale=7, min_width=320, elem_id="lab-answer"):
            numbers = _numbers()
    makers = (_classes, _confusions, _images, _calibration, _templates, _names)
    parts = {}
    with gr.Tabs(elem_id="lab-parts", overflow_behavior="wrap"):
        for name, make in zip(SECTIONS, makers, strict=True):
            with gr.Tab(name, elem_id=f"lab-{name.lower()}") as part:
                parts[name] = make()
                parts[name].tab = part
    return Lab(tab, fields, numbers, parts)


def _markup(name: str, *events: str) -> gr.HTML:
    """Make a place for markup; a click on what carries ``data-EVENT`` there triggers that event with its value."""
    return gr.HTML(
        apply_default_css=False, js_on_load=f"clipLab.listen(element, trigger, {list(events)});", elem_id=f"lab-{name}"
    )


def _gallery(name: str) -> gr.HTML:
    return _markup(f"{name}-images", "open", "more")


def _plot(label: str, name: str) -> gr.Plot:
    return gr.Plot(label=label, show_label=False, container=False, buttons=[], elem_id=f"lab-{name}")


def _wording() -> SimpleNamespace:
    templates = gr.Textbox(
        README_TEMPLATE,
        label="Template with {}; several make an ensemble",
        lines=2,
        max_lines=8,
        elem_id="lab-templates-field",
    )
    with gr.Row(elem_classes="small-buttons"):
        presets = {name: gr.Button(name, size="sm", min_width=60) for name in PRESETS}
    with gr.Row(elem_id="lab-switches"):
        article = gr.Radio(list(wording.ARTICLES), value="a", label="Article", min_width=210, elem_id="lab-article")
        with gr.Column(min_width=210):
            period = gr.Checkbox(False, label="Final period", elem_id="lab-period")
            replace_underscores = gr.Checkbox(False, label="Underscores become spaces", elem_id="lab-spaces")
    classes = gr.Textbox(
        label="Names of the dataset’s classes, in its order",
        lines=2,
        max_lines=3,
        elem_id="lab-class-list",
    )
    reset = gr.Button("Reset to the dataset’s own names", size="sm", elem_id="lab-reset")
    return SimpleNamespace(**{name: value for name, value in locals().items()})


def _numbers() -> SimpleNamespace:
    alert = gr.HTML(apply_default_css=False, elem_id="lab-alert")
    big = gr.HTML(apply_default_css=False, elem_id="lab-big", min_height=220)
    with gr.Row(elem_classes="small-buttons"):
        pin = gr.Button("Pin as baseline", size="md", variant="primary", min_width=100, elem_id="lab-pin")
        unpin = gr.Button("Back to the first baseline", size="md", min_width=100, elem_id="lab-unpin")
    with gr.Row(elem_id="lab-save", equal_height=True):
        what = gr.Dropdown(
            list(CHOICES), label="Download", show_label=False, container=False, filterable=False, min_width=140
        )
        csv = gr.Button("CSV", size="md", min_width=60, elem_id="lab-csv")
        json = gr.Button("JSON", size="md", min_width=60, elem_id="lab-json")
    return SimpleNamespace(alert=alert, big=big, pin=pin, unpin=unpin, what=what, csv=csv, json=json)


def _classes() -> SimpleNamespace:
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=320):
            table = _markup("class-table", "sort", "pick")
        with gr.Column(scale=5, min_width=320):
            plot = _plot("Accuracy of each class by zero-shot and by the probe", "class-plot")
    return SimpleNamespace(table=table, plot=plot, gallery=_gallery("class"))


def _confusions() -> SimpleNamespace:
    with gr.Row(elem_classes="lab-choices"):
        by = gr.Radio(_PREDICTORS, value="zero-shot", label="Whose answers", min_width=220, elem_id="lab-by")
        shown = gr.Dropdown([COARSE, ALL], value=COARSE, label="Show", min_width=220, elem_id="lab-shown")
    return SimpleNamespace(by=by, shown=shown, table=_markup("heatmap", "cell", "only"), gallery=_gallery("cell"))


def _images() -> SimpleNamespace:
    kind = gr.Radio([], label="Which images", show_label=False, elem_id="lab-kind")
    return SimpleNamespace(kind=kind, gallery=_gallery("kind"))


def _calibration() -> SimpleNamespace:
    with gr.Row(elem_classes="lab-choices"):
        scale = gr.Slider(
            1, 200, 100, step=0.5, label="Logit scale", buttons=[], min_width=260, scale=4, elem_id="lab-scale"
        )
        reset = gr.Button("The model’s own", size="md", min_width=120, scale=1, elem_id="lab-own-scale")
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=320):
            plot = _plot("Reliability diagram", "reliability")
        with gr.Column(scale=5, min_width=320):
            text = gr.HTML(apply_default_css=False, elem_id="lab-ece")
    return SimpleNamespace(scale=scale, reset=reset, plot=plot, text=text)


def _templates() -> SimpleNamespace:
    with gr.Row(elem_classes="small-buttons"):
        measure = gr.Button("Measure every template", size="md", min_width=160, elem_id="lab-measure")
        cancel = gr.Button("Stop", size="md", min_width=80, visible=False, elem_id="lab-cancel")
    progress = gr.HTML(apply_default_css=False, elem_id="lab-progress")
    return SimpleNamespace(measure=measure, cancel=cancel, progress=progress, table=_markup("template-table", "toggle"))


def _names() -> SimpleNamespace:
    with gr.Row(elem_classes="lab-choices", equal_height=False):
        name = gr.Dropdown([], label="Class", min_width=200, scale=2, elem_id="lab-class")
        others = gr.Textbox(
            label="Other names for it, one a line", lines=3, max_lines=8, min_width=240, scale=3, elem_id="lab-others"
        )
    return SimpleNamespace(name=name, others=others, table=_markup("names-table", "use"))
