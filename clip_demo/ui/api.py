"""The public endpoint: what the page can predict, for programs."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..backend import Backend
from ..errors import ClipDemoError
from ..prompts import parse_classnames, parse_templates
from .answers import picture_path

__all__ = ["add_endpoint"]


def add_endpoint(backend: Backend) -> None:
    """Add ``/predict`` to the current `gr.Blocks`."""

    def predict(
        image: gr.FileData | None = None,
        index: int | None = None,
        images: str | None = None,
        classnames: list[str] | str | None = None,
        templates: list[str] | str | None = None,
        spaces: bool = False,
        top_k: int = 5,
        model: str | None = None,
    ) -> dict[str, Any]:
        """Predict one picture by zero-shot CLIP and by the linear probe.

        Give either `image`, a file, or `index`, a test picture of the image set `images` ("cifar100" or
        "shapes100"). `classnames` and `templates` are lists, or text as one types it on the page. `model` is
        one of the page's models, by default the one that is on. The answer has `model`, `image_set`, `index`,
        `truth`, `zero_shot` (label, probability, cosine) and `linear_probe` (head, top) or null.
        """
        try:
            return backend.predict(
                image=None if image is None else picture_path(image),
                index=index,
                images=images,
                classnames=parse_classnames(classnames) if isinstance(classnames, str) else classnames,
                templates=parse_templates(templates) if isinstance(templates, str) else templates,
                spaces=spaces,
                top_k=top_k,
                model=model,
            ).to_dict()
        except ClipDemoError as error:
            raise gr.Error(str(error), print_exception=False) from error

    # A queue of its own: programs that ask a lot do not take the page's places. As long as one batch of the encoder.
    gr.api(predict, api_name="predict", concurrency_id="endpoint", concurrency_limit=32)
