"""The field of the prompt templates, with buttons that fill it; on the Explore tab and in the Prompt Lab."""

from collections.abc import Mapping

import gradio as gr

from ..datasets.base import Dataset
from ..datasets.openai_templates import CIFAR100_TEMPLATES
from ..zero_shot.templates import README_TEMPLATE
from .event_options import INSTANT

# The text that a click on a button writes into the field; a last button writes `ensemble_of` the dataset.
_PRESETS = {README_TEMPLATE: README_TEMPLATE, "the bare word": "{}"}


def ensemble_of(dataset: Dataset) -> tuple[str, ...]:
    """Return the templates that are offered together: the dataset's own, or CIFAR-100's, which suit most photos."""
    return dataset.templates if len(dataset.templates) > 1 else CIFAR100_TEMPLATES


def _label(dataset: Dataset) -> str:
    return f"{len(ensemble_of(dataset))} prompts"


def template_field(text: str, elem_id: str, dataset: Dataset) -> tuple[gr.Textbox, dict[str, gr.Button]]:
    """Make the field and its buttons, for the dataset of the first view, inside the current gradio context."""
    templates = gr.Textbox(text, label="Prompt: {} becomes each class name", lines=2, max_lines=2, elem_id=elem_id)
    with gr.Row(elem_classes="small-buttons"):
        presets = {name: gr.Button(name, size="sm", min_width=60) for name in (*_PRESETS, _label(dataset))}
    return templates, presets


def connect_presets(
    presets: Mapping[str, gr.Button],
    templates: gr.Textbox,
    dataset: gr.Radio | gr.Dropdown,
    datasets: Mapping[str, Dataset],
) -> None:
    """Let a click on a preset replace the templates."""
    *plain, ensemble = presets.values()
    for button, text in zip(plain, _PRESETS.values(), strict=True):
        button.click(lambda text=text: text, outputs=templates, **INSTANT)
    ensemble.click(lambda name: "\n".join(ensemble_of(datasets[name])), inputs=dataset, outputs=templates, **INSTANT)
    if len({_label(each) for each in datasets.values()}) > 1:
        dataset.change(lambda name: gr.Button(_label(datasets[name])), inputs=dataset, outputs=ensemble, **INSTANT)
