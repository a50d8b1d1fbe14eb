"""What one event draws: both predictions for what is chosen and typed, or a message in their place."""

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import gradio as gr

from ...backend import Backend, Prediction
from ...datasets.base import Dataset
from ...datasets.example_photos import example_photos
from ...errors import ClipDemoError, DatasetError, IndexRangeError, InputError
from ...progress import Progress
from ...serving.model_handle import ModelStatus
from ...zero_shot.prompt_set import PromptSet
from ...zero_shot.prompts import MAX_CLASSNAMES, parse_templates
from ..event_options import load_if_downloaded
from ..permalink import EXAMPLE, OWN, View, to_link
from ..permissions import may_download, may_start
from ..presence import visitor_request
from ..uploads import uploaded_path
from . import view as html
from .code import code
from .comparison import Comparison, Words
from .layout import index_range
from .none_of_these import explanation
from .prediction_cards import SHOWN, hint, results, verdict, word_line
from .status_events import changed, facts

# The names of what `show` returns, in the order of the outputs of its event.
OUTPUTS = (
    *("image", "image_message", "templates_message", "classes_message", "alert", "results", "verdict", "hint"),
    *("code", "keep", "words", "query", "link_note", "notice", "drawn", "timer"),
)


def show(
    backend: Backend,
    view: View,
    photo: Mapping[str, Any] | None,
    words: Words | None,
    kept: Mapping[str, PromptSet],
    notice: str,
    before: str,
    reported: tuple[Any, ...],
) -> dict[str, Any]:
    """Predict, and return the values of `OUTPUTS`; those that stay as they are are left out.

    Parameters
    ----------
    backend : Backend
    view : View
    photo : mapping or None
        The visitor's own photo, as Gradio sends it.
    words : Words or None
        Of the last results.
    kept : mapping of str to PromptSet
        The prompt set that the visitor keeps as A, by dataset.
    notice : str
        A message about the link.
    before : str
        The query string of the last results.
    reported : tuple
        The facts that the status line was drawn from.
    """
    status = load_if_downloaded(backend, view.model)
    drawn, prediction, error = {}, None, None
    try:
        note = _instead(backend, status, view, photo)
        if note:
            drawn = {"results": note, "verdict": "", "hint": "", "words": None}
        else:
            with visitor_request(backend) as progress:
                prediction, drawn = _answer(backend, view, photo, words, kept, progress)
    except ClipDemoError as problem:
        error, status = problem, backend.model_status(view.model)  # its machine may not answer any more
        if words is None:  # there are no results to keep, but perhaps a note that the model is loading
            drawn = {"results": ""}
    image, available, no_image = _image(backend, view, prediction and prediction.truth)
    messages = html.field_messages(error or no_image)
    link = to_link(backend, view)
    if view.source == EXAMPLE and parse_qs(before).get("photo") == [view.example]:
        image = None  # it is there already, and larger than all the rest
    # A notice about the link stays until the visitor changes something: results may also be redrawn without a change.
    notice = notice if before in ("", link.query) else ""
    messages["alert"] += html.alert(notice, stale=False)
    probe = prediction and prediction.linear_probe
    known = facts(status, view.dataset, available, prediction and (probe.head.n_train if probe else 0))
    if status.state in html.WAITING or status.problem or changed(reported, known):
        drawn["timer"] = gr.Timer(active=True)
    return {
        **drawn,
        **({"image": image} if image is not None else {}),
        **{name if name == "alert" else f"{name}_message": text for name, text in messages.items()},
        "keep": "Forget A" if view.dataset in kept else "Keep as A",
        "query": link.query,
        "link_note": link.note,
        "notice": notice,
        "drawn": known,
    }


def _instead(backend: Backend, status: ModelStatus, view: View, photo: Mapping[str, Any] | None) -> str:
    """Return what stands in place of the cards while there is nothing to predict; "" otherwise."""
    if status.state == "absent":
        return html.missing_model(status, may_download=may_download(backend, status.name))
    if status.state in html.WAITING:
        return html.waiting(status)
    return html.NO_PHOTO if view.source == OWN and photo is None else ""


def _answer(
    backend: Backend,
    view: View,
    photo: Mapping[str, Any] | None,
    words: Words | None,
    kept: Mapping[str, PromptSet],
    progress: Progress,
) -> tuple[Prediction, dict[str, Any]]:
    """Return the prediction and what is drawn of it."""
    dataset = backend.datasets[view.dataset]
    prompts = PromptSet.parse(view.templates, view.classes, view.replace_underscores)
    image = image_argument(view, photo, dataset)
    predict = _predictor(backend, view, image, progress)
    prediction = predict(prompts=prompts)
    if view.source == EXAMPLE:
        prediction = replace(prediction, truth=example_photos()[view.example].label)
    key = (view.source, view.dataset, *map(str, image.values()))
    words = (words or Words(key, prompts)).then(key, prompts, time.monotonic())
    knowledge = backend.word_knowledge(prompts.classnames, view.model)
    bars = {score.label for score in prediction.zero_shot[:SHOWN]}
    shown = [each for each in knowledge if each.name in bars]
    comparison = _comparison(predict, words, kept.get(view.dataset))
    return prediction, {
        "results": results(
            *(prediction, dataset, prompts, shown, comparison),
            may_start=may_start(backend),
            coming=backend.preparation.is_running(prediction.model, dataset.name),
        ),
        "verdict": verdict(prediction, dataset, shown),
        "hint": word_line(prompts.classnames, knowledge) + explanation(prediction) + hint(prediction),
        "code": code(
            model=prediction.model,
            dataset=dataset,
            prompts=prompts,
            index=prediction.index,
            image_name=image["image"].name if view.source == EXAMPLE else None,
            logit_scale=predict.keywords["logit_scale"],
            others=prediction.none_of_these.nouns if view.none_of_these else (),
            checkpoint=getattr(backend.encoder(prediction.model), "checkpoint", None),
        ),
        "words": words,
    }


def likely_classes(backend: Backend, view: View, photo: Mapping[str, Any] | None, n: int = 10) -> list[str]:
    """Return the `n` classes of the dataset that zero-shot prediction with the templates of a view finds likeliest.

    Raises
    ------
    ClipDemoError
    """
    dataset = backend.datasets[view.dataset]
    prompts = PromptSet(dataset.classnames, parse_templates(view.templates), view.replace_underscores)
    with visitor_request(backend) as progress:
        predict = _predictor(backend, view, image_argument(view, photo, dataset), progress)
        prediction = predict(prompts=prompts)
    return [score.label for score in prediction.zero_shot[:n]]


def _predictor(backend: Backend, view: View, image: Mapping[str, Any], progress: Progress) -> partial[Prediction]:
    """Return the function that predicts an image, with the dataset, model and sharpness of a view."""
    return partial(
        backend.predict,
        **image,
        dataset=view.dataset,
        top_k=MAX_CLASSNAMES,  # all: the rank of the true label is shown
        model=view.model,
        logit_scale=logit_scale_of(backend, view),
        none_of_these=view.none_of_these,
        progress=progress,
    )


def logit_scale_of(backend: Backend, view: View) -> float | None:
    """Return the factor of the cosines that the sharpness of a view stands for; None for the model's own."""
    return backend.encoder(view.model).logit_scale * 2.0**view.sharpness if view.sharpness else None


def image_argument(view: View, photo: Mapping[str, Any] | None, dataset: Dataset) -> dict[str, Any]:
    """Return the argument of `Backend.predict` that stands for the image."""
    if view.source == OWN:
        return {"image": uploaded_path(photo)}
    if view.source == EXAMPLE:
        return {"image": example_photos()[view.example].path}
    return {"index": _filled(view.index, dataset)}


def _comparison(predict: partial[Prediction], words: Words, kept: PromptSet | None) -> Comparison | None:
    """Return the scores with the words that the visitor keeps as A, or else with those before the last change."""
    other, name = (kept, "A") if kept else (words.previous, "before")
    if other is None or other == words.prompts:
        return None
    try:
        prediction = predict(prompts=other)
        return Comparison(name, prediction.zero_shot, prediction.none_of_these)
    except InputError:  # kept although this model does not take them, and said so
        return None


def _filled(index: float | None, dataset: Dataset) -> float:
    if index is None:
        last, _ = index_range(dataset)
        sentence = f"Type an image number from 0 to {last:,}."
        raise IndexRangeError(f"index: the field is empty; use a number from 0 to {last}.", page=sentence)
    return index


def _image(backend: Backend, view: View, truth: str | None) -> tuple[str | None, bool | None, ClipDemoError | None]:
    """Return the image as HTML, whether the dataset is available (None: unknown), and an error."""
    if view.source == OWN:
        return "", None, None
    dataset = backend.datasets[view.dataset]
    if view.source == EXAMPLE:
        return html.example_figure(example_photos()[view.example]), None, None
    try:
        return html.figure(dataset, _filled(view.index, dataset)), True, None
    except DatasetError as error:
        available = dataset.available()  # true if the files are damaged
        if truth is None:
            return None, available, error
        allowed = may_download(backend, view.dataset)
        return html.missing_image(dataset, view.index, truth, may_download=allowed), available, None
    except ClipDemoError as error:
        return None, None, error
