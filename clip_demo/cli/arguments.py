"""The arguments of every command."""

import argparse
from collections.abc import Callable

from ..datasets.catalog import CIFAR100, NAMES
from ..models.catalog import PREFERRED, available_models
from ..paths import cache_folder
from . import bench, commands, search, serve_encoder
from .options import (
    add_device,
    add_folders,
    add_index,
    add_model_options,
    add_prompt_options,
    add_top_k,
    path_type,
)
from .predict_folder import FORMATS
from .prepare import run_prepare
from .ray_option import add_ray


def make_parser() -> argparse.ArgumentParser:
    """Return the parser. The options that it returns have the command's function as ``run``."""
    parser = argparse.ArgumentParser(
        prog="python -m clip_demo",
        description="Zero-shot prediction with CLIP beside a linear probe.",
        epilog="To start the web app: python app.py. Help for one command: python -m clip_demo COMMAND --help",
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (
        _add_zero_shot, _add_predict, _add_evaluate, _add_search, _add_store_features, _add_fit_probe,
        _add_first_image, _add_prepare, _add_check_maps, _add_download, _add_article, _add_reproduce,
        _add_serve_encoder, _add_bench,
    ):  # fmt: skip
        add(subparsers)
    return parser


def _add_zero_shot(subparsers) -> None:
    command = _add_command(
        subparsers, "zero-shot", commands.run_zero_shot,
        "print the most probable classes of a test image, in the format of openai/CLIP's README",
        "--index 3637 --dataset cifar100",
    )  # fmt: skip
    add_index(command, required=True)
    add_prompt_options(command)
    add_top_k(command)


def _add_predict(subparsers) -> None:
    command = _add_command(
        subparsers, "predict", commands.run_predict,
        "print the zero-shot prediction and the linear probe's for a test image, an image, or all images of a folder",
        "--image cat.jpg --classes 'cat,bird,car' --template 'a photo of a {}' --json",
    )  # fmt: skip
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument("folder", nargs="?", type=path_type, metavar="FOLDER", help="a folder; all images in it")
    add_index(source)
    source.add_argument("--image", type=path_type, metavar="FILE", help="an image file; - for standard input")
    add_prompt_options(command)
    add_top_k(command)
    command.add_argument(
        "--none-of-these", action="store_true",
        help="also ask whether the image shows none of the classes: other nouns count in the softmax",
    )  # fmt: skip
    command.add_argument("--json", action="store_true", help="print JSON")
    folder = command.add_argument_group("folder", "What is written for a folder.")
    folder.add_argument("--format", choices=FORMATS, default="csv", help="CSV, or JSON Lines (default: csv)")
    folder.add_argument(
        "--output", type=path_type, metavar="FILE",
        help="a file; if it has a part already, the same command goes on (default: standard output)",
    )  # fmt: skip


def _add_evaluate(subparsers) -> None:
    command = _add_command(
        subparsers, "evaluate", commands.run_evaluate,
        "print the zero-shot accuracy on all test images of a dataset",
        "--dataset shapes100 --template 'a photo of a {}.' 'a {}'",
    )  # fmt: skip
    add_prompt_options(command)
    baseline = command.add_argument_group(
        "baseline", "A second prompt set, compared on the same images. What is not given is as in the first."
    )
    baseline.add_argument("--baseline-template", nargs="+", action="extend", metavar="T", help="its templates")
    baseline.add_argument("--baseline-classes", metavar="LIST-OR-FILE", help="its class names, as in --classes")
    baseline.add_argument(
        "--baseline-replace-underscores", action=argparse.BooleanOptionalAction,
        help="whether its underscores become spaces",
    )  # fmt: skip
    output = command.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print JSON, including the accuracy of every class")
    output.add_argument("--csv", action="store_true", help="print a table of all classes as CSV")


def _add_search(subparsers) -> None:
    command = _add_command(
        subparsers, "search", search.run_search,
        "print the test images that are nearest to a sentence, an image, or both",
        "'something green' --dataset shapes100 --top 5",
    )  # fmt: skip
    search.add_arguments(command)
    add_model_options(command)


def _add_store_features(subparsers) -> None:
    command = _add_command(
        subparsers, "store-features", commands.run_store_features,
        "encode all test images and store their features in a small file",
        "--dataset shapes100 --output assets/features",
    )  # fmt: skip
    add_model_options(command)
    command.add_argument("--output", type=path_type, required=True, metavar="DIR", help="folder for the file")


def _add_fit_probe(subparsers) -> None:
    command = _add_command(
        subparsers, "fit-probe", commands.run_fit_probe,
        "fit a linear probe with the settings of openai/CLIP's README, and test it",
        "--dataset shapes100 --output assets/heads",
    )  # fmt: skip
    add_model_options(command)
    command.add_argument("--output", type=path_type, metavar="DIR", help="folder for the head (default: the cache)")
    command.add_argument("--C", type=float, help="inverse regularisation strength (default: 0.316)")
    command.add_argument(
        "--sweep", action="store_true",
        help="choose C by the accuracy on a fifth of the training images, as in the CLIP paper; then fit on all",
    )  # fmt: skip
    command.add_argument("--normalized", action="store_true", help="L2-normalise the features first")
    command.add_argument(
        "--curve", type=path_type, nargs="?", const=str(cache_folder() / "curves"), metavar="DIR",
        help="also fit on 1, 2, 4, ... images per class, and store the accuracies in this folder (default: the cache)",
    )  # fmt: skip
    add_ray(command)


def _add_first_image(subparsers) -> None:
    command = _add_command(
        subparsers, "first-image", commands.run_first_image,
        "find the test image that the page shows first: correct by both methods, until its class is not in the list",
        "--dataset shapes100 --output assets/heads",
    )  # fmt: skip
    add_model_options(command)
    command.add_argument("--output", type=path_type, metavar="DIR", help="folder of the head (default: the cache)")


def _add_prepare(subparsers) -> None:
    command = _add_command(
        subparsers, "prepare", run_prepare,
        "make all that the page can show of a model and a dataset: download both, fit the linear probe and the "
        "few-shot curve, store the features of the test images, find the first image; only what is missing",
        "--output assets",
    )  # fmt: skip
    add_model_options(command, PREFERRED, CIFAR100)
    command.add_argument(
        "--output", type=path_type, metavar="DIR",
        help="folder that shall have all of it, such as assets before a Space is uploaded (default: the cache, where "
        "only what assets does not have is made)",
    )  # fmt: skip
    add_ray(command)


def _add_check_maps(subparsers) -> None:
    command = _add_command(
        subparsers, "check-maps", commands.run_check_maps,
        "cover the hottest fifth of each heat map on test images, and a random fifth, and print what is lost",
        "--dataset shapes100 --images 200",
    )  # fmt: skip
    add_model_options(command)
    command.add_argument("--images", type=int, default=200, metavar="N", help="number of images (default: 200)")


def _add_download(subparsers) -> None:
    command = _add_command(
        subparsers, "download", commands.run_download,
        "download OpenAI's weights (ViT-B/32: 354 MB) or a dataset (CIFAR-100: 169 MB)", "ViT-B/32 --from /media/usb",
    )  # fmt: skip
    command.add_argument(
        "what", nargs="?", choices=(*available_models(), *NAMES), metavar="WHAT", help="a model or a dataset"
    )
    command.add_argument(
        "--from", dest="given", type=path_type, metavar="PATH",
        help="take it from a file or folder, such as a USB stick, and not from the network",
    )  # fmt: skip
    command.add_argument(
        "--where", action="store_true", help="list what is on this machine, and the addresses in the order of trying"
    )
    add_folders(command)


def _add_article(subparsers) -> None:
    command = _add_command(
        subparsers, "article", commands.run_article,
        'run the two experiments of the article "[CLIP] Zero-shot Prediction & Linear Probe", whose steps are in '
        "clip_demo/cli/article.py",
        "--model ViT-B/32 --dataset cifar100",
    )  # fmt: skip
    command.add_argument("--index", type=int, default=3637, metavar="N", help="a test image (default: 3637)")
    command.add_argument("--fit", action="store_true", help="fit the linear probe anew, also where one is stored")
    add_model_options(command)


def _add_reproduce(subparsers) -> None:
    command = _add_command(
        subparsers, "reproduce", commands.run_reproduce,
        "compute what others published of ViT-B/32 on CIFAR-100, and print their numbers beside the results here",
        "--quick",
    )  # fmt: skip
    command.add_argument("--quick", action="store_true", help="only single images: no test set, no training images")
    command.add_argument(
        "--clip-png", type=path_type, metavar="FILE", help="CLIP.png of openai/CLIP's repository, for its example"
    )
    add_device(command)
    add_folders(command)


def _add_serve_encoder(subparsers) -> None:
    command = _add_command(
        subparsers, "serve-encoder", serve_encoder.run_serve_encoder,
        "serve a model to many pages (app.py --encoder), with Ray on this machine or on the cluster of $RAY_ADDRESS; "
        "needs requirements-ray.txt",
        "--model ViT-B/32 --replicas 2 --gpus-per-replica 1 --host 0.0.0.0",
    )  # fmt: skip
    serve_encoder.add_arguments(command)


def _add_bench(subparsers) -> None:
    command = _add_command(
        subparsers, "bench", bench.run_bench,
        "measure speed side by side with openai-clip, on a full-size model with random weights",
        "text image --rounds 5",
    )  # fmt: skip
    bench.add_arguments(command)


def _add_command(subparsers, name: str, run: Callable, what: str, example: str) -> argparse.ArgumentParser:
    command = subparsers.add_parser(
        name,
        help=what,
        description=what[0].upper() + what[1:] + ".",
        epilog=f"example: python -m clip_demo {name} {example}".rstrip(),
    )
    command.set_defaults(run=run)
    return command
