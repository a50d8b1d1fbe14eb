"""The components of the Prompt Lab: the prompt set and the headline above, a section for each question below."""

from dataclasses import dataclass

import gradio as gr

from ...datasets.base import Dataset
from ...evaluation.ood_detection import HIDDEN
from ...zero_shot.templates import README_TEMPLATE
from ..html import listening
from ..template_field import template_field
from .confusions import ALL, COARSE
from .downloads import TABLES
from .template_switches import ARTICLES
from .text import PREDICTOR_NAMES

_INTRODUCTION = (
    "<h2>How good is a prompt on the whole test set?</h2><p>One image may be luck. Here, every change of the prompt is "
    "tried on all test images, and compared with a prompt that you choose as the baseline.</p>"
)
# In the order of their tabs; only the open one is drawn.
SECTIONS = ("Classes", "Confusions", "Images", "Calibration", "Templates", "Names", "None of these")
Section = dict[str, gr.components.Component]


@dataclass(frozen=True)
class PromptFields:
    """What edits the prompt set."""

    templates: gr.Textbox
    presets: dict[str, gr.Button]
    article: gr.Radio
    period: gr.Checkbox
    replace_underscores: gr.Checkbox
    classes: gr.Textbox
    note: gr.HTML
    reset: gr.Button

    def values(self) -> list[gr.components.Component]:
        """Return the fields that make the prompt set, in the order of `parse_request`."""
        return [self.templates, self.classes, self.replace_underscores]


@dataclass(frozen=True)
class Headline:
    """The accuracy, and what is done with it."""

    alert: gr.HTML
    html: gr.HTML
    pin: gr.Button
    unpin: gr.Button
    table: gr.Dropdown
    csv: gr.Button
    json: gr.Button


@dataclass(frozen=True)
class Lab:
    """All components of the lab.

    Attributes
    ----------
    tab : gr.Tab
    prompts : PromptFields
    headline : Headline
    tabs : dict of str to gr.Tab
        The tab of each of `SECTIONS`.
    sections : dict of str to dict
        The components of each of `SECTIONS`, by the parameter names of the function that connects them.
    """

    tab: gr.Tab
    prompts: PromptFields
    headline: Headline
    tabs: dict[str, gr.Tab]
    sections: dict[str, Section]


def lay_out(tab: gr.Tab, dataset: Dataset) -> Lab:
    """Make the tab's components, for the dataset of the first view, inside the current gradio context."""
    gr.HTML(_INTRODUCTION, apply_default_css=False, elem_id="lab-introduction")
    with gr.Row(elem_id="lab-top", equal_height=False):
        with gr.Column(scale=5, min_width=320, elem_id="lab-prompts"):
            prompts = _prompts(dataset)
        with gr.Column(scale=7, min_width=320, elem_id="lab-answer"):
            headline = _headline()
    tabs, sections = {}, {}
    with gr.Tabs(elem_id="lab-sections", overflow_behavior="wrap"):
        makers = (_classes, _confusions, _images, _calibration, _templates, _names, _none_of_these)
        for name, make in zip(SECTIONS, makers, strict=True):
            with gr.Tab(name, elem_id=f"lab-{hyphenated(name)}") as tabs[name]:
                sections[name] = make()
    return Lab(tab, prompts, headline, tabs, sections)


def hyphenated(section: str) -> str:
    """Return the name of a section as it is in the ids of elements."""
    return section.lower().replace(" ", "-")


def _html(name: str, *events: str) -> gr.HTML:
    """Make an HTML component; a click on an element with ``data-EVENT`` triggers that event with its value."""
    return gr.HTML(
        apply_default_css=False, js_on_load=f"clipLab.listen(element, trigger, {list(events)});", elem_id=f"lab-{name}"
    )


def _gallery(name: str) -> gr.HTML:
    return _html(f"{name}-images", "open", "more")


def _plot(label: str, name: str) -> gr.Plot:
    return gr.Plot(label=label, show_label=False, container=False, buttons=[], elem_id=f"lab-{name}")


def _prompts(dataset: Dataset) -> PromptFields:
    templates, presets = template_field(README_TEMPLATE, "lab-templates-field", dataset)
    with gr.Row(elem_id="lab-switches"):
        article = gr.Radio(list(ARTICLES), value="a", label="Article", min_width=210, elem_id="lab-article")
        with gr.Column(min_width=210):
            period = gr.Checkbox(False, label="Full stop at the end", elem_id="lab-period")
            replace_underscores = gr.Checkbox(
                False, label="Underscores become spaces", elem_id="lab-replace-underscores"
            )
    classes = gr.Textbox(label="Class names, in the dataset’s order", lines=2, max_lines=3, elem_id="lab-class-list")
    # Says why the names of the Explore tab are not used; prompt_lab.js fills it.
    note = gr.HTML(apply_default_css=False, elem_id="lab-note")
    reset = gr.Button("Reset to the dataset’s own names", size="sm", elem_id="lab-reset")
    return PromptFields(templates, presets, article, period, replace_underscores, classes, note, reset)


def _headline() -> Headline:
    alert = gr.HTML(apply_default_css=False, elem_id="lab-alert")
    # With a button where the model is not loaded.
    press = listening("button[data-job]")
    html = gr.HTML(apply_default_css=False, js_on_load=press, elem_id="lab-headline", min_height=220)
    with gr.Row(elem_classes="small-buttons"):
        pin = gr.Button("Pin as baseline", size="md", variant="primary", min_width=100, elem_id="lab-pin")
        unpin = gr.Button("Reset the baseline", size="md", min_width=100, elem_id="lab-unpin")
    with gr.Row(elem_id="lab-save", equal_height=True):
        table = gr.Dropdown(
            list(TABLES), label="Table to save", show_label=False, container=False, filterable=False, min_width=140
        )
        csv = gr.Button("Save as CSV", size="md", min_width=60, elem_id="lab-csv")
        json = gr.Button("Save as JSON", size="md", min_width=60, elem_id="lab-json")
    return Headline(alert, html, pin, unpin, table, csv, json)


def _classes() -> Section:
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=480):
            table = _html("class-table", "sort", "pick")
        with gr.Column(scale=5, min_width=320):
            plot = _plot("Accuracy of each class: zero-shot against the probe", "class-plot")
    return {"table": table, "plot": plot, "gallery": _gallery("class")}


def _confusions() -> Section:
    predictors = [(name, key) for key, name in PREDICTOR_NAMES.items()]
    with gr.Row(elem_classes="lab-choices"):
        by = gr.Radio(predictors, value="zero-shot", label="Whose mistakes", min_width=220, elem_id="lab-by")
        view = gr.Dropdown([COARSE, ALL], value=COARSE, label="Show", min_width=220, elem_id="lab-view")
    return {"by": by, "view": view, "table": _html("heatmap", "cell", "group"), "gallery": _gallery("cell")}


def _images() -> Section:
    kind = gr.Radio([], label="Which images", show_label=False, elem_id="lab-kind")
    return {"kind": kind, "gallery": _gallery("kind")}


def _calibration() -> Section:
    with gr.Row(elem_classes="lab-choices"):
        scale = gr.Slider(
            1,
            200,
            100,
            step=0.5,
            label="Logit scale",
            buttons=[],
            min_width=260,
            scale=4,
            elem_id="lab-scale",
        )
        reset = gr.Button("Reset to the model’s own", size="md", min_width=120, scale=1, elem_id="lab-own-scale")
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=400):
            plot = _plot("Reliability diagram: confidence against accuracy", "reliability")
        with gr.Column(scale=5, min_width=320):
            text = gr.HTML(apply_default_css=False, elem_id="lab-calibration-text")
    return {"scale": scale, "reset": reset, "plot": plot, "text": text}


def _templates() -> Section:
    with gr.Row(elem_classes="small-buttons"):
        measure = gr.Button("Measure every template", size="md", min_width=160, visible=False, elem_id="lab-measure")
        stop = gr.Button("Stop", size="md", min_width=80, visible=False, elem_id="lab-stop")
    progress = gr.HTML(apply_default_css=False, elem_id="lab-progress")
    return {"measure": measure, "stop": stop, "progress": progress, "table": _html("template-table", "toggle")}


def _names() -> Section:
    with gr.Row(elem_classes="lab-choices", equal_height=False):
        classname = gr.Dropdown([], label="Class", min_width=200, scale=2, elem_id="lab-class")
        names = gr.Textbox(
            label="Other names for this class, one per line",
            lines=3,
            max_lines=8,
            min_width=240,
            scale=3,
            elem_id="lab-names-field",
        )
    return {"classname": classname, "names": names, "table": _html("names-table", "use")}


def _none_of_these() -> Section:
    with gr.Row(elem_classes="lab-choices"):
        number = gr.Slider(
            *(1, 50, HIDDEN), step=1, label="Hidden classes", buttons=[], min_width=260, scale=4, elem_id="lab-hidden"
        )
        others = gr.Button("Hide other classes", size="md", min_width=120, scale=1, elem_id="lab-other-classes")
    return {"number": number, "others": others, "table": _html("detection-table")}
