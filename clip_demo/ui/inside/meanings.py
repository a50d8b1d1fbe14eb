"""The panel with the maps of meanings: two prompts exactly, then everything projected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ...progress import Progress
from ...zero_shot.prompts import class_key, parse_classnames
from .context import QUEUED, InsideContext, Selection, take_place
from .meanings_view import exact, projected
from .panel import Panel, long_work

# A queue of its own: the features of a test set may have to be computed first, which takes up to an hour.
_MAPPING = {**QUEUED, "concurrency_id": "inside-meanings"}
_INTRODUCTION = (
    "<h2>What is near what?</h2><p>Images and prompts are vectors in one space, so each image has a cosine with each "
    "prompt. With two prompts, nothing has to be squeezed: each axis is a cosine.</p>"
)
_PROJECTED = (
    "<h3>All prompts and images at once, projected</h3><p>The two directions in which the vectors differ most (the "
    "principal components) become a map. Type a class, and its point appears at once; the axes stay.</p>"
)


@dataclass(frozen=True)
class MeaningsPanel:
    """The components of the panel."""

    panel: Panel
    prompts: tuple[gr.Textbox, gr.Textbox]
    exact: gr.HTML
    added: gr.Textbox
    centred: gr.Checkbox
    message: gr.HTML
    projected: gr.HTML


def lay_out() -> MeaningsPanel:
    """Make the panel inside the current gradio context."""
    panel = Panel.open("meanings", "The map of meanings: images and prompts in one space", _INTRODUCTION)
    with panel.frame:
        with gr.Row(elem_classes="inside-choices"):
            prompts = tuple(
                gr.Textbox(label=f"Prompt {name}", max_lines=1, min_width=240, elem_id=f"meanings-{name.lower()}")
                for name in "AB"
            )
        shown = gr.HTML(apply_default_css=False, elem_id="meanings-exact")
        gr.HTML(_PROJECTED, apply_default_css=False, elem_classes="inside-introduction")
        added = gr.Textbox(
            label="Add classes, with commas", max_lines=1, placeholder="zebra, violin", elem_id="meanings-added"
        )
        centred = gr.Checkbox(label="Centre each modality (a distortion: it hides the gap)", elem_id="meanings-centred")
        message = gr.HTML(apply_default_css=False, elem_id="meanings-projected-message")
        everything = gr.HTML(apply_default_css=False, elem_id="meanings-projected")
    return MeaningsPanel(panel, prompts, shown, added, centred, message, everything)


def connect(context: InsideContext, parts: MeaningsPanel) -> None:
    """Connect the panel with what is on."""
    context = parts.panel.connect(context)
    backend = context.backend

    def draw_exact(selection: Selection, progress: Progress, *typed: Any) -> list[Any]:
        first_two = [each.label for each in backend.predict(**selection.arguments, progress=progress).zero_shot[:2]]
        offered = [selection.prompts.prompts[selection.prompts.position(name)][0] for name in first_two]
        # In place of an empty field, the prompt of one of the two most probable classes.
        prompts = [
            text if isinstance(text, str) and text.strip() else own for text, own in zip(typed, offered, strict=True)
        ]
        plot = backend.inside.exact_plot(*prompts, progress=progress, **_where(selection))
        return [exact(plot), *(gr.Textbox(placeholder=prompt) for prompt in offered)]

    def draw_projected(selection: Selection, progress: Progress, added: Any, centred: Any) -> list[Any]:
        take_place(backend, selection, progress)
        plot = backend.inside.map_of_meanings(
            selection.prompts,
            added=new_classes(added, selection.prompts.classnames),
            centred=bool(centred),
            progress=progress,
            **_where(selection),
        )
        return [projected(plot, selection.dataset.classnames)]

    options = {"preprocess": False, "trigger_mode": "always_last", **_MAPPING}
    triggers = [context.request.change, *(prompt.change for prompt in parts.prompts)]
    gr.on(
        triggers,
        long_work(context, draw_exact, 3),
        inputs=[*context.fields.all(), *parts.prompts],
        outputs=[parts.panel.message, parts.exact, *parts.prompts],
        **options,
    )
    gr.on(
        [context.request.change, parts.added.change, parts.centred.input],
        long_work(context, draw_projected, 1),
        inputs=[*context.fields.all(), parts.added, parts.centred],
        outputs=[parts.message, parts.projected],
        **options,
    )


def _where(selection: Selection) -> dict[str, Any]:
    return {"dataset": selection.dataset.name, "model": selection.model, "star": selection.image}


def new_classes(text: Any, known: tuple[str, ...]) -> list[str]:
    """Return the typed class names, each once and without those that are on the list; a client may send anything."""
    found = dict.fromkeys(map(class_key, known), "")  # a name by its key: there may be a million
    for name in parse_classnames(text) if isinstance(text, str) else ():
        found.setdefault(class_key(name), name)
    return [name for name in found.values() if name]
