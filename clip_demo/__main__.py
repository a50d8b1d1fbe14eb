"""The command line: ``python -m clip_demo VERB``. Thin: it reads arguments, asks the backend, prints."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from .cli.commands import (
    BENCH_SECTIONS,
    run_bench,
    run_download,
    run_evaluate,
    run_fit_probe,
    run_predict,
    run_reproduce,
    run_store_features,
    run_zero_shot,
)
from .datasets.catalog import DATASETS
from .errors import ClipDemoError
from .models.catalog import OPENAI_MODELS
from .paths import cache_folder

EXIT_USER_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb and return the exit status: 0, 2 for what the user can mend, or the verb's own."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except ClipDemoError as error:
        print(f"clip_demo: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        print("clip_demo: stopped.", file=sys.stderr)
        return 130


# --- arguments --------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clip_demo",
        description="Zero-shot prediction with CLIP beside a linear probe.",
        epilog="The page: python app.py. Help on a verb: python -m clip_demo VERB --help",
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_asking_verbs(verbs)
    _add_making_verbs(verbs)
    _add_checking_verbs(verbs)
    return parser


def _add_asking_verbs(verbs) -> None:
    zero_shot = _add_verb(
        verbs, "zero-shot", run_zero_shot, "print the five best classes of a test image, in the article's format",
        "--index 3637 --dataset cifar100",
    )  # fmt: skip
    zero_shot.add_argument("--index", type=int, required=True, metavar="N", help="image of the test split, 0 to 9999")
    _add_prediction_options(zero_shot)

    predict = _add_verb(
        verbs, "predict", run_predict, "print zero-shot prediction and linear probe for a test image or a file",
        "--image cat.jpg --classes 'cat,dog,sofa' --template 'a photo of a {}' --json",
    )  # fmt: skip
    source = predict.add_mutually_exclusive_group(required=True)
    source.add_argument("--index", type=int, metavar="N", help="image of the test split, 0 to 9999")
    source.add_argument("--image", metavar="FILE", help="image of your own")
    _add_prediction_options(predict)
    predict.add_argument("--json", action="store_true", help="print JSON")

    evaluate = _add_verb(
        verbs, "evaluate", run_evaluate, "print the zero-shot accuracy over an dataset's 10,000 test images",
        "--dataset shapes100 --template 'a photo of a {}.' 'a {}'",
    )  # fmt: skip
    _add_prompt_options(evaluate)
    _add_baseline_options(evaluate)
    form = evaluate.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON with the accuracy of every class")
    form.add_argument("--csv", action="store_true", help="print a table of all classes as CSV")


def _add_making_verbs(verbs) -> None:
    store = _add_verb(
        verbs, "store-features", run_store_features, "keep the features of all test images in a small file",
        "--dataset shapes100 --output assets/features",
    )  # fmt: skip
    _add_source_options(store)
    store.add_argument("--output", required=True, metavar="DIR", help="folder for the file")

    fit = _add_verb(
        verbs, "fit-probe", run_fit_probe, "fit a linear-probe head by the article's recipe, and test it",
        "--dataset shapes100 --output assets/heads",
    )  # fmt: skip
    _add_source_options(fit)
    fit.add_argument("--output", metavar="DIR", help="folder for the head (default: the cache, where the page looks)")
    _add_recipe(fit)

    download = _add_verb(
        verbs, "download", run_download,
        "fetch OpenAI's weights (ViT-B/32: 353 MB) or an dataset (CIFAR-100: 169 MB)", "ViT-B/32",
    )  # fmt: skip
    download.add_argument("what", choices=(*OPENAI_MODELS, *DATASETS), metavar="WHAT", help="a model or an dataset")
    _add_folders(download)


def _add_recipe(fit: argparse.ArgumentParser) -> None:
    fit.add_argument("--C", type=float, help="inverse regularisation strength (default: the article's 0.316)")
    fit.add_argument(
        "--sweep", action="store_true", help="take the C that is best on a fifth of the training images, as the paper "
        "does; then fit on all",
    )  # fmt: skip
    fit.add_argument("--normalized", action="store_true", help="L2-normalise the features first; the article does not")
    fit.add_argument(
        "--curve", nargs="?", const=str(cache_folder() / "curves"), metavar="DIR",
        help="also fit on 1, 2, 4, ... images of each class, and keep the accuracies in this folder (default: the "
        "cache, where the page looks)",
    )  # fmt: skip


def _add_checking_verbs(verbs) -> None:
    reproduce = _add_verb(
        verbs, "reproduce", run_reproduce, "run the article's two experiments on ViT-B/32, and hold the results "
        "against the published ones", "",
    )  # fmt: skip
    reproduce.add_argument("--quick", action="store_true", help="only the single images, not the whole test set")
    reproduce.add_argument("--clip-png", metavar="FILE", help="CLIP.png of openai/CLIP's repository, for its example")
    _add_device(reproduce)
    _add_folders(reproduce)

    bench = _add_verb(
        verbs, "bench", run_bench, "measure speed side by side with openai-clip, on full-size random weights",
        "text image --rounds 5",
    )  # fmt: skip
    bench.add_argument(
        "sections", nargs="*", choices=(*BENCH_SECTIONS, "all"), default="all", metavar="SECTION",
        help=f"what to measure: {', '.join(BENCH_SECTIONS)} (default: all, which takes about a quarter of an hour)",
    )  # fmt: skip
    bench.add_argument("--users", type=int, metavar="N", help="clients of a real server at the same time (default: 30)")
    bench.add_argument("--seconds", type=float, default=30, metavar="S", help="how long they ask (default: 30)")
    bench.add_argument("--rounds", type=int, default=3, metavar="N", help="how often to measure each (default: 3)")
    bench.add_argument("--json", action="store_true", help="print JSON")


def _add_verb(verbs, name: str, run: Callable, what: str, example: str) -> argparse.ArgumentParser:
    verb = verbs.add_parser(
        name,
        help=what,
        description=what[0].upper() + what[1:] + ".",
        epilog=f"example: python -m clip_demo {name} {example}".rstrip(),
    )
    verb.set_defaults(run=run)
    return verb


def _add_source_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--dataset", choices=DATASETS, help="dataset (default: CIFAR-100 where it is on disk, else Shapes-100)"
    )
    verb.add_argument(
        "--model",
        default="tiny",
        metavar="M",
        help="tiny (default), a CLIP name such as ViT-B/32, or a checkpoint's path",
    )
    _add_device(verb)
    _add_folders(verb)


def _add_device(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--device", metavar="D", help="cpu, cuda or mps (default: cuda where there is one, else cpu)")


def _add_folders(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--data-root", metavar="DIR", help="folder with cifar-100-python (default: $CLIP_DEMO_DATA, else ~/.cache)"
    )
    verb.add_argument(
        "--weights-root",
        metavar="DIR",
        help="folder of OpenAI's weights (default: $CLIP_DEMO_WEIGHTS, else ~/.cache/clip)",
    )


def _add_prediction_options(verb: argparse.ArgumentParser) -> None:
    _add_prompt_options(verb)
    verb.add_argument("--top-k", type=int, default=5, metavar="K", help="how many classes to print (default: 5)")


def _add_prompt_options(verb: argparse.ArgumentParser) -> None:
    _add_source_options(verb)
    verb.add_argument(
        "--template",
        nargs="+",
        action="extend",
        metavar="T",
        help="prompt with {} for the class (default: 'a photo of a {}'); several make an ensemble",
    )
    verb.add_argument("--classes", metavar="LIST-OR-FILE", help="'cat,dog', or a file with one name a line")
    verb.add_argument(
        "--replace-underscores", action="store_true", help="write underscores of class names as spaces in prompts"
    )


def _add_baseline_options(verb: argparse.ArgumentParser) -> None:
    group = verb.add_argument_group(
        "baseline", "Another wording to compare with, on the same images; what is not given stays as above."
    )
    group.add_argument("--baseline-template", nargs="+", action="extend", metavar="T", help="its prompt or prompts")
    group.add_argument("--baseline-classes", metavar="LIST-OR-FILE", help="its class names")
    group.add_argument(
        "--baseline-replace-underscores", action=argparse.BooleanOptionalAction, help="its underscores as spaces"
    )


if __name__ == "__main__":
    sys.exit(main())
