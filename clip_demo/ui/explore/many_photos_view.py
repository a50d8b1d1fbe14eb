"""The table of the predictions for many photos, in parts as they come: pure functions to HTML and CSV."""

import base64
from collections.abc import Sequence
from html import escape

from ...csv_text import write_csv
from ...datasets.base import Dataset
from ...linear_probe.head import Head
from ...serving.photo_predictions import PhotoPrediction
from ...serving.prediction import Prediction
from ...zero_shot.prompt_set import PromptSet
from ..html import name_html, percent

_PROBE = ("probe_label", "probe_probability")


def caption(prompts: PromptSet, model: str, dataset: Dataset, head: Head | None) -> str:
    """Return by what the photos are predicted."""
    others = len(prompts.templates) - 1
    more = f" and {others:,} more" if others else ""
    probe = f" The probe was trained on {escape(dataset.title)}." if head else ""
    template = name_html(prompts.templates[0])
    return f"By {escape(model)}, among {len(prompts.classnames):,} classes, with the prompt “{template}”{more}.{probe}"


def heading(head: Head | None) -> str:
    """Return the row of the column names."""
    names = ("Photo", "Zero-shot", *(("Linear probe",) if head else ()))
    return "<tr>" + "".join(f'<th scope="col">{name}</th>' for name in names) + "</tr>"


def rows(names: Sequence[str], predictions: Sequence[PhotoPrediction], head: Head | None) -> str:
    """Return a row for each photo: its name, and both predictions or why it cannot be read."""
    return "".join(_row(name, each, head) for name, each in zip(names, predictions, strict=True))


def csv_head(head: Head | None) -> str:
    """Return the first line of the CSV, with the columns of ``predict FOLDER --top-k 1``."""
    return write_csv([("file", "label_1", "probability_1", "cosine_1", *(_PROBE if head else ()), "error")])


def csv_rows(names: Sequence[str], predictions: Sequence[PhotoPrediction], head: Head | None) -> str:
    """Return a line of CSV for each photo."""
    lines = []
    for name, photo in zip(names, predictions, strict=True):
        if photo.prediction is None:
            lines.append((name, *(None,) * (5 if head else 3), photo.error.page_message))
            continue
        probe = photo.prediction.linear_probe
        best = (probe.top[0].label, probe.top[0].probability) if probe else (None, None)
        lines.append((name, *_zero_shot(photo.prediction), *(best if head else ()), None))
    return write_csv(lines)


def _zero_shot(prediction: Prediction) -> tuple[str, float, float | None]:
    """Return the class with the largest share, its share and its cosine; "None of these" has no cosine."""
    best, none = prediction.zero_shot[0], prediction.none_of_these
    if none and none.wins:
        return "None of these", none.probability, None
    return best.label, best.probability, best.cosine


def _row(name: str, photo: PhotoPrediction, head: Head | None) -> str:
    image = base64.b64encode(photo.thumbnail).decode("ascii")
    image = f'<img src="data:image/webp;base64,{image}" alt="">' if image else ""
    first = f'<th scope="row"><div>{image}<span>{name_html(name)}</span></div></th>'
    if photo.prediction is None:
        return f'<tr>{first}<td colspan="{2 if head else 1}" class="error">{escape(photo.error.page_message)}</td></tr>'
    label, probability, _ = _zero_shot(photo.prediction)
    cells, probe = _cell("zero-shot", label, probability), photo.prediction.linear_probe
    if head:
        cells += _cell("probe", probe.top[0].label, probe.top[0].probability) if probe else "<td></td>"
    return f"<tr>{first}{cells}</tr>"


def _cell(kind: str, label: str, probability: float) -> str:
    return f'<td class="{kind}"><b>{name_html(label)}</b> <span class="percent">{percent(probability)}</span></td>'
