"""The lab's tables as files: CSV for a spreadsheet, JSON for a program."""

from collections.abc import Callable

import gradio as gr

from ...backend import Backend
from ...errors import ClipDemoError
from ...evaluation import tables
from ...evaluation.report import EvaluationReport
from ...progress import Progress
from ..event_options import QUIET, page_error
from ..presence import visitor_request
from .context import QUEUED, LabContext
from .request import Request

_REPORT_TABLES: dict[str, Callable[[EvaluationReport], tables.Table]] = {
    "Summary": tables.summary,
    "Classes": tables.per_class,
    "Confusions, zero-shot": lambda report: tables.confusion(report.confusion("zero-shot")),
    "Confusions, probe": lambda report: tables.confusion(report.confusion("probe")),
    "Every image": lambda report: tables.images(report, report.images("all")),
    "Calibration": lambda report: tables.calibration(report.calibration()),
}
_TEMPLATES = "Templates"  # each is measured for the file
TABLES = (*_REPORT_TABLES, _TEMPLATES)
_WRITERS = {"csv": tables.to_csv, "json": tables.to_json}


def file_of(
    backend: Backend, request: Request, name: str, suffix: str, progress: Progress | None = None
) -> tuple[str, str]:
    """Return the file name and the text of one of `TABLES`."""
    dataset, model = request.dataset.name, request.model
    if name == _TEMPLATES:
        rows = backend.ablate_templates(request.prompts, dataset=dataset, model=model, progress=progress)
        table = tables.templates(rows)
    else:
        table = _REPORT_TABLES[name](request.evaluate(backend, progress))
    kind = name.lower().replace(",", "").replace(" ", "-")
    return f"{dataset}-{model.replace('/', '-')}-{kind}.{suffix}", _WRITERS[suffix](table)


def connect_downloads(context: LabContext, choice: gr.Dropdown, csv: gr.Button, json: gr.Button) -> None:
    """Let two buttons download the chosen table. The browser makes the file: nothing is stored on the server."""
    file = [gr.Textbox(visible="hidden", elem_id=f"lab-file-{part}") for part in ("name", "text")]

    def connect(button: gr.Button, suffix: str) -> None:
        def make(name: str, *values) -> tuple[str, str]:
            try:
                with visitor_request(context.backend) as progress:
                    return file_of(context.backend, context.parse(*values), name, suffix, progress)
            except ClipDemoError as error:
                raise page_error(error) from error

        made = button.click(make, inputs=[choice, *context.inputs], outputs=file, **QUEUED)
        made.success(None, inputs=file, outputs=file, js="(name, text) => clipLab.save(name, text)", **QUIET)

    connect(csv, "csv")
    connect(json, "json")
