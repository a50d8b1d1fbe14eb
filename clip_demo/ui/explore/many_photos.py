"""Many photos at once: a table of both predictions for up to a hundred uploads, below the Explore tab's answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ...backend import Backend, Prediction
from ...csv_text import write_csv
from ...errors import ClipDemoError, ModelError
from ...models.image_input import read_image
from ...zero_shot.prompt_set import PromptSet
from ..event_options import QUIET, load_if_downloaded
from ..html import name_html, percent, photo_url
from ..presence import visitor_request
from ..uploads import MAX_UPLOAD_BYTES, uploaded_path
from .events import view_of
from .layout import Fields
from .view import alert

MOST = 100  # photos
_SIDE = 96  # pixels of a thumbnail
_SHOW_EVERY = 5  # photos between two drawings of the table
_COLUMNS = ("file", "zero_shot", "zero_shot_probability", "cosine", "probe", "probe_probability", "error")


@dataclass(frozen=True)
class ManyPhotos:
    """The components of the section."""

    photos: gr.File
    message: gr.HTML
    table: gr.HTML
    csv: gr.Textbox
    save: gr.Button


@dataclass(frozen=True)
class _Row:
    name: str
    thumbnail: str
    prediction: Prediction | None
    error: str


def lay_out() -> ManyPhotos:
    """Make the section's components inside the current gradio context."""
    with gr.Accordion("Many photos at once", open=False, elem_id="many-photos"):
        gr.HTML(
            f'<p class="caption">Choose up to {MOST} photos, of at most {MAX_UPLOAD_BYTES // 1_000_000} MB each. They '
            "are predicted with the words, the dataset’s probe and the model that are chosen above.</p>",
            apply_default_css=False,
        )
        photos = gr.File(
            file_count="multiple", file_types=["image"], label="Photos", height=140, elem_id="many-photos-files"
        )
        message = gr.HTML(apply_default_css=False)
        table = gr.HTML(apply_default_css=False, elem_id="many-photos-table")
        csv = gr.Textbox(visible=False, elem_id="many-photos-csv")
        save = gr.Button("Save as CSV", size="md", visible=False, min_width=60, elem_id="many-photos-save")
    return ManyPhotos(photos, message, table, csv, save)


def connect(backend: Backend, fields: Fields, parts: ManyPhotos) -> None:
    """Predict the photos when they are chosen."""
    parts.photos.upload(
        partial(_predict_all, backend),
        inputs=[*fields.all(), parts.photos],
        outputs=[parts.message, parts.table, parts.csv, parts.save],
        preprocess=False,
        trigger_mode="once",
        concurrency_id="many-photos",
        concurrency_limit=2,
        **QUIET,
    )
    save = "(text) => clipExplorer.save('predictions.csv', text, 'text/csv;charset=utf-8')"
    parts.save.click(None, inputs=parts.csv, js=save, **QUIET)


def _predict_all(backend: Backend, *values: Any) -> Iterator[list[Any]]:
    """Yield the message, the table, the CSV and the button, while more and more photos are done."""
    *chosen, photos = values
    photos = photos if isinstance(photos, list) else []
    view, _ = view_of(backend, chosen)
    rows: list[_Row] = []
    try:
        prompts = PromptSet.parse(view.templates, view.classes, view.replace_underscores)
        if load_if_downloaded(backend, view.model).state != "ready":
            raise ModelError("model: it is not ready.", page="The model is not ready yet. Choose the photos again.")
        predict = partial(backend.predict, dataset=view.dataset, prompts=prompts, model=view.model, top_k=1)
        with visitor_request(backend) as progress:
            for number, photo in enumerate(photos[:MOST], 1):
                progress("photos", number - 1, len(photos[:MOST]))
                rows.append(_row(photo, predict))
                if number % _SHOW_EVERY == 0 and number < len(photos[:MOST]):
                    yield [_progress(number, len(photos[:MOST])), _table(rows), gr.skip(), gr.skip()]
    except ClipDemoError as error:
        yield [alert(error.page_message, stale=False), _table(rows), _csv(rows), gr.Button(visible=bool(rows))]
        return
    more = f"Only the first {MOST} of {len(photos):,} photos are predicted." if len(photos) > MOST else ""
    yield [alert(more, stale=False), _table(rows), _csv(rows), gr.Button(visible=bool(rows))]


def _row(photo: Any, predict: Any) -> _Row:
    name = photo.get("orig_name") if isinstance(photo, Mapping) else None
    name = Path(name).name[:200] if isinstance(name, str) else "photo"
    try:
        image = read_image(uploaded_path(photo))
        return _Row(name, photo_url(image, _SIDE), predict(image=image), "")
    except ClipDemoError as error:
        return _Row(name, "", None, error.page_message)


def _progress(done: int, total: int) -> str:
    return (
        f'<div class="notice" role="status"><label>{done} of {total} photos'
        f'<progress max="{total}" value="{done}"></progress></label></div>'
    )


def _table(rows: Sequence[_Row]) -> str:
    if not rows:
        return ""
    body = "".join(map(_row_html, rows))
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Photo", "Zero-shot", "Linear probe"))
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Predictions of the photos">'
        f'<table class="many-photos"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _row_html(row: _Row) -> str:
    image = f'<img src="{row.thumbnail}" alt="">' if row.thumbnail else ""
    head = f'<th scope="row">{image}<span>{escape(row.name)}</span></th>'
    if row.prediction is None:
        return f'<tr>{head}<td colspan="2" class="error">{escape(row.error)}</td></tr>'
    first, probe = row.prediction.zero_shot[0], row.prediction.linear_probe
    cells = _cell("zero-shot", first.label, first.probability)
    cells += _cell("probe", probe.top[0].label, probe.top[0].probability) if probe else "<td>–</td>"
    return f"<tr>{head}{cells}</tr>"


def _cell(kind: str, label: str, probability: float) -> str:
    return f'<td class="{kind}"><b>{name_html(label)}</b> {percent(probability)}</td>'


def _csv(rows: Sequence[_Row]) -> str:
    cells = []
    for row in rows:
        first = row.prediction.zero_shot[0] if row.prediction else None
        probe = row.prediction.linear_probe.top[0] if row.prediction and row.prediction.linear_probe else None
        zero_shot = (first.label, first.probability, first.cosine) if first else (None,) * 3
        cells.append((row.name, *zero_shot, probe and probe.label, probe and probe.probability, row.error or None))
    return write_csv([_COLUMNS, *cells])
