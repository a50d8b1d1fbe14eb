"""The command line: ``python -m clip_demo VERB``. Thin: it reads arguments, asks the backend, prints."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from .backend import Backend
from .errors import ClipDemoError
from .images import IMAGE_SETS
from .paths import cache_folder
from .prompts import read_classnames
from .results import Prediction, Provenance

EXIT_USER_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb and return the exit status: 0, or 2 for what the user can mend."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except ClipDemoError as error:
        print(f"clip_demo: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        print("clip_demo: stopped.", file=sys.stderr)
        return 130
    return 0


# --- arguments --------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clip_demo",
        description="Zero-shot prediction with CLIP beside a linear probe.",
        epilog="The page: python app.py. Help on a verb: python -m clip_demo VERB --help",
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)

    zero_shot = _add_verb(
        verbs, "zero-shot", run_zero_shot, "print the five best classes of a test picture, in the article's format",
        "--index 3637 --images cifar100",
    )  # fmt: skip
    zero_shot.add_argument("--index", type=int, required=True, metavar="N", help="picture of the test split, 0 to 9999")
    _add_prediction_options(zero_shot)

    predict = _add_verb(
        verbs, "predict", run_predict, "print zero-shot prediction and linear probe for a test picture or a file",
        "--image cat.jpg --classes 'cat,dog,sofa' --template 'a photo of a {}' --json",
    )  # fmt: skip
    source = predict.add_mutually_exclusive_group(required=True)
    source.add_argument("--index", type=int, metavar="N", help="picture of the test split, 0 to 9999")
    source.add_argument("--image", metavar="FILE", help="picture of your own")
    _add_prediction_options(predict)
    predict.add_argument("--json", action="store_true", help="print JSON")

    fit = _add_verb(
        verbs, "fit-probe", run_fit_probe, "fit a linear-probe head by the article's recipe, and test it",
        "--images shapes100 --output assets/heads",
    )  # fmt: skip
    _add_source_options(fit)
    fit.add_argument("--C", type=float, default=0.316, help="inverse regularisation strength (default: 0.316)")
    fit.add_argument("--output", metavar="DIR", help="folder for the head (default: the cache, where the page looks)")

    download = _add_verb(verbs, "download", run_download, "fetch an image set (CIFAR-100: 169 MB)", "cifar100")
    download.add_argument("what", choices=IMAGE_SETS, help="what to fetch")
    _add_data_root(download)
    return parser


def _add_verb(verbs, name: str, run, what: str, example: str) -> argparse.ArgumentParser:
    verb = verbs.add_parser(
        name,
        help=what,
        description=what[0].upper() + what[1:] + ".",
        epilog=f"example: python -m clip_demo {name} {example}",
    )
    verb.set_defaults(run=run)
    return verb


def _add_source_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--images", choices=IMAGE_SETS, help="image set (default: CIFAR-100 where it is on disk, else Shapes-100)"
    )
    verb.add_argument(
        "--model", default="tiny", metavar="M", help="tiny, a CLIP name such as ViT-B/32, or a checkpoint's path"
    )
    _add_data_root(verb)


def _add_data_root(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--data-root", metavar="DIR", help="folder with cifar-100-python (default: $CLIP_DEMO_DATA, else ~/.cache)"
    )


def _add_prediction_options(verb: argparse.ArgumentParser) -> None:
    _add_source_options(verb)
    verb.add_argument(
        "--template",
        nargs="+",
        action="extend",
        metavar="T",
        help="prompt with {} for the class (default: 'a photo of a {}'); several make an ensemble",
    )
    verb.add_argument("--classes", metavar="LIST-OR-FILE", help="'cat,dog', or a file with one name a line")
    verb.add_argument("--spaces", action="store_true", help="write underscores of class names as spaces in prompts")
    verb.add_argument("--top-k", type=int, default=5, metavar="K", help="how many classes to print (default: 5)")


# --- verbs ------------------------------------------------------------------------------------------------------


def run_zero_shot(options: argparse.Namespace) -> None:
    """Print the article's "Top predictions:" block."""
    prediction = _predict(options)
    print("\nTop predictions:\n")
    for score in prediction.zero_shot:
        print(f"{score.label:>16s}: {100 * score.probability:.2f}%")


def run_predict(options: argparse.Namespace) -> None:
    """Print both predictions, for people or as JSON."""
    prediction = _predict(options, image=options.image)
    print(json.dumps(prediction.to_dict(), indent=2, ensure_ascii=False) if options.json else _as_text(prediction))


def run_fit_probe(options: argparse.Namespace) -> None:
    """Fit a head, save it, and print its accuracy in the article's form."""
    from tqdm import tqdm

    backend = _open(options)
    bars: dict[str, tqdm] = {}

    def progress(what: str, done: int, total: int) -> None:
        bar = bars.setdefault(what, tqdm(total=total, desc=what, unit="images"))
        bar.update(done - bar.n)

    path, head = backend.fit_probe(
        options.images, folder=options.output or cache_folder() / "heads", progress=progress, C=options.C
    )
    for bar in bars.values():
        bar.close()
    print(f"Accuracy = {100 * head.provenance.test_accuracy:.3f}")
    print(f"{_describe(head.provenance)}: {path}", file=sys.stderr)


def run_download(options: argparse.Namespace) -> None:
    """Fetch an image set; torchvision draws the bar."""
    from .images import open_image_sets

    image_set = open_image_sets(options.data_root)[options.what]
    image_set.download()
    print(f"{image_set.title} is ready.")


def _open(options: argparse.Namespace) -> Backend:
    backend = Backend.open(options.model, images=options.images, data_root=options.data_root)
    image_set = backend.image_sets[backend.default_images]
    if getattr(options, "image", None) is None and not image_set.on_disk():
        print(f"{image_set.title} is not on disk; fetching it.", file=sys.stderr)
        image_set.download()
    return backend


def _predict(options: argparse.Namespace, image: str | None = None) -> Prediction:
    classnames = None if options.classes is None else read_classnames(options.classes)
    return _open(options).predict(
        image=image,
        index=options.index,
        classnames=classnames,
        templates=options.template,
        spaces=options.spaces,
        top_k=options.top_k,
    )


# --- text -------------------------------------------------------------------------------------------------------


def _as_text(prediction: Prediction) -> str:
    what = "your picture" if prediction.index is None else f"{prediction.image_set} test picture {prediction.index}"
    lines = [f"{prediction.model} · {what} · true label: {prediction.truth or 'unknown'}", "", "Zero-shot:", ""]
    lines += [f"{s.label:>16s}: {100 * s.probability:6.2f}%  cosine {s.cosine:.4f}" for s in prediction.zero_shot]
    probe = prediction.linear_probe
    if probe is None:
        lines += [
            "",
            f"Linear probe: no head for {prediction.model} on {prediction.image_set}; make one with fit-probe.",
        ]
    else:
        lines += ["", f"Linear probe ({_describe(probe.head)}):", ""]
        lines += [f"{s.label:>16s}: {100 * s.probability:6.2f}%" for s in probe.top]
    return "\n".join(lines)


def _describe(head: Provenance) -> str:
    return (
        f"{head.model} on {head.image_set}, {head.n_train:,} images, C={head.C}, "
        f"{100 * head.test_accuracy:.2f}% on {head.n_test:,} test images"
    )


if __name__ == "__main__":
    sys.exit(main())
