"""Many photos at once: a table of both predictions, below the Explore tab's answer.

The browser keeps the photos and sends a few of them at a time, which are deleted as soon as they are read; the rows of
the table come back. So a visitor who leaves or stops asks for nothing more, and others are served between two requests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ...backend import Backend
from ...errors import ClipDemoError, ImageError
from ...serving.photo_predictor import PhotoPrediction
from ...zero_shot.prompt_set import PromptSet
from ..event_options import QUIET, event_value, page_error
from ..own_classes.commands import check_ready
from ..permalink import View
from ..presence import visitor_request
from ..uploads import MAX_UPLOAD_BYTES, NO_UPLOAD, temporary_upload
from . import many_photos_view as html
from .events import view_of
from .layout import Fields
from .show import logit_scale_of

MOST, AT_ONCE = 100, 5  # photos of one table, and of one request; see many_photos.js
_MAX_NAME = 200  # characters
_QUEUE = {**QUIET, "concurrency_id": "many-photos", "concurrency_limit": 4, "trigger_mode": "multiple"}
_MEGABYTES = MAX_UPLOAD_BYTES // 1_000_000
_DESK = f"""<p class="caption">One table of up to {MOST} photos, with the words, the model and the dataset above. Each
photo may have {_MEGABYTES} MB. It is deleted as soon as it is read.</p>
<div class="many-buttons"><button type="button" data-do="choose">Choose photos</button>
<input type="file" accept="image/*" multiple hidden>
<button type="button" data-do="stop" hidden>Stop</button><button type="button" data-do="goOn" hidden>Go on</button>
<button type="button" data-do="restart" hidden>Predict again</button>
<button type="button" data-do="save" id="many-photos-save" hidden>Save as CSV</button></div>
<p class="caption says" role="status"></p><progress hidden aria-label="Photos that are done"></progress>
<div class="scroll" tabindex="0" role="region" aria-label="Predictions for your photos" hidden>
<table class="many-photos"><caption></caption><thead></thead><tbody></tbody></table></div>"""


@dataclass(frozen=True)
class ManyPhotos:
    """The components of the section.

    Attributes
    ----------
    desk : gr.HTML
        Buttons and table. Its event ``predict`` carries a few photos.
    answer : gr.Textbox
        Hidden: the rows of these photos.
    """

    desk: gr.HTML
    answer: gr.Textbox


def lay_out() -> ManyPhotos:
    """Make the section's components inside the current gradio context."""
    with gr.Accordion("Many photos at once", open=False, elem_id="many-photos"):
        listen = "clipMany.open(element, () => trigger('predict', { photos: clipMany.sent }));"
        desk = gr.HTML(_DESK, apply_default_css=False, js_on_load=listen, elem_id="many-photos-desk")
    return ManyPhotos(desk, gr.Textbox(visible="hidden", elem_id="many-photos-answer"))


def connect(backend: Backend, fields: Fields, parts: ManyPhotos) -> None:
    """Connect the section with the words, the model and the dataset of the Explore tab."""

    def predict(event: gr.EventData, *values: Any) -> str:
        view, _ = view_of(backend, list(values))
        try:
            return answer(backend, view, event_value(event, "photos"))
        except ClipDemoError as error:
            raise page_error(error) from error

    done = parts.desk.predict(predict, inputs=fields.all(), outputs=parts.answer, preprocess=False, **_QUEUE)
    done.then(None, inputs=parts.answer, outputs=parts.answer, js="(text) => clipMany.answered(text)", **QUIET)
    done.failure(None, js="() => clipMany.failed()", **QUIET)


def answer(backend: Backend, view: View, photos: Any) -> str:
    """Return the rows of a few photos as JSON, as HTML and as CSV.

    Parameters
    ----------
    backend : Backend
    view : View
        The words, the model, the dataset and what else decides about predictions.
    photos : list of mapping
        Each with the ``path`` of an upload, which is deleted, and the ``name`` that the visitor knows it by. A client
        may send anything.
    """
    if not isinstance(photos, list) or not 0 < len(photos) <= AT_ONCE:
        raise ImageError(NO_UPLOAD, page="These photos did not arrive. Try again.")
    photos = [each if isinstance(each, Mapping) else {} for each in photos]
    names = [each["name"][:_MAX_NAME] if isinstance(each.get("name"), str) else "photo" for each in photos]
    with ExitStack() as stack:
        paths = [_path(stack, each) for each in photos]  # all, so that all are deleted
        check_ready(backend, view.model)
        prompts = PromptSet.parse(view.templates, view.classes, view.replace_underscores)
        found = _predict(backend, view, prompts, paths)
    head = backend.head(view.dataset, view.model)
    dataset = backend.datasets[view.dataset]
    asked = (view.model, dataset.key, prompts, view.sharpness, view.none_of_these, head and head.provenance.n_train)
    return json.dumps({
        "asked": str(hash(asked)),  # a change while photos are on their way makes another table
        "caption": html.caption(prompts, view.model, dataset, head),
        "head": html.heading(head),
        "rows": html.rows(names, found, head),
        "csvHead": html.csv_head(head),
        "csv": html.csv_rows(names, found, head),
        "damaged": sum(each.error is not None for each in found),
    })  # fmt: skip


def _path(stack: ExitStack, photo: Mapping[str, Any]) -> Path | ImageError:
    if photo.get("path") is None:
        return ImageError(NO_UPLOAD, page=f"This photo did not arrive. It may have at most {_MEGABYTES} MB.")
    try:
        return stack.enter_context(temporary_upload(photo))
    except ImageError as error:
        return error


def _predict(backend: Backend, view: View, prompts: PromptSet, paths: list[Path | ImageError]) -> list[PhotoPrediction]:
    with visitor_request(backend) as progress:
        predictions = backend.predict_many(
            [path for path in paths if isinstance(path, Path)],
            prompts=prompts,
            dataset=view.dataset,
            top_k=1,
            model=view.model,
            logit_scale=logit_scale_of(backend, view),
            none_of_these=view.none_of_these,
            progress=progress,
        )
        return [next(predictions) if isinstance(path, Path) else PhotoPrediction(None, error=path) for path in paths]
