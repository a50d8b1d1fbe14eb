"""Evaluation of a checkpoint: ``python -m clip_demo.tiny_clip.evaluate assets/tiny.pt --data-root ROOT``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ..datasets.base import Dataset
from ..datasets.cifar100 import Cifar100
from ..datasets.shapes100 import Shapes100
from ..models.clip_model import ClipModel
from ..models.load import load_model
from ..numerics import normalize
from ..zero_shot.prompt_set import PromptSet
from ..zero_shot.templates import CIFAR100_TEMPLATES
from .captions import SEEN_LABELS
from .data import resize


@torch.inference_mode()
def encode(model: ClipModel, pixels: np.ndarray, batch: int = 256) -> np.ndarray:
    """Return the features of images of one size, shape (n, d), float32, not normalised."""
    side = model.network.visual.input_resolution
    batches = [pixels[start : start + batch] for start in range(0, len(pixels), batch)]
    return torch.cat([model.network.encode_image(resize(each, side)).float() for each in batches]).numpy()


def zero_shot(
    model: ClipModel, features: np.ndarray, classnames: Sequence[str], templates: Sequence[str]
) -> dict[str, np.ndarray]:
    """Predict the class of every image with each template separately.

    Returns
    -------
    dict of str to numpy.ndarray, shape (n,), int64
        The predicted labels, positions in `classnames`, by template.
    """
    features = normalize(features)
    predictions = {}
    for template in templates:
        prompts = PromptSet(classnames, (template,), replace_underscores=True).prompts
        texts = normalize(model.encode_texts([prompt for row in prompts for prompt in row]))
        predictions[template] = (features @ texts.T).argmax(axis=1)
    return predictions


def report(path: Path, root: str | Path | None = None) -> None:
    """Print the zero-shot accuracy on both datasets; ``python -m clip_demo fit-probe`` prints a linear probe's."""
    model = load_model(str(path), device="cpu")
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, sha256 {model.sha256}, logit scale {model.logit_scale:.1f}")
    shapes = Shapes100()
    labels = shapes.labels()
    features = encode(model, shapes.pixels(np.arange(len(labels))))
    seen = np.isin(labels, SEEN_LABELS)
    _print_templates("Shapes-100, seen classes", model, features[seen], labels[seen], shapes)
    _print_templates("Shapes-100, unseen classes", model, features[~seen], labels[~seen], shapes)
    cifar = Cifar100(root)
    if not cifar.available():
        return
    labels = cifar.labels()
    features = encode(model, cifar.pixels(np.arange(len(labels))))
    _print_templates("CIFAR-100", model, features, labels, cifar)


def _print_templates(title: str, model: ClipModel, features: np.ndarray, labels: np.ndarray, dataset: Dataset) -> None:
    predictions = zero_shot(model, features, dataset.classnames, CIFAR100_TEMPLATES)
    scores = {template: float((each == labels).mean()) for template, each in predictions.items()}
    first = scores[CIFAR100_TEMPLATES[0]]
    print(f"{title}: {first:.2%}; over templates {min(scores.values()):.2%} to {max(scores.values()):.2%}")
    for template, score in scores.items():
        print(f"    {score:.2%}  {template}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m clip_demo.tiny_clip.evaluate", description="Evaluate a checkpoint."
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data-root", help="folder that holds cifar-100-python")
    args = parser.parse_args(arguments)
    report(args.checkpoint, args.data_root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
