"""The components of the Explore tab: an image on the left, both predictions and their prompts on the right."""

from dataclasses import dataclass, fields
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ...backend import Backend
from ...datasets.base import Dataset
from ...paths import EXAMPLES
from ..html import listening, thumbnail
from ..permalink import View, start
from ..template_field import template_field

OWN = "own"  # the value of `Fields.source` for a photo of the visitor's own
_SOURCES = [("From a dataset", "set"), ("Your own photo", OWN)]


@dataclass(frozen=True)
class Fields:
    """The components that a visitor fills in. Their values decide what is predicted."""

    source: gr.Radio
    dataset: gr.Radio
    index: gr.Number
    photo: gr.Image
    templates: gr.Textbox
    classes: gr.Textbox
    replace_underscores: gr.Checkbox
    model: gr.Dropdown

    def all(self) -> list[gr.components.Component]:
        """Return the components in the order of the attributes."""
        return [getattr(self, field.name) for field in fields(self)]


@dataclass(frozen=True)
class Controls:
    """The other components: buttons, and the places that results are written to."""

    slider: gr.Slider
    previous: gr.Button
    next: gr.Button
    random: gr.Button
    examples: gr.HTML | None
    presets: dict[str, gr.Button]
    reset: gr.Button
    status_line: gr.HTML
    offer: gr.Button
    download_dataset: gr.Button
    download_panel: gr.HTML
    image: gr.HTML
    alert: gr.HTML
    results: gr.HTML
    job: gr.HTML
    count: gr.HTML


def example_images(folder: Path = EXAMPLES) -> list[Path]:
    """Return the example photos of a folder, in the order of their names."""
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in {".png", ".jpg", ".jpeg", ".webp"})


def index_range(dataset: Dataset) -> tuple[int, str]:
    """Return the last index of the test split, and the label of the fields that take an index."""
    last = dataset.sizes["test"] - 1
    return last, f"Test image, 0 to {last}"


def lay_out(backend: Backend, top: dict[str, Any]) -> tuple[Fields, Controls]:
    """Make the tab's components inside the current gradio context.

    Parameters
    ----------
    backend : Backend
        Has the datasets, and decides what a first visit shows.
    top : dict
        The components above all tabs: ``model``, ``status_line`` and ``offer``.
    """
    first = start(backend)
    with gr.Row(elem_id="explore", equal_height=False):
        with gr.Column(scale=4, min_width=320, elem_id="image-side"):
            left = _image_side(backend, first)
        with gr.Column(scale=8, min_width=320, elem_id="answer-side"):
            right = _answer_side(first)
    made = {**top, **left, **right}
    return tuple(kind(**{field.name: made[field.name] for field in fields(kind)}) for kind in (Fields, Controls))


def _image_side(backend: Backend, first: View) -> dict[str, Any]:
    source = gr.Radio(_SOURCES, value="set", label="Which image", show_label=False, container=False, elem_id="source")
    dataset = gr.Radio(
        [(each.title, each.name) for each in backend.datasets.values()],
        value=first.dataset,
        label="Dataset",
        show_label=False,
        container=False,
        elem_id="dataset",
    )
    download_dataset = gr.Button(visible=False, size="md", elem_id="download-dataset")
    download_panel = gr.HTML(apply_default_css=False, elem_id="download-panel")
    with gr.Column(elem_id="dataset-side"):
        index_row = _index_row(backend.datasets[first.dataset], first)
        image = gr.HTML(apply_default_css=False, elem_id="image")
    with gr.Column(elem_id="own-side"):
        photo = gr.Image(
            type="filepath",
            image_mode=None,
            sources=["upload", "clipboard", "webcam"],
            label="Upload, paste or webcam",
            buttons=["fullscreen"],
            alt_text="Your own photo",
            height=320,
            elem_id="photo",
        )
        gr.HTML('<p class="truth">Your own photo has <strong>no true label</strong>.</p>', apply_default_css=False)
        examples = _examples()
    return {
        "source": source,
        "dataset": dataset,
        "download_dataset": download_dataset,
        "download_panel": download_panel,
        "image": image,
        **index_row,
        "photo": photo,
        "examples": examples,
    }


def _index_row(dataset: Dataset, first: View) -> dict[str, Any]:
    last, label = index_range(dataset)
    with gr.Row(elem_id="index-row"):
        previous = gr.Button("Previous", size="md", min_width=60)
        # No minimum and maximum: Gradio would show a toast for an index out of range, the page shows a message.
        index = gr.Number(first.index, label=label, show_label=False, container=False, min_width=80, elem_id="index")
        following = gr.Button("Next", size="md", min_width=60)
        shuffle = gr.Button("Random", size="md", min_width=60, elem_id="random")
    slider = gr.Slider(
        *(0, last, first.index),
        step=1,
        label=label,
        show_label=False,
        container=False,
        buttons=[],
        elem_id="slider",
    )
    return {"previous": previous, "index": index, "next": following, "slider": slider, "random": shuffle}


def _examples() -> gr.HTML | None:
    # Not gr.Dataset: its buttons have no names, so a screen reader cannot tell them apart.
    paths = example_images()
    if not paths:
        return None
    buttons = "".join(
        f'<button type="button" data-name="{escape(path.name)}" title="{_caption(path)}" aria-label="Example: '
        f'{_caption(path)}"><img src="{thumbnail(path)}" alt=""></button>'
        for path in paths
    )
    return gr.HTML(
        f'<p class="caption">Click an example:</p><div class="thumbnails">{buttons}</div>',
        apply_default_css=False,
        js_on_load=listening("button"),
        elem_id="examples",
    )


def _caption(path: Path) -> str:
    return escape(path.stem.replace("-", " ").replace("_", " "))


def _answer_side(first: View) -> dict[str, Any]:
    alert = gr.HTML(apply_default_css=False, elem_id="alert")
    # Buttons with data-job: in the results for a missing head or model, in the job panel to stop or resume a job.
    press = listening("button[data-job]")
    results = gr.HTML(apply_default_css=False, js_on_load=press, elem_id="results", min_height=300)
    job = gr.HTML(apply_default_css=False, js_on_load=press, elem_id="job")
    with gr.Row(elem_id="prompts", equal_height=False):
        with gr.Column(min_width=300):
            templates, presets = template_field(first.templates, "templates")
            replace_underscores = gr.Checkbox(
                first.replace_underscores, label="Underscores become spaces in prompts", elem_id="replace-underscores"
            )
        with gr.Column(min_width=300):
            classes = gr.Textbox(
                first.classes,
                label="Class list, one per line or separated by commas",
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
