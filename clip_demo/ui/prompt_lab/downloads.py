"""Everything that the lab shows as a file: CSV for a spreadsheet, JSON for a program."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gradio as gr

from ...errors import ClipDemoError
from ...evaluation import tables as exports
from ..event_options import QUIET
from .context import QUEUED, Wiring
from .request import arguments, without_baseline

__all__ = ["CHOICES", "connect_saving", "file_of"]

# What one may have. Each makes a table of an examination; templates are measured for it.
_TABLES: dict[str, Callable[[Any], Any]] = {
    "Summary": lambda found: exports.summary(found),
    "Classes": lambda found: exports.per_class(found),
    "Confusions, zero-shot": lambda found: exports.confusion(found.confusion("zero-shot")),
    "Confusions, probe": lambda found: exports.confusion(found.confusion("probe")),
    "Every image": lambda found: exports.images(found, found.images("all")),
    "Calibration": lambda found: exports.calibration(found.calibration()),
}
_TEMPLATES = "Templates that are on"
CHOICES = (*_TABLES, _TEMPLATES)
_WRITERS = {"csv": exports.to_csv, "json": exports.to_json}


def file_of(wiring: Wiring, given: dict[str, Any], what: str, ending: str) -> tuple[str, str]:
    """Return a file's name and its text."""
    if what == _TEMPLATES:
        table = exports.templates(wiring.backend.templates_report(**without_baseline(given)))
    else:
        table = _TABLES[what](wiring.backend.examine(**given))
    kind = what.lower().replace(",", "").replace(" ", "-")
    model = given["model"].replace("/", "-")
    return f"{given['images']}-{model}-{kind}.{ending}", _WRITERS[ending](table)


def connect_saving(wiring: Wiring, numbers: SimpleNamespace) -> None:
    """Let the buttons hand over a file. The browser makes it of the text: nothing is left on the server."""
    name, text = (gr.Textbox(visible="hidden", elem_id=f"lab-file-{each}") for each in ("name", "text"))

    def connect(button: gr.Button, ending: str) -> None:
        def make(*values) -> tuple[str, str]:
            try:
                return file_of(wiring, arguments(wiring.backend, *values[:-1]), values[-1], ending)
            except ClipDemoError as error:
                raise gr.Error(str(error), print_exception=False) from error

        made = button.click(make, inputs=[*wiring.asked, numbers.what], outputs=[name, text], **QUEUED)
        save = "(name, text) => clipLab.save(name, text)"
        made.success(None, inputs=[name, text], outputs=[name, text], js=save, **QUIET)

    connect(numbers.csv, "csv")
    connect(numbers.json, "json")
