"""The public endpoints for programs. `Page` passes their errors on."""

from dataclasses import asdict
from typing import Any

import gradio as gr

from ..backend import Backend
from ..datasets.catalog import resolve_dataset
from ..errors import OptionError
from ..own_classes.photo_set import MAX_CLASSES, MAX_PHOTOS, OwnClass, PhotoSet
from ..zero_shot.prompt_set import PromptSet, baseline_of
from ..zero_shot.prompts import parse_classnames, parse_templates
from ..zero_shot.templates import README_TEMPLATE
from .permissions import check_model
from .presence import visitor_request
from .uploads import uploaded_path

_MAX_TESTS = 100  # photos of one request to ``/own_classes``


def add_endpoints(backend: Backend) -> None:
    """Add the endpoints to the current `gr.Blocks`."""
    _add_predict(backend)
    _add_evaluate(backend)
    _add_search(backend)
    _add_word_knowledge(backend)
    _add_own_classes(backend)


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
        none_of_these: bool = False,
    ) -> dict[str, Any]:
        """Predict the class of one image with zero-shot CLIP and with the linear probe.

        Give either `image`, a file, or `index`, a test image of `dataset` ("cifar100" or "shapes100").
        `classnames` and `templates` are lists, or text as it is typed on the page. `model` is one of the models
        of the page; without it the default model is used. The answer has `model`, `dataset`, `index`, `truth`,
        `zero_shot` (label, probability, cosine) and `linear_probe` (head, top) or null. Where the model is a checkpoint
        that does not say how it is computed, it also has `assumption`. With `none_of_these`, other nouns count in the
        softmax, and the answer has `none_of_these`: their share (`probability`) and the strongest; MCM's score; the
        thresholds of MCM and of the probe that 95 % of known test images reach, or null.
        """
        check_model(backend, model)
        with visitor_request(backend) as progress:
            return backend.predict(
                image=None if image is None else uploaded_path(image),
                index=index,
                dataset=dataset,
                prompts=_prompts(backend, dataset, classnames, templates, replace_underscores),
                top_k=top_k,
                model=model,
                none_of_these=False if none_of_these is None else none_of_these,
                progress=progress,
            ).to_dict()

    # A queue of its own: a busy program does not block the page. The limit is the size of two batches of the encoder.
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
        """Return the zero-shot accuracy on all test images of a dataset.

        `dataset`, `templates`, `replace_underscores` and `model` are as for ``/predict``. `classnames` are other
        names for the dataset's classes, one for each, in its order. The baseline is the same prompt set with the
        given baseline arguments in place of the others; without any there is no baseline. The answer has `top1`,
        `top5`, `per_class` (null for a class without images), `mean_per_class`, `balanced` (all classes with images
        have equally many), `n`, `difference` (top1, low, high, p_value, gained, lost) or null, `probe_top1` and
        `probe_mean_per_class` or null, and `assumption` as in ``/predict``.
        """
        prompts = _prompts(backend, dataset, classnames, templates, replace_underscores)
        baseline = baseline_of(
            prompts,
            _parsed(parse_classnames, baseline_classnames),
            _parsed(parse_templates, baseline_templates),
            baseline_replace_underscores,
        )
        check_model(backend, model)
        with visitor_request(backend) as progress:
            report = backend.evaluate(prompts, dataset=dataset, model=model, baseline=baseline, progress=progress)
        return report.accuracy.to_dict()

    # Few at a time: each may use the model for a long time.
    gr.api(evaluate, api_name="evaluate", concurrency_id="evaluations", concurrency_limit=2)


def _add_search(backend: Backend) -> None:
    def search(
        text: str | None = None,
        image: gr.FileData | None = None,
        index: int | None = None,
        dataset: str | None = None,
        model: str | None = None,
        offset: int = 0,
        limit: int = 24,
    ) -> dict[str, Any]:
        """Return the test images of a dataset that are nearest to a sentence, an image, or both.

        `text` is a sentence, as typed. The image is either `image`, a file, or `index`, a test image, which is then not
        in the answer itself. With sentence and image, the query is the normalised sum of their normalised vectors.
        `dataset` and `model` are as for ``/predict``. The answer has `n`, the number of images that were ranked, and
        `matches` (index, cosine, truth), the nearest first: up to `limit` of them (at most 1,000) after `offset`.
        """
        check_model(backend, model)
        with visitor_request(backend) as progress:
            return backend.search(
                text,
                image=None if image is None else uploaded_path(image),
                index=index,
                dataset=dataset,
                model=model,
                offset=offset,
                limit=limit,
                progress=progress,
            ).to_dict()

    # A queue of its own: the first search may have to encode all test images.
    gr.api(search, api_name="search", concurrency_id="search-endpoint", concurrency_limit=8)


def _add_word_knowledge(backend: Backend) -> None:
    def word_knowledge(names: list[str], model: str | None = None) -> list[dict[str, Any]]:
        """Return what a model knows of words or class names.

        For each of `names` the answer has `name`; `state`, "learned" (at least 50 training images had it in their
        captions), "guessed" (from words with near word vectors) or "unknown"; `images`; and `near`, the nearest
        learned words. It is empty for models whose training captions are not known, such as OpenAI's.
        """
        check_model(backend, model)
        return [asdict(each) for each in backend.word_knowledge(names, model)]

    gr.api(word_knowledge, api_name="word_knowledge", concurrency_id="endpoint")


def _add_own_classes(backend: Backend) -> None:
    def own_classes(
        classnames: list[str],
        photos: list[gr.FileData],
        labels: list[str],
        tests: list[gr.FileData] | None = None,
        template: str = README_TEMPLATE,
        held_out: bool = False,
        model: str | None = None,
    ) -> dict[str, Any]:
        """Teach classes of your own with photos, and compare four classifiers.

        `labels` has the class name of each of `photos`; a class has at most 50. `tests` are up to 100 photos to
        predict. With `held_out`, each photo is also predicted by classifiers that learned from the others. The answer
        has `model`; `tests`, for each photo and classifier the probability of each class; and `held_out`, for each
        classifier `accuracy`, `low` and `high` (a 95 % interval), or null. Nothing of the photos is kept in memory.
        """
        files, teacher = _files(classnames, photos, labels, tests), backend.teacher
        check_model(backend, model)
        photo_set = PhotoSet(tuple(map(OwnClass, classnames)))
        with visitor_request(backend) as progress:
            for position, name in enumerate(classnames):
                own = [uploaded_path(file) for file, label in zip(photos, labels, strict=True) if label == name]
                photo_set = teacher.add(photo_set, position, own, model=model, progress=progress)
            examples = teacher.examples(photo_set, templates=[template], model=model)
            answers = [teacher.predict(examples, uploaded_path(file), model=model) for file in files]
            result = teacher.held_out(examples, model=model, progress=progress) if held_out else None
        last = {} if result is None else {name: asdict(points[-1]) for name, points in result.curves.items()}
        return {
            "model": photo_set.model or model or backend.default_model,
            "tests": [{each.classifier: dict(each.classes) for each in answer} for answer in answers],
            "held_out": {name: {key: each[key] for key in ("accuracy", "low", "high")} for name, each in last.items()}
            or None,
        }

    gr.api(own_classes, api_name="own_classes", concurrency_id="evaluations")


def _files(classnames: Any, photos: Any, labels: Any, tests: Any) -> list[Any]:
    """Check the lists of a request to ``/own_classes``, and return the photos to predict."""
    tests = [] if tests is None else tests
    for name, value, most in (
        ("classnames", classnames, MAX_CLASSES),
        ("photos", photos, MAX_CLASSES * MAX_PHOTOS),
        ("labels", labels, MAX_CLASSES * MAX_PHOTOS),
        ("tests", tests, _MAX_TESTS),
    ):
        if not isinstance(value, list) or len(value) > most:
            got = len(value) if isinstance(value, list) else type(value).__name__
            raise OptionError(f"{name}: got {got}; give a list of at most {most}.")
    if len(photos) != len(labels):
        raise OptionError(f"labels: got {len(labels)} for {len(photos)} photos; give the class name of each photo.")
    unknown = [label for label in labels if label not in classnames]
    if unknown:
        raise OptionError(f"labels: {unknown[0]!r} is not one of classnames; use one of {classnames}.")
    return tests


def _prompts(
    backend: Backend,
    dataset: str | None,
    classnames: list[str] | str | None,
    templates: list[str] | str | None,
    replace_underscores: bool,
) -> PromptSet:
    return PromptSet.for_dataset(
        resolve_dataset(backend.datasets, backend.default_dataset if dataset in (None, "") else dataset),
        _parsed(parse_classnames, classnames),
        _parsed(parse_templates, templates),
        False if replace_underscores is None else replace_underscores,
    )


def _parsed(parse: Any, given: list[str] | str | None) -> Any:
    return parse(given) if isinstance(given, str) else given
