"""The page with all its tabs, and the options it is launched with."""

from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from ..backend import Backend
from ..paths import EXAMPLES
from . import presentation
from .api import add_endpoints
from .event_errors import Page, exception_handlers
from .event_options import QUIET
from .explore import events as explore_events
from .explore import layout as explore
from .explore import many_photos
from .explore.link_events import model_choices
from .few_shot import events as few_shot_events
from .few_shot import layout as few_shot
from .html import listening
from .inside import events as inside_events
from .inside import layout as inside
from .own_classes import events as own_classes_events
from .own_classes import layout as own_classes
from .prompt_lab import events as prompt_lab_events
from .prompt_lab import layout as prompt_lab
from .prompt_lab.context import ExploreTab
from .request_limits import MAX_WAITING, RequestLimits
from .search import events as search_events
from .search import layout as search
from .status_line import chip, status_line
from .uploads import MAX_UPLOAD_BYTES, refuse_addresses
from .web_server import use_tested_parser

# Whose state is kept: those used last. Each takes 50 kB, and a program that sends no session id is a new one each time.
SESSIONS = 4_000
_STATIC = Path(__file__).parent / "static"
_HEADING = (
    "<header><h1>CLIP Explorer</h1><p>Can a computer name a photo from words alone? Change the words and watch.</p>"
    "</header>"
)
# System fonts: the page loads nothing from elsewhere and looks the same without a network.
_FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
_MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def build_ui(backend: Backend) -> gr.Blocks:
    """Return the page, to be launched with `launch_options`. The backend's model may still be loading."""
    refuse_addresses()
    use_tested_parser()
    with Page(title="CLIP Explorer", analytics_enabled=False) as demo:
        top = _top(backend)
        with gr.Tabs(overflow_behavior="wrap") as tabs:
            with gr.Tab("Explore", id="explore") as explore_tab:
                fields, controls = explore.lay_out(backend, top)
                many = many_photos.lay_out()
            with gr.Tab("Search", id="search") as search_tab:
                search_parts = search.lay_out()
            with gr.Tab("Your classes", id="teach") as teach_tab:
                teach = own_classes.lay_out()
            with gr.Tab("Prompt Lab", id="lab", elem_id="lab") as lab_tab:
                lab = prompt_lab.lay_out(lab_tab, backend.datasets[fields.dataset.value])
            with gr.Tab("Few-shot", id="few-shot") as few_shot_tab:
                few_shot_outputs = few_shot.lay_out()
            with gr.Tab("How it works", id="how") as how_tab:
                inside_outputs = inside.lay_out()
        add_endpoints(backend)  # first: Gradio renames an endpoint if an event has a handler of its name
        state = explore_events.connect(demo, backend, fields, controls)
        shown_in = ExploreTab(tabs, explore_tab, fields, state.request)
        search_events.connect(search_tab, backend, shown_in, search_parts)
        prompt_lab_events.connect(backend, lab, shown_in, state.kept)
        many_photos.connect(backend, fields, many)
        for tab in (explore_tab, search_tab, teach_tab, lab_tab, few_shot_tab, how_tab):
            tab.select(None, js=f"() => clipExplorer.openTab('{tab.id}')", **QUIET)
        own_classes_events.connect(teach_tab, backend, fields, teach)
        inside_events.connect(how_tab, backend, fields, inside_outputs)
        few_shot_events.connect_probe(few_shot_tab, backend, fields, few_shot_outputs, state.refresh)
    # Nobody gets around the queues by calling an event directly.
    return demo.queue(api_open=False, max_size=MAX_WAITING)


def _top(backend: Backend) -> dict[str, Any]:
    """Make the components above all tabs: the heading, and the chip that opens the details of what is in use."""
    status = backend.status()
    dataset = backend.datasets[status.dataset.name]
    with gr.Row(elem_id="top", equal_height=False):
        gr.HTML(_HEADING, apply_default_css=False, elem_id="heading")
        offer = gr.Button(visible=False, size="md", elem_id="offer")
        summary = gr.HTML(chip(status, dataset), apply_default_css=False, elem_id="chip")
        guide = gr.Button("Guide", size="sm", min_width=60, elem_id="open-guide")
        guide.click(None, js="() => clipExplorer.toggleGuide()", **QUIET)
        presentation.lay_out()
    press = listening("button[data-job]")
    preparation = gr.HTML(apply_default_css=False, js_on_load=press, elem_id="preparation")
    with gr.Column(elem_id="details"):
        model = gr.Dropdown(
            model_choices(backend),
            value=status.model.name,
            label="Model",
            filterable=False,
            visible=len(backend.models) > 1,
            elem_id="model",
        )
        line = gr.HTML(status_line(status, dataset, backend.preferred_model), apply_default_css=False, elem_id="status")
    return {"model": model, "chip": summary, "status_line": line, "preparation": preparation, "offer": offer}


def launch_options() -> dict[str, Any]:
    """Return the arguments of `gr.Blocks.launch` for this page, except address and port."""
    return {
        "theme": _theme(),
        "css": _static(".css"),
        "head": f"<script>{_static('.js')}</script>",
        "allowed_paths": [str(EXAMPLES)],
        "max_file_size": MAX_UPLOAD_BYTES,
        "app_kwargs": {"middleware": [Middleware(RequestLimits)], "exception_handlers": exception_handlers()},
        # One thread for each place in the queues; most of them wait for the encoder.
        "max_threads": 80,
        "state_session_capacity": SESSIONS,
        "footer_links": ["api", "settings"],
        # The history would keep every run, images included, in the visitor's browser.
        "run_history": False,
        "enable_monitoring": False,
        # Hugging Face Spaces set GRADIO_SSR_MODE. A second server in front of this one would be all visitors' address.
        "ssr_mode": False,
    }


def _static(suffix: str) -> str:
    """Return all style sheets, or all scripts, as one text."""
    # page.js comes first: it defines the object that other scripts extend.
    paths = sorted(_STATIC.glob(f"*{suffix}"), key=lambda path: (path.stem != "page", path.name))
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


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
