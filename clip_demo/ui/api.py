"""The public endpoints: what the page can predict and evaluate, for programs."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..backend import Backend
from ..errors import ClipDemoError
from ..zero_shot.prompts import parse_classnames, parse_templates
from .explore.view import uploaded_path

__all__ = ["add_endpoints"]


def add_endpoints(backend: Backend) -> None:
    """Add ``/predict`` and ``/evaluate`` to the current `gr.Blocks`."""
    _add_predict(backend)
    _add_evaluate(backend)


def _add_predict(backend: Backend) -> None:
    def predict(
        image: gr.FileData | None = None,
        index: int | None = None,
        dataset: str | None = None,
        classnames: list[str] | str | None = None,
        templates: list[str] | str | None = None,
        replace_underscores: bool = False,
        top_k: int = 5,
        model: str | None = None,
    ) -> dict[str, Any]:
        """Predict one image by zero-shot CLIP and by the linear probe.

        Give either `image`, a file, or `index`, a test image of the dataset `images` ("cifar100" or
        "shapes100"). `classnames` and `templates` are lists, or text as one types it on the page. `model` is
        one of the page's models, by default the one that is on. The answer has `model`, `dataset`, `index`,
        `truth`, `zero_shot` (label, probability, cosine) and `linear_probe` (head, top) or null.
        """
        try:
            return backend.predict(
                image=None if image is None else uploaded_path(image),
                index=index,
                dataset=dataset,
                classnames=_names(classnames),
                templates=_templates(templates),
                replace_underscores=replace_underscores,
                top_k=top_k,
                model=model,
            ).to_dict()
        except ClipDemoError as error:
            raise gr.Error(str(error), print_exception=False) from error

    # A queue of its own: programs that ask a lot do not take the page's places. As long as two batches of the encoder.
    gr.api(predict, api_name="predict", concurrency_id="endpoint", concurrency_limit=32)


def _add_evaluate(backend: Backend) -> None:
    def evaluate(
        dataset: str | None = None,
        classnames: list[str] | str | None = None,
        templates: list[str] | str | None = None,
        replace_underscores: bool = False,
        model: str | None = None,
        baseline_classnames: list[str] | str | None = None,
        baseline_templates: list[str] | str | None = None,
        baseline_replace_underscores: bool | None = None,
    ) -> dict[str, Any]:
        """Return the zero-shot accuracy over all test images of an dataset.

        `images`, `templates`, `spaces` and `model` are as for ``/predict``; `classnames` are other spellings of
        the dataset's classes, one for each, in its order. Where a baseline's argument is given, the wording
        with it in place of the first is what is compared with. The answer has `top1`, `top5`, `per_class`, `n`,
        `difference` (top1, low, high, p_value, gained, lost) or null, and `probe_top1` or null.
        """
        try:
            wording = backend.wording(
                dataset=dataset,
                classnames=_names(classnames),
                templates=_templates(templates),
                replace_underscores=replace_underscores,
            )
            return backend.evaluate(
                dataset=dataset,
                classnames=wording.classnames,
                templates=wording.templates,
                replace_underscores=wording.replace_underscores,
                model=model,
                baseline=wording.varied(
                    _names(baseline_classnames), _templates(baseline_templates), baseline_replace_underscores
                ),
            ).to_dict()
        except ClipDemoError as error:
            raise gr.Error(str(error), print_exception=False) from error

    # Few at a time: one may keep the model busy for long.
    gr.api(evaluate, api_name="evaluate", concurrency_id="evaluations", concurrency_limit=2)


def _names(given: list[str] | str | None) -> list[str] | tuple[str, ...] | None:
    return parse_classnames(given) if isinstance(given, str) else given


def _templates(given: list[str] | str | None) -> list[str] | tuple[str, ...] | None:
    return parse_templates(given) if isinstance(given, str) else given
