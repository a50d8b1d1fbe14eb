"""The panel that shows how CLIP learned: a batch whose captions can be edited, its matrix and its loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ...backend import Backend
from ...inside.contrastive_batch import read_snapshots
from ...progress import Progress
from ..event_options import INSTANT, event_value, now
from .context import InsideContext, Selection
from .contrastive_batch_view import COSINES, VIEWS, editor, in_turn, loss, matrix, tiles, training_note
from .panel import Panel

MIN_IMAGES = 8
_INTRODUCTION = (
    "<h2>Which caption belongs to which image?</h2><p>During training, CLIP saw batches of images with their captions, "
    "and nothing else. Its only task was to answer this question for every image, and for every caption. Move "
    "captions, change a word, and watch the loss: the lower, the better the answers.</p>"
)


@dataclass(frozen=True)
class BatchPanel:
    """The components of the panel."""

    panel: Panel
    size: gr.Slider
    moment: gr.Slider
    note: gr.HTML
    pairs: gr.HTML
    tiles: gr.HTML
    view: gr.Radio
    matrix: gr.HTML
    loss: gr.HTML


def lay_out() -> BatchPanel:
    """Make the panel inside the current gradio context."""
    snapshots = read_snapshots()
    last = len(snapshots.progress) - 1
    panel = Panel.open("batch", "How CLIP learned it: a batch of images and captions", _INTRODUCTION)
    with panel.frame:
        with gr.Row(elem_classes="inside-choices"):
            size = gr.Slider(
                *(MIN_IMAGES, len(snapshots.sources), MIN_IMAGES),
                step=1,
                label="Images in the batch",
                buttons=[],
                min_width=200,
                elem_id="batch-size",
            )
            moment = gr.Slider(
                *(0, last, last),
                step=1,
                label="The training, from start to end",
                buttons=[],
                min_width=260,
                elem_id="batch-moment",
            )
        note = gr.HTML(apply_default_css=False, elem_id="batch-note")
        result = gr.HTML(apply_default_css=False, elem_id="batch-tiles")
        with gr.Row(equal_height=False, elem_id="batch-parts"):
            with gr.Column(scale=5, min_width=300):
                pairs = gr.HTML(
                    apply_default_css=False, js_on_load="clipPanels.pairs(element, trigger);", elem_id="batch-pairs"
                )
            with gr.Column(scale=7, min_width=300):
                view = gr.Radio(list(VIEWS), value=COSINES, label="What the matrix shows", elem_id="batch-view")
                shown = gr.HTML(apply_default_css=False, elem_id="batch-matrix")
        written = gr.HTML(apply_default_css=False, elem_id="batch-loss")
    return BatchPanel(panel, size, moment, note, pairs, result, view, shown, written)


def connect(context: InsideContext, parts: BatchPanel) -> None:
    """Connect the panel with the model that is on."""
    context = parts.panel.connect(context)
    # All captions, in the order of `in_turn`; a batch has the first of them; empty before the first edit.
    captions = gr.State(())

    redraw = gr.Textbox(visible="hidden", elem_id="batch-redraw")  # a state that an event at once changes tells nobody

    def edit(before: tuple[str, ...], event: gr.EventData) -> list[Any]:
        return [edited(context.backend, before, event_value(event, "captions")), now()]

    def draw(selection: Selection, progress: Progress, *values: Any) -> list[Any]:
        return drawn(context.backend, selection.model, *values)

    def draw_pairs(size: Any, texts: tuple[str, ...]) -> str:
        images = in_turn(context.backend.inside.batch_images())
        n = batch_size(size, len(images))
        return editor(images[:n], (texts or [each.caption for each in images])[:n])

    outputs = [parts.moment, parts.note, parts.tiles, parts.matrix, parts.loss]
    # The fields are drawn apart from the matrix: the one in which somebody types must not be replaced.
    context.request.change(draw_pairs, inputs=[parts.size, captions], outputs=parts.pairs, preprocess=False, **INSTANT)
    parts.size.change(draw_pairs, inputs=[parts.size, captions], outputs=parts.pairs, preprocess=False, **INSTANT)
    parts.pairs.edit(edit, inputs=captions, outputs=[captions, redraw], **INSTANT)
    triggers = [parts.size.change, parts.moment.change, parts.view.input, redraw.change]
    context.draw(draw, outputs, parts.panel.message, [parts.size, parts.moment, parts.view, captions], triggers)


def batch_size(value: Any, most: int) -> int:
    """Return the number of images of the slider's value; a client may send anything."""
    fits = isinstance(value, (int, float)) and MIN_IMAGES <= value <= most
    return int(value) if fits else MIN_IMAGES


def edited(backend: Backend, before: tuple[str, ...], sent: Any) -> tuple[str, ...]:
    """Return all captions after an edit; a client may send anything, and `contrastive_batch` checks each caption."""
    own = [each.caption for each in in_turn(backend.inside.batch_images())]
    if not isinstance(sent, list) or not all(isinstance(each, str) for each in sent):
        return before
    texts = [*sent[: len(own)], *(before or own)[len(sent) :]]
    return tuple(texts)


def drawn(backend: Backend, model: str, size: Any, moment: Any, view: Any, captions: tuple[str, ...]) -> list[Any]:
    """Return the slider of the training, the note, the tiles, the matrix and the loss."""
    images = in_turn(backend.inside.batch_images())
    snapshots = backend.inside.snapshots(model)
    images = images[: batch_size(size, len(images))]
    own = [each.caption for each in images]
    texts = list(captions[: len(images)]) or own
    is_edited = texts != own
    fits = isinstance(moment, (int, float)) and 0 <= moment < len(snapshots)
    position = int(moment) if fits else len(snapshots) - 1
    replay = bool(snapshots) and not is_edited
    batch = backend.inside.contrastive_batch(
        texts if is_edited else None,
        sources=[each.source for each in images],
        model=model,
        snapshot=position if replay else None,
    )
    return [
        gr.Slider(interactive=replay, visible=bool(snapshots)),
        training_note(batch.progress, snapshots, is_edited),
        tiles(batch),
        matrix(batch, images, view if view in VIEWS else COSINES),
        loss(batch),
    ]
