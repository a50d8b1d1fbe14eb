"""The field of the prompt templates, with buttons that fill it; on the Explore tab and in the Prompt Lab."""

import gradio as gr

from ..backend import Backend
from ..zero_shot.templates import README_TEMPLATE
from .event_options import INSTANT

# The text that a click on each button writes into the field. One more button writes the templates of the dataset.
PRESETS = {README_TEMPLATE: README_TEMPLATE, "the bare word": "{}"}


def template_field(text: str, elem_id: str, backend: Backend) -> tuple[gr.Textbox, dict[str, gr.Button]]:
    """Make the field and the button of each preset inside the current gradio context."""
    templates = gr.Textbox(text, label="Prompt: {} becomes each class name", lines=2, max_lines=2, elem_id=elem_id)
    numbers = {len(dataset.templates) for dataset in backend.datasets.values()}
    of_dataset = f"{numbers.pop()} prompts" if len(numbers) == 1 else "the dataset’s prompts"
    with gr.Row(elem_classes="small-buttons"):
        presets = {name: gr.Button(name, size="sm", min_width=60) for name in (*PRESETS, of_dataset)}
    return templates, presets


def connect_presets(
    presets: dict[str, gr.Button], templates: gr.Textbox, backend: Backend, dataset: gr.components.Component
) -> None:
    """Let a click on a preset replace the templates; `dataset` is the field with the name of the dataset."""

    def of_dataset(name: str) -> str:
        return "\n".join(backend.datasets[name].templates)

    for name, button in presets.items():
        if name in PRESETS:
            button.click(lambda text=PRESETS[name]: text, outputs=templates, **INSTANT)
        else:
            button.click(of_dataset, inputs=dataset, outputs=templates, **INSTANT)
