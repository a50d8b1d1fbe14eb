"""Evaluation of a checkpoint: ``python -m clip_demo.tiny_clip.evaluate assets/tiny.pt --data-root ROOT --sets FOLDER``.

Prints the numbers of ``assets/README.md``.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ..datasets.cifar100 import Cifar100
from ..datasets.openai_templates import CIFAR100_TEMPLATES
from ..datasets.shapes100 import Shapes100
from ..evaluation.significance import paired_difference
from ..models.clip_model import ClipModel
from ..models.load import load_model
from ..numerics import normalize
from ..serving.feature_cache import FeatureCache
from ..zero_shot.prompt_set import PromptSet
from .attributes import ATTRIBUTES, alter
from .captions import SEEN_LABELS
from .data import cifar100_nouns, load_packed, resize
from .evaluation_sentences import SENTENCES
from .taxonomy import KEPT_OUT_CLASSES, KEPT_OUT_SYNONYMS, Taxonomy

PLAIN = "a photo of a {}."


@torch.inference_mode()
def encode(model: ClipModel, pixels: np.ndarray, batch: int = 256) -> np.ndarray:
    """Return the features of images of one size, shape (n, d), float32, not normalised."""
    side = model.network.visual.input_resolution
    batches = [pixels[start : start + batch] for start in range(0, len(pixels), batch)]
    return torch.cat([model.network.encode_image(resize(each, side)).float() for each in batches]).numpy()


class TestSet:
    """Encoded test images with the names of their classes.

    Parameters
    ----------
    model : ClipModel
    features : numpy.ndarray, shape (n, d), float32
    labels : numpy.ndarray, shape (n,), int64
    classnames : sequence of str
    """

    __test__ = False  # not a test, whatever pytest makes of the name

    def __init__(self, model: ClipModel, features: np.ndarray, labels: np.ndarray, classnames: Sequence[str]):
        self.features, self.labels = normalize(features), labels
        self.classnames = [name.replace("_", " ") for name in classnames]
        self._cache = FeatureCache(model)  # most lists of names differ in one name

    def weights(self, names: Sequence[str], templates: Sequence[str] = (PLAIN,)) -> np.ndarray:
        """Return the text features of class names, an ensemble for several templates, shape (classes, d)."""
        return self._cache.class_weights(PromptSet(names, templates))

    def correct(self, names: Sequence[str] | None = None, templates: Sequence[str] = (PLAIN,)) -> np.ndarray:
        """Return which images are classified correctly, shape (n,), bool."""
        scores = self.features @ self.weights(names or self.classnames, templates).T
        return scores.argmax(axis=1) == self.labels

    def ranks(self, candidates: Sequence[str]) -> np.ndarray:
        """Return the rank of each image's class among candidates, which begin with the classes' names; 1 is best."""
        scores = self.features @ self.weights(candidates).T
        right = np.take_along_axis(scores, self.labels[:, None], axis=1)
        return 1 + (scores > right).sum(axis=1)


def synonym_rows(test: TestSet, synonyms: dict[str, str]) -> list[tuple[str, str, float, float]]:
    """Return for each synonym the class, and the class's accuracy by its own name and by the synonym."""
    own, rows = test.correct(), []
    for synonym, name in synonyms.items():
        names = [synonym if each == name else each for each in test.classnames]
        of_class = test.labels == test.classnames.index(name)
        rows.append((synonym, name, own[of_class].mean(), test.correct(names)[of_class].mean()))
    return rows


def used_synonyms(taxonomy: Taxonomy, dataset: str) -> dict[str, str]:
    """Return the other words of each class that captions used."""
    found = {}
    for name in taxonomy.classes[dataset]:
        own, *others = taxonomy.class_words(dataset, name)
        found |= {word: own for word in others}
    return found


def narrower_rows(
    test: TestSet, nouns: list[tuple[str, str]], taxonomy: Taxonomy, at_least: int = 10
) -> list[tuple[str, str, float, float]]:
    """Return as `synonym_rows`, for nouns below a class, on the test images that were found by the noun."""
    own, rows = test.correct(), []
    for name, noun in sorted(set(nouns)):
        concept = taxonomy.nouns["cifar100"][name].get(noun)
        found_by = np.array([each == (name, noun) for each in nouns])
        if concept in (None, taxonomy.classes["cifar100"][name]) or found_by.sum() < at_least:
            continue
        if not (words := taxonomy.concept_words(concept)):
            continue
        word, name = noun.replace("_", " ") if noun.replace("_", " ") in words else words[0], name.replace("_", " ")
        names = [word if each == name else each for each in test.classnames]
        rows.append((word, name, own[found_by].mean(), test.correct(names)[found_by].mean()))
    return rows


def attribute_accuracy(model: ClipModel, pixels: np.ndarray, names: Sequence[str], seed: int = 0) -> dict[str, float]:
    """Return for each attribute how well two prompts tell altered images from unaltered ones.

    Parameters
    ----------
    model : ClipModel
    pixels : numpy.ndarray, shape (n, 32, 32, 3), uint8
    names : sequence of str
        The class name of each image.

    Returns
    -------
    dict of str to float
        Mean of the fractions of altered and of unaltered images that are nearer to the right prompt.
    """
    rng, plain = np.random.default_rng(seed), normalize(encode(model, pixels))
    result = {}
    for number, (name, attribute) in enumerate(ATTRIBUTES.items()):
        altered = normalize(encode(model, alter(pixels.astype(np.float32), np.full(len(pixels), number), rng)))
        said, denied = (
            normalize(model.encode_texts([frames[0].format(f"a {each}", n=each) for each in names]))
            for frames in (attribute.phrases, attribute.opposites)
        )
        direction = said - denied
        right = ((altered * direction).sum(axis=1) > 0, (plain * direction).sum(axis=1) < 0)
        result[name] = float(np.mean(right))
    return result


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _print_rows(title: str, rows: list[tuple[str, str, float, float]]) -> None:
    kept = sum(other >= 0.8 * own for _, _, own, other in rows)
    print(f"\n{title}: {kept} of {len(rows)} keep 80 % of the class's accuracy")
    print("; ".join(f"{word} for {name} {100 * own:.0f} -> {100 * other:.0f}" for word, name, own, other in rows))


def _print_templates(test: TestSet) -> None:
    plain = test.correct()
    print("\ntemplates on CIFAR-100, difference to 'a photo of a {}.' with 95 % interval, in points")
    others = {template: (template,) for template in (*CIFAR100_TEMPLATES[1:], "a photo of a {}", "{}")}
    for name, templates in {**others, "ensemble of the 18": CIFAR100_TEMPLATES}.items():
        change = paired_difference(test.correct(templates=templates), plain)
        print(f"  {name}: {100 * change.top1:+.2f} ({100 * change.low:+.2f} to {100 * change.high:+.2f})")


def _print_sentences(test: TestSet) -> None:
    plain = test.correct().mean()
    ratios = {each: test.correct(templates=(each,)).mean() / plain for each in SENTENCES}
    print(f"\nsentences: mean {np.mean(list(ratios.values())):.3f} of the plain template's accuracy")
    print("\n".join(f"  {ratio:.2f} {each}" for each, ratio in ratios.items()))


def _report_shapes(model: ClipModel) -> None:
    shapes = Shapes100()
    test = TestSet(model, encode(model, shapes.pixels(np.arange(10_000))), shapes.labels(), shapes.classnames)
    correct, seen = test.correct(), np.isin(test.labels, SEEN_LABELS)
    print(f"Shapes-100: {_percent(correct[seen].mean())} seen, {_percent(correct[~seen].mean())} unseen classes")


def _report_cifar100(model: ClipModel, root: str | Path | None, taxonomy: Taxonomy) -> None:
    cifar = Cifar100(root)
    pixels = cifar.pixels(np.arange(10_000))
    test = TestSet(model, encode(model, pixels), cifar.labels(), cifar.classnames)
    print(f"CIFAR-100: {_percent(test.correct().mean())}")
    _print_rows("synonyms on CIFAR-100", synonym_rows(test, used_synonyms(taxonomy, "cifar100")))
    nouns = cifar100_nouns(root, "test")
    _print_rows("narrower nouns on CIFAR-100", narrower_rows(test, nouns, taxonomy))
    kept_out = {word: name for word, name in KEPT_OUT_SYNONYMS.items() if name in test.classnames}
    _print_rows("synonyms kept out, on CIFAR-100", synonym_rows(test, kept_out))
    _print_templates(test)
    _print_sentences(test)
    print("\nattributes")
    for name, accuracy in attribute_accuracy(
        model, pixels[:2000], [test.classnames[x] for x in test.labels[:2000]]
    ).items():
        print(f"  {name}: {_percent(accuracy)}")


def _report_cifar10(model: ClipModel, sets: Path, taxonomy: Taxonomy) -> None:
    packed = load_packed(sets, "cifar10-test")
    names = [str(name) for name in packed["classnames"]]
    test = TestSet(model, encode(model, packed["images"]), packed["labels"], names)
    print(f"\nCIFAR-10: {_percent(test.correct().mean())}")
    _print_rows("synonyms on CIFAR-10", synonym_rows(test, used_synonyms(taxonomy, "cifar10")))
    kept_out = {word: name for word, name in KEPT_OUT_SYNONYMS.items() if name in names}
    _print_rows("synonyms kept out, on CIFAR-10", synonym_rows(test, kept_out))


def unseen_sets(model: ClipModel, sets: Path) -> tuple[TestSet, TestSet, list[str]]:
    """Return Tiny-ImageNet's validation images of trained and of kept-out classes, and all names, the latter first."""
    packed = load_packed(sets, "tinyimagenet32-val")
    names = np.array([str(each).split(",")[0] for each in packed["names"]])
    kept_out = np.isin(names, KEPT_OUT_CLASSES)
    parts = []
    for chosen in (~kept_out, kept_out):
        rows = np.flatnonzero(chosen[packed["labels"]])
        labels = np.searchsorted(np.flatnonzero(chosen), packed["labels"][rows])
        parts.append(TestSet(model, encode(model, packed["images"][rows]), labels, names[chosen]))
    return parts[0], parts[1], [*parts[1].classnames, *parts[0].classnames]


def _report_tiny_imagenet(model: ClipModel, sets: Path) -> None:
    trained, unseen, names = unseen_sets(model, sets)
    print(f"\nTiny-ImageNet, {len(trained.classnames)} trained classes: {_percent(trained.correct().mean())}")
    correct, ranks = unseen.correct(), unseen.ranks(names)
    print(
        f"Tiny-ImageNet, {len(unseen.classnames)} classes that were kept out, among their names: "
        f"{_percent(correct.mean())}; median rank among all {len(names)} names: {np.median(ranks):.0f}"
    )
    for k, name in enumerate(unseen.classnames):
        mine = unseen.labels == k
        print(f"  {name}: {_percent(correct[mine].mean())}, median rank {np.median(ranks[mine]):.0f}")


def report(path: Path, root: str | Path | None, sets: Path) -> None:
    """Print the accuracies; ``python -m clip_demo fit-probe`` prints a linear probe's."""
    model, taxonomy = load_model(str(path), device="cpu"), Taxonomy()
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, sha256 {model.sha256}, logit scale {model.logit_scale:.1f}")
    _report_shapes(model)
    _report_cifar100(model, root, taxonomy)
    _report_cifar10(model, sets, taxonomy)
    _report_tiny_imagenet(model, sets)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m clip_demo.tiny_clip.evaluate", description="Evaluate a checkpoint."
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data-root", help="folder that holds cifar-100-python")
    parser.add_argument("--sets", type=Path, required=True, help="folder of CIFAR-10 and Tiny-ImageNet")
    args = parser.parse_args(arguments)
    report(args.checkpoint, args.data_root, args.sets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
