"""The list of what the built-in model knows of each word: ``python -m clip_demo.tiny_clip.word_list --help``.

`clip_demo.zero_shot.word_knowledge` reads it.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from ..artifacts import write_npz
from ..models.checkpoint import open_checkpoint
from ..models.openai_clip import import_clip
from ..paths import BUILT_IN_CHECKPOINT, BUILT_IN_WORDS
from ..zero_shot.word_knowledge import FUNCTION_WORDS, LEARNED_IMAGES
from .attributes import ATTRIBUTES
from .captions import CaptionWriter
from .data import TrainingSet, load_packed, load_sets
from .taxonomy import Taxonomy

NEAREST = 3


def count_images(taxonomy: Taxonomy, sets: dict[str, TrainingSet]) -> Counter:
    """Return for each word and name the number of training images whose captions may have it."""
    counts: Counter = Counter()
    for dataset in sets.values():
        writer = CaptionWriter(taxonomy, dataset.kind_list)
        images = np.bincount(dataset.kinds, minlength=len(dataset.kind_list)).tolist()
        for number, kind in enumerate(dataset.kind_list):
            # Every photo may be altered so that its caption says "blurry".
            names = writer.words_of(number) | (ATTRIBUTES.keys() if kind.concepts else set())
            # A word counts by itself, too, where it is part of a name: "retriever" in "golden retriever".
            for word in (names | {part for name in names for part in name.split()}) - FUNCTION_WORDS:
                counts[word] += images[number]
    return counts


def make_word_list(counts: Counter, packed: dict[str, np.ndarray], embedding: np.ndarray) -> dict[str, np.ndarray]:
    """Return the arrays of the file.

    Parameters
    ----------
    counts : Counter
        See `count_images`.
    packed : dict of str to numpy.ndarray
        ``token`` and ``word`` of the words that have a vector.
    embedding : numpy.ndarray, shape (tokens, width)
        The model's token embedding.
    """
    tokens = dict(zip(map(str, packed["word"]), packed["token"].tolist(), strict=True))
    words = sorted({word for word in tokens if word.isalnum()} | {w for w, n in counts.items() if n >= LEARNED_IMAGES})
    images = np.array([counts[word] for word in words])
    has_vector = np.array([word in tokens for word in words])
    vectors = np.zeros((len(words), embedding.shape[1]), np.float32)
    vectors[has_vector] = embedding[[tokens[word] for word in words if word in tokens]]
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    learned = np.flatnonzero((images >= LEARNED_IMAGES) & has_vector)
    nearest = np.argsort(-(vectors @ vectors[learned].T), axis=1, kind="stable")[:, :NEAREST]
    return {
        "words": np.array("\n".join(words)),
        "images": images.astype(np.int32),
        "nearest": learned[nearest].astype(np.int32),
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m clip_demo.tiny_clip.word_list", description="Make the word list.")
    parser.add_argument("checkpoint", type=Path, nargs="?", default=BUILT_IN_CHECKPOINT)
    parser.add_argument("--data-root", help="folder that holds cifar-100-python")
    parser.add_argument("--sets", type=Path, required=True, help="folder of CIFAR-10, Tiny-ImageNet and word vectors")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "clip_demo" / "tiny")
    parser.add_argument("--output", type=Path, default=BUILT_IN_WORDS)
    args = parser.parse_args(arguments)
    import_clip()
    network, sha256 = open_checkpoint(args.checkpoint)
    counts = count_images(Taxonomy(), load_sets(args.data_root, args.sets, args.cache))
    embedding = network.token_embedding.weight.detach().float().numpy()
    arrays = make_word_list(counts, load_packed(args.sets, "glove-clip-words"), embedding)
    write_npz(args.output, model_sha256=np.array(sha256), **arrays)
    print(f"{args.output}: {args.output.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
