"""The components of the Explore tab: an image on the left; on the right the words above both predictions."""

from dataclasses import dataclass, fields
from html import escape
from typing import Any

import gradio as gr

from ...backend import Backend
from ...datasets.base import Dataset
from ...datasets.example_photos import example_photos
from ..html import listening, thumbnail
from ..permalink import EXAMPLE, MAX_SHARPNESS, MIN_SHARPNESS, OWN, TEST_IMAGE, View, start
from ..template_field import template_field
from .guided_start import experiments, strip

_SOURCES = [("Examples", EXAMPLE), ("Dataset", TEST_IMAGE), ("Your photo", OWN)]


@dataclass(frozen=True)
class Fields:
    """The components that a visitor fills in. Their values decide what is predicted."""

    source: gr.Radio
    example: gr.Textbox
    dataset: gr.Radio | gr.Dropdown
    index: gr.Number
    photo: gr.Image
    templates: gr.Textbox
    classes: gr.Textbox
    replace_underscores: gr.Checkbox
    sharpness: gr.Slider
    none_of_these: gr.Checkbox
    model: gr.Dropdown

    def all(self) -> list[gr.components.Component]:
        """Return the components in the order of the attributes."""
        return [getattr(self, field.name) for field in fields(self)]


@dataclass(frozen=True)
class Controls:
    """The other components: buttons, and the places that results are written to."""

    guide: gr.HTML
    previous: gr.Button
    next: gr.Button
    random: gr.Button
    readme_image: gr.Button
    examples: gr.HTML
    presets: dict[str, gr.Button]
    own_list: gr.Button
    likely_list: gr.Button
    chip: gr.HTML
    status_line: gr.HTML
    preparation: gr.HTML
    offer: gr.Button
    download_dataset: gr.Button
    download_panel: gr.HTML
    image: gr.HTML
    image_message: gr.HTML
    templates_message: gr.HTML
    classes_message: gr.HTML
    alert: gr.HTML
    results: gr.HTML
    verdict: gr.HTML
    keep: gr.Button
    start_over: gr.Button
    copy_link: gr.Button
    copied: gr.HTML
    code: gr.Code
    job: gr.HTML
    hint: gr.HTML


def index_range(dataset: Dataset) -> tuple[int, str]:
    """Return the last index of the test split, and the label of the fields that take an index."""
    last = dataset.sizes["test"] - 1
    return last, f"Test image, 0 to {last:,}"


def lay_out(backend: Backend, top: dict[str, Any]) -> tuple[Fields, Controls]:
    """Make the tab's components inside the current gradio context.

    Parameters
    ----------
    backend : Backend
        Has the datasets, and decides what a first visit shows.
    top : dict
        The components above all tabs: ``model``, ``chip``, ``status_line``, ``preparation`` and ``offer``.
    """
    first = start(backend)
    guide = gr.HTML(
        strip(experiments(backend, first.model)),
        apply_default_css=False,
        js_on_load=listening("button"),
        elem_id="guide",
    )
    with gr.Row(elem_id="explore", equal_height=False):
        with gr.Column(scale=3, min_width=264, elem_id="image-side"):
            left = _image_side(backend, first)
        with gr.Column(scale=12, min_width=320, elem_id="answer-side"):
            right = {**_words(backend.datasets[first.dataset], first), **_answers(first)}
    made = {"guide": guide, **top, **left, **right}
    return tuple(kind(**{field.name: made[field.name] for field in fields(kind)}) for kind in (Fields, Controls))


def _image_side(backend: Backend, first: View) -> dict[str, Any]:
    image = gr.HTML(apply_default_css=False, elem_id="image")
    with gr.Column(elem_id="image-choice"):
        source = _radio(_SOURCES, first.source, "Which image", "source")
        with gr.Column(elem_id="dataset-side"):
            dataset = _dataset_choice(backend, first.dataset)
            index_row = _index_row(backend.datasets[first.dataset], first)
            readme_image = gr.Button("The snake of openai/CLIP’s README", size="sm", elem_id="readme-image")
            download_dataset = gr.Button(visible=False, size="md", elem_id="download-dataset")
            download_panel = gr.HTML(apply_default_css=False, elem_id="download-panel")
        with gr.Column(elem_id="example-side"):
            examples = _examples()
        with gr.Column(elem_id="own-side"):
            photo = gr.Image(
                type="filepath",
                image_mode=None,
                sources=["upload", "clipboard", "webcam"],
                label="Your photo",
                show_label=False,
                buttons=["fullscreen"],
                alt_text="Your own photo",
                height=264,
                elem_id="photo",
            )
        image_message = gr.HTML(apply_default_css=False, elem_id="image-message")
    return {
        "source": source,
        "example": gr.Textbox(first.example, visible="hidden", elem_id="example"),
        "dataset": dataset,
        "download_dataset": download_dataset,
        "download_panel": download_panel,
        "image": image,
        "image_message": image_message,
        **index_row,
        "readme_image": readme_image,
        "photo": photo,
        "examples": examples,
    }


def _dataset_choice(backend: Backend, value: str) -> gr.Radio | gr.Dropdown:
    """Make buttons of a few datasets, and a list of more, or of longer titles than fit beside each other."""
    choices = [(each.title, each.name) for each in backend.datasets.values()]
    if len(choices) <= 3 and sum(len(title) for title, _ in choices) <= 32:
        return _radio(choices, value, "Dataset", "dataset")
    return gr.Dropdown(
        choices, value=value, label="Dataset", show_label=False, container=False, filterable=False, elem_id="dataset"
    )


def _radio(choices: list[tuple[str, str]], value: str, label: str, elem_id: str) -> gr.Radio:
    return gr.Radio(choices, value=value, label=label, show_label=False, container=False, elem_id=elem_id)


def _index_row(dataset: Dataset, first: View) -> dict[str, Any]:
    _, label = index_range(dataset)
    with gr.Row(elem_id="index-row"):
        previous = gr.Button("Previous", size="md", min_width=44, elem_id="previous", elem_classes="icon")
        # No minimum and maximum: Gradio would show a toast for an index out of range, the page shows a message.
        index = gr.Number(first.index, label=label, show_label=False, container=False, min_width=70, elem_id="index")
        following = gr.Button("Next", size="md", min_width=44, elem_id="next", elem_classes="icon")
        shuffle = gr.Button("Random", size="md", min_width=44, elem_id="random", elem_classes="icon")
    return {"previous": previous, "index": index, "next": following, "random": shuffle}


def _examples() -> gr.HTML:
    # Not gr.Dataset: its buttons have no names, so a screen reader cannot tell them apart.
    buttons = "".join(
        f'<button type="button" data-name="{escape(photo.name)}" title="{escape(photo.label)}" '
        f'aria-label="Example: {escape(photo.label)}"><img src="{thumbnail(photo.path)}" alt=""></button>'
        for photo in example_photos().values()
    )
    return gr.HTML(
        f'<div class="thumbnails">{buttons}</div>',
        apply_default_css=False,
        js_on_load=listening("button"),
        elem_id="examples",
    )


def _words(dataset: Dataset, first: View) -> dict[str, Any]:
    with gr.Row(elem_id="words", equal_height=False):
        with gr.Column(scale=4, min_width=260, elem_classes="word-field"):
            templates, presets = template_field(first.templates, "templates", dataset)
            templates_message = gr.HTML(apply_default_css=False, elem_id="templates-message")
        with gr.Column(scale=5, min_width=260, elem_classes="word-field"):
            classes = gr.Textbox(
                first.classes, label="Classes: one per line, or with commas", lines=2, max_lines=2, elem_id="classes"
            )
            none_of_these = gr.Checkbox(
                first.none_of_these, label="None of these", container=False, min_width=60, elem_id="none-of-these"
            )
            with gr.Row(elem_classes="small-buttons"):
                own_list = gr.Button("this image’s list", size="sm", min_width=60, elem_id="own-list")
                likely_list = gr.Button("the dataset’s top 10", size="sm", min_width=60, elem_id="likely-list")
                replace_underscores = gr.Checkbox(
                    first.replace_underscores,
                    label="No underscores",
                    container=False,
                    min_width=60,
                    elem_id="replace-underscores",
                )
            classes_message = gr.HTML(apply_default_css=False, elem_id="classes-message")
    return {
        "templates": templates,
        "presets": presets,
        "templates_message": templates_message,
        "classes": classes,
        "own_list": own_list,
        "likely_list": likely_list,
        "replace_underscores": replace_underscores,
        "none_of_these": none_of_these,
        "classes_message": classes_message,
    }


def _answers(first: View) -> dict[str, Any]:
    # Buttons with data-job: in the results for a missing head or model, in the job panel to stop or resume a job.
    press = listening("button[data-job]")
    made = {
        "alert": gr.HTML(apply_default_css=False, elem_id="alert"),
        "results": gr.HTML(apply_default_css=False, js_on_load=press, elem_id="results", min_height=300),
    }
    with gr.Row(elem_id="below-cards", equal_height=False):
        made["verdict"] = gr.HTML(apply_default_css=False, elem_id="verdict")
        made["sharpness"] = gr.Slider(
            *(MIN_SHARPNESS, MAX_SHARPNESS, first.sharpness),
            step=0.25,
            label="Sharpness of the shares: even to sharp",
            show_label=False,
            container=False,
            buttons=[],
            min_width=150,
            elem_id="sharpness",
        )
        made["keep"] = gr.Button("Keep as A", size="sm", min_width=60, elem_id="keep")
    made["job"] = gr.HTML(apply_default_css=False, js_on_load=press, elem_id="job")
    with gr.Row(elem_id="below-hint", equal_height=False):
        made["hint"] = gr.HTML(apply_default_css=False, elem_id="hint")
        made["copied"] = gr.HTML(apply_default_css=False, elem_id="copied")
        made["start_over"] = gr.Button("Start over", size="sm", min_width=60, elem_id="start-over")
        made["copy_link"] = gr.Button("Copy link", size="sm", min_width=60, elem_id="copy-link")
    with gr.Accordion("Show the code", open=False, elem_id="code"):
        made["code"] = gr.Code(language="python", label="These bars in Python", interactive=False, lines=12)
    return made
