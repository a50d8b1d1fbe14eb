"""What each command does: ask the backend and print the result."""

import contextlib
import os
import sys
from argparse import Namespace
from pathlib import Path

from PIL import Image

from ..artifacts import check_folder
from ..backend import Backend, Prediction
from ..datasets.base import Dataset
from ..datasets.catalog import CIFAR100, NAMES, add_dataset, missing_note, open_datasets, resolve_dataset
from ..download import RemoteFile, describe
from ..errors import DatasetError, OptionError
from ..evaluation import tables
from ..features.extract import encode_directly
from ..linear_probe.fit import is_full_head
from ..linear_probe.pipeline import Stores, check_fit
from ..models.catalog import BUILT_IN, OPENAI_MODELS, PREFERRED, check_model, is_downloaded, title_of
from ..models.image_input import read_image
from ..models.sources import fetch_weights, weights_files
from ..numerics import check_top_k
from ..paths import cache_folder, converted_path, is_readable, weights_path, weights_root
from ..switches import is_offline
from ..zero_shot.prompt_set import PromptSet, baseline_of
from ..zero_shot.prompts import parse_class_file, read_classnames
from .article import evaluate_linear_probe, fit_linear_probe, predict_zero_shot
from .predict_folder import run_predict_folder
from .progress_bars import ProgressBars
from .ray_option import check_ray, whole_sets
from .reproduce import reproduce, table
from .terminal import read_input, to_json
from .text import accuracy_text, curve_text, first_image_text, head_text, maps_text, prediction_text, top_predictions

IMAGES, TEST_FEATURES = "images", "test features"  # what of a dataset a command needs


def run_zero_shot(options: Namespace) -> None:
    """Print the most probable classes of a test image."""
    print(top_predictions(_predict(options)[0].zero_shot))


def run_predict(options: Namespace) -> None:
    """Print both predictions, as text or as JSON, or write those for a folder."""
    if options.folder is not None:
        prompts = _prompts(options, chosen_dataset(options))
        return run_predict_folder(options, lambda: open_backend(options, None), prompts)
    image = None if options.image is None else open_image(options.image)
    prediction, backend = _predict(options, image)
    if options.json:
        print(to_json(prediction.to_dict(), indent=2))
    else:
        print(prediction_text(prediction, backend.word_knowledge(each.label for each in prediction.zero_shot)))


def run_evaluate(options: Namespace) -> None:
    """Print the accuracy on the whole test set."""
    dataset = chosen_dataset(options)
    prompts = _prompts(options, dataset)
    baseline = baseline_of(
        prompts,
        _classnames(options.baseline_classes, options),
        options.baseline_template,
        options.baseline_replace_underscores,
    )
    prompts.check_covers(dataset)
    if baseline is not None:
        baseline.check_covers(dataset, "baseline, ")
    with ProgressBars("it") as bars:
        report = open_backend(options, TEST_FEATURES).evaluate(prompts, baseline=baseline, progress=bars)
    if options.csv:
        print(tables.to_csv(tables.per_class(report)), end="")
    elif options.json:
        print(to_json(report.accuracy.to_dict()))
    else:
        print(accuracy_text(report.accuracy))


def run_store_features(options: Namespace) -> None:
    """Encode all test images and store their features with 16 bits per number."""
    check_folder(options.output, "--output")
    with ProgressBars() as bars:
        path = open_backend(options).store_features(folder=options.output, progress=bars)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def run_fit_probe(options: Namespace) -> None:
    """Fit a head, store it, and print its accuracy in the format of openai/CLIP's README."""
    recipe = {} if options.C is None else {"C": options.C}
    if options.normalized:
        recipe["normalized"] = True
    recipe = check_fit(curve_folder=options.curve, sweep=options.sweep, **recipe)
    folder = _heads_folder(options)
    check_ray(options)
    backend = open_backend(options)
    with whole_sets(options, backend) as extract, ProgressBars() as bars:
        path, head = backend.fit_probe(folder=folder, progress=bars, extract=extract, **recipe)
    print(f"Accuracy = {100 * head.provenance.test_accuracy:.3f}")
    print(f"{head_text(head.provenance)}: {path}", file=sys.stderr)
    if options.curve:
        print(curve_text(backend.few_shot_curve()), file=sys.stderr)


def run_first_image(options: Namespace) -> None:
    """Find the test image that the page shows first, store it beside the head, and print what flips."""
    folder = _heads_folder(options)
    backend = open_backend(options, TEST_FEATURES)
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
    elif options.given is not None and not is_readable(Path(options.given)):
        raise OptionError(
            f"--from: {options.given!r} does not exist or may not be read; give a file, or a folder that contains one."
        )
    elif options.what in OPENAI_MODELS:
        if options.given:
            from ..models.load import import_weights

            path = import_weights(options.what, Path(options.given), options.weights_root)
        else:
            path = _download_weights(options.what, options.weights_root)
        print(f"{options.what} is ready: {path}")
    else:
        if options.data_root is not None:
            with contextlib.suppress(OSError):  # `open_datasets` says what is wrong
                Path(options.data_root).mkdir(parents=True, exist_ok=True)
        dataset = add_dataset(open_datasets(options.data_root), options.what, options.data_root)
        with ProgressBars("B") as bars:
            dataset.download(bars, given=options.given and Path(options.given))
        print(f"{dataset.title} is ready.")


def run_reproduce(options: Namespace) -> int:
    """Print every published number beside the result here; return 1 if one is missed."""
    options.model, options.dataset = PREFERRED, CIFAR100
    clip_png = None if options.clip_png is None else open_image(options.clip_png)
    backend = open_backend(options, TEST_FEATURES)
    with ProgressBars() as bars:
        rows = reproduce(backend, clip_png=clip_png, whole_test_set=not options.quick, progress=bars)
    print(table(rows))
    return int(any(row.missed for row in rows))


def run_article(options: Namespace) -> None:
    """Run the article's two experiments, and print what it prints."""
    chosen_dataset(options).check_index(options.index)
    backend, stores = open_backend(options), Stores.open()
    model, dataset = backend.encoder(), backend.datasets[backend.default_dataset]
    print(f"{model.name} on {dataset.title}, test image {options.index}", file=sys.stderr)
    print(top_predictions(predict_zero_shot(model, dataset, options.index)), flush=True)
    head = stores.heads.get(model.sha256, dataset.key)
    stored = is_full_head(head, dataset)
    with ProgressBars() as bars:
        if options.fit or not stored:
            head = fit_linear_probe(model, dataset, stores, bars)
            stores.heads.improve(head)  # the page shows it, too
        test = stores.features.get_or_encode(model, dataset, encode_directly(model), bars)
    print(f"\nAccuracy = {evaluate_linear_probe(head, test, dataset):.3f}")
    note = "; --fit fits it here" if stored and not options.fit else ""
    print(f"{head_text(head.provenance)}, fitted on {head.provenance.date}{note}", file=sys.stderr)


def open_backend(options: Namespace, needed: str | None = IMAGES, stores: Stores | None = None) -> Backend:
    """Open the backend, and first download the weights and the images that the command needs.

    Parameters
    ----------
    options : Namespace
        Already checked as far as that is possible without a model: a download is long.
    needed : {"images", "test features"} or None
        What of the dataset the command needs. Stored features of the test images serve where the images are missing.
    stores : Stores, optional
        See `clip_demo.backend.Backend`.
    """
    chosen_dataset(options)
    check_model(options.model)
    if not is_downloaded(options.model, options.weights_root):
        if options.device is not None:
            from ..models.load import check_device

            check_device(options.device)
        _download_weights(options.model, options.weights_root)
    backend = Backend.open(
        options.model,
        dataset=options.dataset,
        data_root=options.data_root,
        weights_root=options.weights_root,
        device=options.device,
        activation=getattr(options, "activation", None),
        heads=getattr(options, "heads", None),
        stores=stores,
    )
    dataset = backend.datasets[backend.default_dataset]
    if options.model not in (BUILT_IN, *OPENAI_MODELS) and (assumption := backend.assumption()):
        print(f"{title_of(options.model)}: {assumption}.", file=sys.stderr)
    if needed is None or dataset.available() or (needed == TEST_FEATURES and backend.has_test_features()):
        return backend
    what = "" if is_offline() else " and is downloaded now"
    print(f"{dataset.title} is not in {dataset.folder}{what}.", file=sys.stderr)
    with ProgressBars("B") as bars:
        dataset.download(bars)
    return backend


def _download_weights(name: str, root: str | None) -> Path:
    if not is_downloaded(name, root):
        check_folder(weights_root(root), "--weights-root")
    with ProgressBars("B") as bars:
        path, _ = fetch_weights(name, root, bars)
    return path


def _where(what: str | None, data_root: str | None, root: str | None) -> str:
    """Return what is on this machine, and the addresses in the order of trying, of one or of all."""
    lines = {name: _places_of(weights_path(name, root), weights_files(name)) for name in OPENAI_MODELS}
    datasets = open_datasets(data_root)
    lines |= {name: add_dataset(datasets, name, data_root).sources() for name in NAMES}
    chosen = {what: lines[what]} if what else lines
    return "\n".join(line for name, found in chosen.items() for line in (name, *(f"    {each}" for each in found)))


def _places_of(archive: Path, files: tuple[RemoteFile, ...]) -> list[str]:
    copy = converted_path(archive)
    return ([f"converted  {copy}"] if is_readable(copy) else []) + describe(files, archive.parent)


def _predict(options: Namespace, image: Image.Image | None = None) -> tuple[Prediction, Backend]:
    dataset = chosen_dataset(options)
    prompts, top_k = _prompts(options, dataset), check_top_k(options.top_k)
    if image is None:
        dataset.check_index(options.index)
    backend = open_backend(options, TEST_FEATURES if image is None else None)
    none = getattr(options, "none_of_these", False)
    asked = {"prompts": prompts, "top_k": top_k, "none_of_these": none}
    return backend.predict(image=image, index=options.index, **asked), backend


def chosen_dataset(options: Namespace) -> Dataset:
    """Return the dataset of a command; refuse one that would be used because the given folder lacks another."""
    datasets = open_datasets(options.data_root)
    if options.dataset is None:
        if options.data_root and (note := missing_note(datasets, options.data_root)):
            raise DatasetError(note)
        return resolve_dataset(datasets, None)
    options.dataset = add_dataset(datasets, options.dataset, options.data_root)  # a folder is listed once
    return options.dataset


def _prompts(options: Namespace, dataset: Dataset) -> PromptSet:
    names = _classnames(options.classes, options)
    return PromptSet.for_dataset(dataset, names, options.template, options.replace_underscores)


def _classnames(list_or_file: str | None, options: Namespace) -> tuple[str, ...] | None:
    if list_or_file is None:
        return None
    if list_or_file == "-":
        return parse_class_file(read_input("-"), "standard input", options.one_class_per_line)
    return read_classnames(list_or_file, options.one_class_per_line)


def open_image(path: str) -> Image.Image:
    """Return the image of an option: of a file, a pipe, or ``-`` for standard input."""
    if os.path.isdir(path):
        raise OptionError(f"image: {path!r} is a folder; give an image file.")
    content = read_input(path)
    return read_image(path if content is None else content)


def _heads_folder(options: Namespace) -> Path:
    if options.output is not None:
        return check_folder(options.output, "--output")
    return check_folder(cache_folder() / "heads", "--output")
