"""The main tab: an image on the left; both predictions and the prompts behind them on the right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from ...backend import Backend
from ...paths import EXAMPLES
from ...zero_shot.templates import CIFAR100_TEMPLATES, README_TEMPLATE
from ..html import escape, listening, thumbnail
from ..permalink import View, start

__all__ = ["PRESETS", "Fields", "Places", "example_images", "lay_out"]

# What a click writes into the template field.
PRESETS = {
    README_TEMPLATE: README_TEMPLATE,
    f"{len(CIFAR100_TEMPLATES)} CIFAR-100 templates": "\n".join(CIFAR100_TEMPLATES),
    "{}": "{}",
}
OWN = "own"
_SOURCES = [("From an dataset", "set"), ("Your own image", OWN)]


@dataclass(frozen=True)
class Fields:
    """What a visitor fills in."""

    source: gr.Radio
    dataset: gr.Radio
    index: gr.Number
    photo: gr.Image
    templates: gr.Textbox
    classes: gr.Textbox
    replace_underscores: gr.Checkbox
    model: gr.Dropdown

    def all(self) -> list[gr.components.Component]:
        """Return them in the order that `clip_demo.ui.events` hands on."""
        typed = [self.templates, self.classes, self.replace_underscores]
        return [self.source, self.dataset, self.index, self.photo, *typed, self.model]


@dataclass(frozen=True)
class Places:
    """Everything else on the tab: what is clicked, and what answers are written to."""

    slider: gr.Slider
    previous: gr.Button
    next: gr.Button
    random: gr.Button
    examples: gr.HTML | None
    presets: dict[str, gr.Button]
    reset: gr.Button
    banner: gr.HTML
    offer: gr.Button
    get: gr.Button
    download: gr.HTML
    image: gr.HTML
    alert: gr.HTML
    results: gr.HTML
    job: gr.HTML
    count: gr.HTML


def example_images(folder: Path = EXAMPLES) -> list[Path]:
    """Return the images that one can click."""
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in {".png", ".jpg", ".jpeg", ".webp"})


def lay_out(backend: Backend, top: dict) -> tuple[Fields, Places]:
    """Make the tab's components inside the current gradio context.

    Parameters
    ----------
    backend : Backend
        For the names of the datasets and what a first visit shows.
    top : dict
        What stands above all tabs: `model`, `banner` and `offer`.
    """
    first = start(backend)
    with gr.Row(elem_id="explore", equal_height=False):
        with gr.Column(scale=4, min_width=320, elem_id="image-side"):
            left = _image_side(backend, first)
        with gr.Column(scale=8, min_width=320, elem_id="answer-side"):
            right = _answer_side(first)
    made = {**top, **left, **right}
    return tuple(kind(**{name: made[name] for name in kind.__dataclass_fields__}) for kind in (Fields, Places))


def _image_side(backend: Backend, first: View) -> dict:
    source = gr.Radio(_SOURCES, value="set", label="Which image", show_label=False, container=False, elem_id="source")
    dataset = gr.Radio(
        [(each.title, each.name) for each in backend.datasets.values()],
        value=first.dataset,
        label="Dataset",
        show_label=False,
        container=False,
        elem_id="dataset",
    )
    get = gr.Button(visible=False, size="md", elem_id="get")
    download = gr.HTML(apply_default_css=False, elem_id="download")
    with gr.Column(elem_id="set-side"):
        index_row = _index_row(backend, first)
        image = gr.HTML(apply_default_css=False, elem_id="image")
    with gr.Column(elem_id="own-side"):
        photo = gr.Image(
            type="filepath",
            image_mode=None,
            sources=["upload", "clipboard", "webcam"],
            label="Upload, paste or webcam",
            buttons=["fullscreen"],
            alt_text="Your own image",
            height=320,
            elem_id="photo",
        )
        gr.HTML('<p class="truth">Your own image has <strong>no true label</strong>.</p>', apply_default_css=False)
        examples = _examples()
    return {
        "source": source,
        "dataset": dataset,
        "get": get,
        "download": download,
        "image": image,
        **index_row,
        "photo": photo,
        "examples": examples,
    }


def _index_row(backend: Backend, first: View) -> dict:
    last = max(each.sizes["test"] for each in backend.datasets.values()) - 1
    with gr.Row(elem_id="index-row"):
        previous = gr.Button("Previous", size="md", min_width=60)
        # No minimum and maximum here: Gradio would answer with a toast, the backend answers with a message.
        index = gr.Number(
            first.index,
            label=f"Test image, 0 to {last}",
            show_label=False,
            container=False,
            min_width=80,
            elem_id="index",
        )
        following = gr.Button("Next", size="md", min_width=60)
        shuffle = gr.Button("Random", size="md", min_width=60, elem_id="random")
    slider = gr.Slider(
        *(0, last, first.index),
        step=1,
        label=f"Test image, 0 to {last}",
        show_label=False,
        container=False,
        buttons=[],
        elem_id="slider",
    )
    return {"previous": previous, "index": index, "next": following, "slider": slider, "random": shuffle}


def _examples() -> gr.HTML | None:
    # Not gr.Dataset: its buttons have no names, so that a screen reader could not tell one image from another.
    paths = example_images()
    if not paths:
        return None
    buttons = "".join(
        f'<button type="button" data-name="{escape(path.name)}" title="{_caption(path)}" aria-label="Example: '
        f'{_caption(path)}"><img src="{thumbnail(path)}" alt=""></button>'
        for path in paths
    )
    return gr.HTML(
        f'<p class="caption">Examples: click one</p><div class="thumbnails">{buttons}</div>',
        apply_default_css=False,
        js_on_load=listening("button"),
        elem_id="examples",
    )


def _caption(path: Path) -> str:
    return escape(path.stem.replace("-", " ").replace("_", " "))


def _answer_side(first: View) -> dict:
    alert = gr.HTML(apply_default_css=False, elem_id="alert")
    # The probe's card has a button where there is no head, and the panel of a job has others.
    press = listening("button[data-job]")
    results = gr.HTML(apply_default_css=False, js_on_load=press, elem_id="results", min_height=300)
    job = gr.HTML(apply_default_css=False, js_on_load=press, elem_id="job")
    with gr.Row(elem_id="prompts", equal_height=False):
        with gr.Column(min_width=300):
            templates = gr.Textbox(
                first.templates,
                label="Template with {}; several make an ensemble",
                lines=2,
                max_lines=8,
                elem_id="templates",
            )
            with gr.Row(elem_classes="small-buttons"):
                presets = {name: gr.Button(name, size="sm", min_width=60) for name in PRESETS}
            replace_underscores = gr.Checkbox(
                first.replace_underscores, label="Underscores become spaces in prompts", elem_id="replace_underscores"
            )
        with gr.Column(min_width=300):
            classes = gr.Textbox(
                first.classes,
                label="Class list, one a line or with commas",
                lines=2,
                max_lines=5,
                elem_id="classes",
            )
            with gr.Row(elem_classes="small-buttons"):
                reset = gr.Button("Reset to the dataset’s own classes", size="sm", elem_id="reset")
            count = gr.HTML(apply_default_css=False, elem_id="count")
    return {
        "alert": alert,
        "results": results,
        "job": job,
        "templates": templates,
        "presets": presets,
        "replace_underscores": replace_underscores,
        "classes": classes,
        "reset": reset,
        "count": count,
    }
