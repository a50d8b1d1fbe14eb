"""Puts the tabs together and says how the page is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from ..backend import Backend
from ..paths import EXAMPLES
from . import prompt_lab as lab
from .api import add_endpoints
from .explore.events import connect, model_choices
from .explore.layout import lay_out
from .explore.view import status_line
from .few_shot import layout as probe_tab
from .few_shot.events import connect_probe
from .how_it_works import layout as how_it_works

__all__ = ["build_ui", "launch_options"]

_HERE = Path(__file__).parent
_DAY = 24 * 60 * 60
_HEADING = (
    "<header><h1>CLIP Explorer</h1><p>Zero-shot prediction beside a linear probe: change a word, a class, the image"
    "</p></header>"
)
# Fonts of the visitor's own system: nothing is fetched from elsewhere, and the page looks right without a network.
_FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
_MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def build_ui(backend: Backend) -> gr.Blocks:
    """Return the page.

    Parameters
    ----------
    backend : Backend
        What answers. Its model may still be loading.

    Returns
    -------
    gr.Blocks
        To be launched with `launch_options`.
    """
    # Uploads are kept for a day at most: a server that runs for weeks must not fill its disk.
    with gr.Blocks(title="CLIP Explorer", analytics_enabled=False, delete_cache=(_DAY // 24, _DAY)) as demo:
        top = _top(backend)
        with gr.Tabs(overflow_behavior="wrap") as tabs:
            with gr.Tab("Explore", id="explore") as tab:
                fields, places = lay_out(backend, top)
            with gr.Tab("Prompt Lab", elem_id="lab") as lab_tab:
                prompt_lab = lab.lay_out(lab_tab)
            with gr.Tab("Few-shot") as few_shot:
                probe_places = probe_tab.lay_out()
            with gr.Tab("How it works"):
                how_it_works.lay_out()
        request = connect(demo, backend, fields, places)
        lab.connect(backend, prompt_lab, lab.Explore(tabs, tab, fields, places, request))
        connect_probe(few_shot, backend, fields, probe_places, request)
        add_endpoints(backend)
    return demo


def _top(backend: Backend) -> dict[str, Any]:
    """Make what stands above all tabs: the heading, the choice of a model, and the line that says what is on."""
    model = backend.default_model
    with gr.Row(elem_id="top", equal_height=False):
        gr.HTML(_HEADING, apply_default_css=False, elem_id="heading")
        choice = gr.Dropdown(
            model_choices(backend),
            value=model,
            label="Model",
            show_label=False,
            container=False,
            filterable=False,
            visible=len(backend.models) > 1,
            elem_id="model",
        )
    banner = gr.HTML(status_line(backend, backend.default_dataset, model), apply_default_css=False, elem_id="status")
    return {"model": choice, "banner": banner, "offer": gr.Button(visible=False, size="md", elem_id="offer")}


def launch_options() -> dict[str, Any]:
    """Return what `gr.Blocks.launch` needs for this page, beside address and port."""
    return {
        "theme": _theme(),
        "css": _all("*.css"),
        "head": f"<script>{_all('*.js')}</script>",
        "allowed_paths": [str(EXAMPLES)],
        "max_file_size": "20mb",
        # Threads mostly wait for the encoder: one for each place in the queues.
        "max_threads": 80,
        # Gradio keeps half a megabyte for each session, and a program that names none has a new one at each call.
        "state_session_capacity": 300,
        "footer_links": ["api", "settings"],
        # Gradio would keep every run in the visitor's browser, images included.
        "run_history": False,
        "enable_monitoring": False,
    }


def _all(pattern: str) -> str:
    """Return the style sheets, or the scripts, of all tabs as one text."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(_HERE.glob(pattern)))


def _theme() -> gr.themes.Base:
    return gr.themes.Base(
        primary_hue="indigo",
        neutral_hue="slate",
        text_size="lg",
        radius_size="lg",
        font=_FONT,
        font_mono=_MONO,
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        button_secondary_background_fill="*neutral_100",
        button_secondary_background_fill_dark="*neutral_800",
    )
