"""The sections that show an evaluation report: classes, confusions, images and calibration."""

from typing import Any

import gradio as gr

from ..event_options import INSTANT, event_value, now
from .calibration import calibration_text
from .confusions import COARSE, cell_gallery, confusion_table, views
from .context import LabContext
from .figure import class_figure, reliability_figure
from .gallery import KINDS, gallery_of
from .tables import COLUMNS, class_table
from .text import bdi


def connect_classes(
    context: LabContext, redraw: gr.Textbox, *, table: gr.HTML, plot: gr.Plot, gallery: gr.HTML
) -> None:
    """Connect the table and the figure of the accuracy per class."""
    thumbnails = context.backend.thumbnails
    state = gr.State({"column": "zero_shot", "descending": False, "class": None, "pages": 1})

    def draw(report, request, state) -> list[Any]:
        classes, picked = report.classes, state["class"]
        figure = None if report.accuracy.probe_top1 is None else class_figure(classes)
        images = '<p class="caption">Click a class to see its images here.</p>'
        if picked in range(len(classes)):
            title = f"True class {bdi(classes[picked].name)}"
            indices = report.images("all", true=picked)
            images = gallery_of(thumbnails, report, request.dataset, title, indices, state["pages"])
        return [class_table(classes, state["column"], state["descending"], picked), figure, images]

    def sort(state, column):
        same = state["column"] == column
        descending = not state["descending"] if same else COLUMNS[column].largest_first
        return {**state, "column": column, "descending": descending}

    def pick(state, position):
        return {**state, "class": int(position), "pages": 1}

    context.draw([redraw.change], draw, [state], [table, plot, gallery])
    context.update_state(table.sort, sort, state, redraw)
    context.update_state(table.pick, pick, state, redraw)
    context.connect_gallery(gallery, state, redraw)


def connect_confusions(
    context: LabContext, redraw: gr.Textbox, *, by: gr.Radio, view: gr.Dropdown, table: gr.HTML, gallery: gr.HTML
) -> None:
    """Connect the confusion matrix with the images behind its cells."""
    state = gr.State({"cell": None, "pages": 1})

    def draw(report, request, state, by, view) -> list[Any]:
        choices = views(report)
        dropdown = gr.Dropdown(choices, visible=len(choices) > 1)
        if view not in choices:  # a group of another dataset
            view = choices[0]
            dropdown = gr.Dropdown(choices, value=view, visible=len(choices) > 1)
        images = cell_gallery(
            context.backend.thumbnails, report, request.dataset, by, view, state["cell"], state["pages"]
        )
        return [dropdown, confusion_table(report, by, view, state["cell"]), images]

    def pick(_, value):
        true, predicted = map(int, value.split(","))
        return {"cell": (true, predicted), "pages": 1}

    def unpick() -> list[Any]:
        return [{"cell": None, "pages": 1}, now()]

    def open_group(event: gr.EventData) -> list[Any]:
        group = event_value(event, "value")
        # A client may send anything; a group that is not there becomes `COARSE` when the section is drawn.
        return [group if isinstance(group, str) and len(group) < 100 else COARSE, *unpick()]

    context.draw([redraw.change], draw, [state, by, view], [view, table, gallery])
    context.update_state(table.cell, pick, state, redraw)
    context.connect_gallery(gallery, state, redraw)
    for field in (by, view):
        field.input(unpick, outputs=[state, redraw], **INSTANT)
    table.group(open_group, outputs=[view, state, redraw], **INSTANT)


def connect_images(context: LabContext, redraw: gr.Textbox, *, kind: gr.Radio, gallery: gr.HTML) -> None:
    """Connect the choice of a kind of images with their gallery."""
    state = gr.State({"pages": 1})

    def draw(report, request, state, kind) -> list[Any]:
        indices = {each: report.images(each) for each in KINDS if each in report.kinds}
        choices = [(f"{KINDS[each]} ({len(found):,})", each) for each, found in indices.items()]
        radio = gr.Radio(choices)  # without a value, so that a click in the meantime is not undone
        if kind not in indices:
            kind = next(iter(indices))
            radio = gr.Radio(choices, value=kind)
        shown = request.dataset, KINDS[kind], indices[kind], state["pages"]
        return [radio, gallery_of(context.backend.thumbnails, report, *shown)]

    context.draw([redraw.change], draw, [state, kind], [kind, gallery])
    kind.input(lambda: [{"pages": 1}, now()], outputs=[state, redraw], **INSTANT)
    context.connect_gallery(gallery, state, redraw)


def connect_calibration(
    context: LabContext, redraw: gr.Textbox, *, scale: gr.Slider, reset: gr.Button, plot: gr.Plot, text: gr.HTML
) -> None:
    """Connect the logit scale with the reliability diagram."""
    drawn_scale = gr.State(None)  # the model's own scale when the section was drawn; None after a reset

    def draw(report, request, scale, drawn_scale) -> list[Any]:
        own_scale, slider = report.logit_scale, gr.skip()
        if own_scale != drawn_scale:  # a reset, or another model
            scale, slider = own_scale, gr.Slider(value=own_scale)
        curves = report.calibration(scale)
        return [slider, own_scale, reliability_figure(curves), calibration_text(curves, scale, own_scale)]

    outputs = [scale, drawn_scale, plot, text]
    context.draw([redraw.change, scale.input], draw, [scale, drawn_scale], outputs)
    reset.click(lambda: [None, now()], outputs=[drawn_scale, redraw], **INSTANT)
