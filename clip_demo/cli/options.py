"""The options that several commands share."""

import os

from ..datasets.catalog import NAMES
from ..models.catalog import ACTIVATIONS, BUILT_IN

# Shells expand "~" at the beginning of a word only, so not in --output=~/heads.
path_type = os.path.expanduser


def add_index(command, **options) -> None:
    """Add the option that names a test image."""
    command.add_argument("--index", type=int, metavar="N", help="an index of the test split", **options)


def add_top_k(command) -> None:
    """Add the option that says how many classes are printed."""
    command.add_argument("--top-k", type=int, default=5, metavar="K", help="number of classes to print (default: 5)")


def add_prompt_options(command) -> None:
    """Add the options that make a prompt set."""
    add_model_options(command)
    command.add_argument(
        "--template", nargs="+", action="extend", metavar="T",
        help="a prompt with {} for the class name (default: 'a photo of a {}'); several make an ensemble",
    )  # fmt: skip
    command.add_argument(
        "--classes", metavar="LIST-OR-FILE",
        help="'cat,dog', or a file with one name per line; - for standard input (default: the dataset's classes)",
    )  # fmt: skip
    command.add_argument(
        "--one-class-per-line", action="store_true", help="commas in files of class names belong to the names"
    )
    command.add_argument(
        "--replace-underscores", action="store_true", help="replace underscores of class names by spaces in prompts"
    )


def add_model_options(command, model: str = BUILT_IN, dataset: str | None = None) -> None:
    """Add the options that choose a dataset and a model."""
    usual = dataset or "cifar100 if it is on disk, otherwise shapes100"
    command.add_argument(
        "--dataset", default=dataset, metavar="SET",
        help=f"{', '.join(NAMES)}, or the path of a folder with one folder of images for each class, or of a zip of "
        f"one (default: {usual})",
    )  # fmt: skip
    command.add_argument(
        "--model", default=model, metavar="M",
        help=f"tiny, a CLIP model such as ViT-B/32, or the path of a checkpoint (default: {model})",
    )  # fmt: skip
    add_network_options(command)
    add_device(command)
    add_folders(command)


def add_network_options(command) -> None:
    """Add the options of how a checkpoint's network is computed."""
    command.add_argument(
        "--activation", type=str.lower, choices=ACTIVATIONS,
        help="of a checkpoint: gelu for most models of open_clip (default: what the file says, otherwise quickgelu, as "
        "in OpenAI's models)",
    )  # fmt: skip
    command.add_argument(
        "--heads", type=int, metavar="N",
        help="attention heads of a checkpoint's image encoder, such as 16 in open_clip's ViT-H-14 (default: what the "
        "file says, otherwise its width / 64)",
    )  # fmt: skip


def add_device(command) -> None:
    """Add the option that names the device."""
    command.add_argument(
        "--device", metavar="D", help="cpu, cuda or mps (default: cuda if it is available, otherwise cpu)"
    )


def add_folders(command) -> None:
    """Add the options that name folders."""
    command.add_argument(
        "--data-root", type=path_type, metavar="DIR",
        help="folder that contains cifar-100-python (default: $CLIP_DEMO_DATA, otherwise ~/.cache, data, ~/data or "
        "~/datasets)",
    )  # fmt: skip
    add_weights_root(command)


def add_weights_root(command) -> None:
    """Add the option that names the folder of OpenAI's weights."""
    command.add_argument(
        "--weights-root", type=path_type, metavar="DIR",
        help="folder of OpenAI's weights (default: $CLIP_DEMO_WEIGHTS, otherwise ~/.cache/clip)",
    )  # fmt: skip
