"""What each command does: ask the backend and print the result."""

import contextlib
import json
import sys
from argparse import Namespace
from pathlib import Path

from ..backend import Backend, Prediction
from ..benchmark.report import as_text
from ..benchmark.sections import SECTIONS, Settings, measure
from ..datasets.catalog import CIFAR100, open_datasets, resolve_dataset
from ..download import RemoteFile, describe
from ..errors import OptionError
from ..evaluation import tables
from ..models.catalog import BUILT_IN, OPENAI_MODELS, PREFERRED, is_downloaded, title_of
from ..models.sources import fetch_weights, weights_files
from ..paths import cache_folder, converted_path, weights_path
from ..zero_shot.prompt_set import PromptSet, baseline_of
from ..zero_shot.prompts import read_classnames
from .progress_bars import ProgressBars
from .reproduce import reproduce, table
from .text import accuracy_text, curve_text, first_image_text, head_text, maps_text, prediction_text, top_predictions


def run_zero_shot(options: Namespace) -> None:
    """Print the most probable classes of a test image."""
    print(top_predictions(_predict(options)[0]))


def run_predict(options: Namespace) -> None:
    """Print both predictions, as text or as JSON."""
    prediction, backend = _predict(options, image=options.image)
    if options.json:
        print(json.dumps(prediction.to_dict(), indent=2, ensure_ascii=False))
    else:
        print(prediction_text(prediction, backend.word_knowledge(each.label for each in prediction.zero_shot)))


def run_evaluate(options: Namespace) -> None:
    """Print the accuracy on the whole test set."""
    prompts = _prompts(options)
    baseline = baseline_of(
        prompts,
        _classnames(options.baseline_classes),
        options.baseline_template,
        options.baseline_replace_underscores,
    )
    with ProgressBars("it") as bars:
        report = open_backend(options).evaluate(prompts, baseline=baseline, progress=bars)
    if options.csv:
        print(tables.to_csv(tables.per_class(report)), end="")
    elif options.json:
        print(json.dumps(report.accuracy.to_dict()))
    else:
        print(accuracy_text(report.accuracy))


def run_store_features(options: Namespace) -> None:
    """Encode all test images and store their features with 16 bits per number."""
    with ProgressBars() as bars:
        path = open_backend(options).store_features(folder=options.output, progress=bars)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def run_fit_probe(options: Namespace) -> None:
    """Fit a head, store it, and print its accuracy in the format of openai/CLIP's README."""
    recipe = {} if options.C is None else {"C": options.C}
    if options.normalized:
        recipe["normalized"] = True
    backend = open_backend(options)
    with ProgressBars() as bars:
        path, head = backend.fit_probe(
            folder=options.output or cache_folder() / "heads",
            curve_folder=options.curve,
            sweep=options.sweep,
            progress=bars,
            **recipe,
        )
    print(f"Accuracy = {100 * head.provenance.test_accuracy:.3f}")
    print(f"{head_text(head.provenance)}: {path}", file=sys.stderr)
    if options.curve:
        print(curve_text(backend.few_shot_curve()), file=sys.stderr)


def run_first_image(options: Namespace) -> None:
    """Find the test image that the page shows first, store it beside the head, and print what flips."""
    backend, folder = open_backend(options), options.output or cache_folder() / "heads"
    with ProgressBars() as bars:
        first = backend.find_first_image(folder=folder, progress=bars)
    print(first_image_text(first))


def run_check_maps(options: Namespace) -> None:
    """Print the deletion check of the heat maps."""
    with ProgressBars("it") as bars:
        rows = open_backend(options).inside.deletion_check(images=options.images, progress=bars)
    print(maps_text(rows))


def run_download(options: Namespace) -> None:
    """Download a model's weights or a dataset, take it from a file, or list where it can be had."""
    if options.what == BUILT_IN:
        print(f"{BUILT_IN} is built in and needs no download.")
    elif options.where:
        print(_where(options.what, options.data_root, options.weights_root))
    elif options.what is None:
        raise OptionError("download: name a model or a dataset, such as ViT-B/32, or use --where.")
    elif options.given and not Path(options.given).expanduser().exists():
        raise OptionError(f"--from: {options.given!r} does not exist; give a file, or a folder that contains one.")
    elif options.what in OPENAI_MODELS:
        if options.given:
            from ..models.load import import_weights

            path = import_weights(options.what, Path(options.given).expanduser(), options.weights_root)
        else:
            path = _download_weights(options.what, options.weights_root)
        print(f"{options.what} is ready: {path}")
    else:
        if options.data_root is not None:
            with contextlib.suppress(OSError):  # `open_datasets` says what is wrong
                Path(options.data_root).expanduser().mkdir(parents=True, exist_ok=True)
        dataset = open_datasets(options.data_root)[options.what]
        with ProgressBars("B") as bars:
            dataset.download(bars, given=options.given and Path(options.given).expanduser())
        print(f"{dataset.title} is ready.")


def run_reproduce(options: Namespace) -> int:
    """Print every published number beside the result here; return 1 if one is missed."""
    options.model, options.dataset = PREFERRED, CIFAR100
    backend = open_backend(options)
    with ProgressBars() as bars:
        rows = reproduce(backend, clip_png=options.clip_png, whole_test_set=not options.quick, progress=bars)
    print(table(rows))
    return int(any(row.missed for row in rows))


def run_bench(options: Namespace) -> None:
    """Print speeds and their ratios."""
    sections = options.sections
    if "all" in sections:
        sections = SECTIONS if options.users is None else ("concurrency",)
    settings = Settings(rounds=options.rounds, users=options.users or 30, seconds=options.seconds)
    rows = []
    for section in sections:
        with ProgressBars("it") as bars:
            rows += measure(section, settings, bars)
    print(json.dumps([row.to_dict() for row in rows]) if options.json else as_text(rows))


def open_backend(options: Namespace) -> Backend:
    """Open the backend, and first download the weights and the images that the command needs."""
    if not is_downloaded(options.model, options.weights_root):
        _download_weights(options.model, options.weights_root)
    backend = Backend.open(
        options.model,
        dataset=options.dataset,
        data_root=options.data_root,
        weights_root=options.weights_root,
        device=options.device,
        activation=getattr(options, "activation", None),
        heads=getattr(options, "heads", None),
    )
    dataset = backend.datasets[backend.default_dataset]
    if getattr(options, "image", None) is None and not dataset.available():
        print(f"{dataset.title} is not on disk and is downloaded now.", file=sys.stderr)
        with ProgressBars("B") as bars:
            dataset.download(bars)
    if options.model not in (BUILT_IN, *OPENAI_MODELS) and (assumption := backend.assumption()):
        print(f"{title_of(options.model)}: {assumption}.", file=sys.stderr)
    return backend


def _download_weights(name: str, root: str | None) -> Path:
    with ProgressBars("B") as bars:
        path, _ = fetch_weights(name, root, bars)
    return path


def _where(what: str | None, data_root: str | None, root: str | None) -> str:
    """Return what is on this machine, and the addresses in the order of trying, of one or of all."""
    lines = {name: _places_of(weights_path(name, root), weights_files(name)) for name in OPENAI_MODELS}
    lines |= {name: dataset.sources() for name, dataset in open_datasets(data_root).items()}
    chosen = {what: lines[what]} if what else lines
    return "\n".join(line for name, found in chosen.items() for line in (name, *(f"    {each}" for each in found)))


def _places_of(archive: Path, files: tuple[RemoteFile, ...]) -> list[str]:
    copy = converted_path(archive)
    return ([f"converted  {copy}"] if copy.is_file() else []) + describe(files, archive.parent)


def _predict(options: Namespace, image: str | None = None) -> tuple[Prediction, Backend]:
    prompts = _prompts(options)  # before anything is downloaded or loaded
    backend = open_backend(options)
    return backend.predict(image=image, index=options.index, prompts=prompts, top_k=options.top_k), backend


def _prompts(options: Namespace) -> PromptSet:
    dataset = resolve_dataset(open_datasets(options.data_root), options.dataset)
    return PromptSet.for_dataset(dataset, _classnames(options.classes), options.template, options.replace_underscores)


def _classnames(list_or_file: str | None) -> tuple[str, ...] | None:
    return None if list_or_file is None else read_classnames(list_or_file)
