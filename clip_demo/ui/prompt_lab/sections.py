"""The parts below the numbers: classes, confusions, images and calibration; each is drawn when it is asked for."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..event_options import INSTANT, now
from . import plots
from .calibration import calibration_text
from .confusions import confusion_table, images_behind, shown_choices
from .context import Wiring
from .gallery import KINDS, gallery_of
from .layout import Lab
from .tables import COLUMNS, class_table

__all__ = ["connect_parts"]


def connect_parts(wiring: Wiring, lab: Lab, asks: dict[str, gr.Textbox]) -> None:
    """Connect the parts that show an examination."""
    for name, connect in (
        ("Classes", _connect_classes),
        ("Confusions", _connect_confusions),
        ("Images", _connect_images),
        ("Calibration", _connect_calibration),
    ):
        connect(wiring, lab.parts[name], asks[name])


def _connect_classes(wiring: Wiring, part: Any, ask: gr.Textbox) -> None:
    state = gr.State({"sort": "zero_shot", "backwards": False, "class": None, "pages": 1})

    def make(found, given, chosen) -> list[Any]:
        picked = chosen["class"]
        table = class_table(found.classes, chosen["sort"], chosen["backwards"], picked)
        plot = plots.probe_against_zero_shot(found.classes) if found.classes[0].probe is not None else None
        if picked is None:
            return [table, plot, '<p class="caption">Click a class: its images appear here.</p>']
        name = found.classes[picked].name
        indices = found.images("all", true=picked)
        return [table, plot, gallery_of(found, wiring.dataset(given), f"True class {name}", indices, chosen["pages"])]

    def sort(before, column):
        same = before["sort"] == column
        return {**before, "sort": column, "backwards": not before["backwards"] if same else COLUMNS[column][2]}

    def pick(before, number):
        return {**before, "class": int(number), "pages": 1}

    wiring.draw([ask.change], make, [state], [part.table, part.plot, part.gallery])
    wiring.remember(part.table.sort, sort, state, ask)
    wiring.remember(part.table.pick, pick, state, ask)
    wiring.images(part.gallery, state, ask)


def _connect_confusions(wiring: Wiring, part: Any, ask: gr.Textbox) -> None:
    state = gr.State({"cell": None, "pages": 1})

    def make(found, given, chosen, by, shown) -> list[Any]:
        return [
            gr.Dropdown(shown_choices(found)),
            confusion_table(found, by, shown, chosen["cell"]),
            images_behind(found, wiring.dataset(given), by, shown, chosen),
        ]

    def cell(before, value):
        true, said = value.split(",")
        return {"cell": (int(true), int(said)), "pages": 1}

    wiring.draw([ask.change], make, [state, part.by, part.shown], [part.shown, part.table, part.gallery])
    for field in (part.by, part.shown):
        field.input(lambda: [{"cell": None, "pages": 1}, now()], outputs=[state, ask], **INSTANT)
    wiring.remember(part.table.cell, cell, state, ask)
    wiring.images(part.gallery, state, ask)

    def only(event: gr.EventData) -> list[Any]:
        return [event.value, {"cell": None, "pages": 1}, now()]

    part.table.only(only, outputs=[part.shown, state, ask], **INSTANT)


def _connect_images(wiring: Wiring, part: Any, ask: gr.Textbox) -> None:
    state = gr.State({"pages": 1})

    def make(found, given, chosen, kind) -> list[Any]:
        kinds = {name: found.images(name) for name in KINDS if name in found.kinds}
        choices = [(f"{KINDS[name]} ({len(indices):,})", name) for name, indices in kinds.items()]
        radio = gr.Radio(choices)  # without a value: what is clicked meanwhile stays
        if kind not in kinds:
            kind = next(iter(kinds))
            radio = gr.Radio(choices, value=kind)
        images = gallery_of(found, wiring.dataset(given), KINDS[kind], kinds[kind], chosen["pages"])
        return [radio, images]

    wiring.draw([ask.change], make, [state, part.kind], [part.kind, part.gallery])
    part.kind.input(lambda: [{"pages": 1}, now()], outputs=[state, ask], **INSTANT)
    wiring.images(part.gallery, state, ask)


def _connect_calibration(wiring: Wiring, part: Any, ask: gr.Textbox) -> None:
    own = gr.State(None)

    def make(found, given, scale, before) -> list[Any]:
        mine = found.logit_scale
        # Another model brings its own scale.
        scale = mine if before != mine else scale
        curves = found.calibration(scale)
        slider = gr.Slider(value=scale) if before != mine else gr.skip()
        return [slider, mine, plots.reliability(curves), calibration_text(curves, scale, mine)]

    outputs = [part.scale, own, part.plot, part.text]
    wiring.draw([ask.change, part.scale.input], make, [part.scale, own], outputs)
    part.reset.click(lambda: [None, now()], outputs=[own, ask], **INSTANT)
