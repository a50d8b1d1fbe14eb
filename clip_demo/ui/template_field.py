"""The field of the prompt templates, with buttons that fill it; on the Explore tab and in the Prompt Lab."""

import gradio as gr

from ..datasets.openai_templates import CIFAR100_TEMPLATES
from ..zero_shot.templates import README_TEMPLATE
from .event_options import INSTANT

# The text that a click on each button writes into the field.
PRESETS = {
    README_TEMPLATE: README_TEMPLATE,
    "the bare word": "{}",
    f"{len(CIFAR100_TEMPLATES)} prompts": "\n".join(CIFAR100_TEMPLATES),
}


def template_field(text: str, elem_id: str) -> tuple[gr.Textbox, dict[str, gr.Button]]:
    """Make the field and the button of each preset inside the current gradio context."""
    templates = gr.Textbox(text, label="Prompt: {} becomes each class name", lines=2, max_lines=2, elem_id=elem_id)
    with gr.Row(elem_classes="small-buttons"):
        presets = {name: gr.Button(name, size="sm", min_width=60) for name in PRESETS}
    return templates, presets


def connect_presets(presets: dict[str, gr.Button], templates: gr.Textbox) -> None:
    """Let a click on a preset replace the templates."""
    for name, button in presets.items():
        button.click(lambda text=PRESETS[name]: text, outputs=templates, **INSTANT)
