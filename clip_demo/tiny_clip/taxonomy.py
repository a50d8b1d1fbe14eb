"""What is true of a training image: its nouns, their synonyms and broader words, from ``taxonomy.json``.

`make_taxonomy` makes the file from WordNet.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

PATH = Path(__file__).with_name("taxonomy.json")

# Classes of Tiny-ImageNet that no caption names and whose images are not used. Their validation images show what the
# model makes of words that it never saw with an image. Chosen before training: from animals, food and things, with a
# first lemma whose words have word vectors.
KEPT_OUT_CLASSES = (
    "koala",
    "cougar",
    "bison",
    "goose",
    "king penguin",
    "grasshopper",
    "dragonfly",
    "scorpion",
    "jellyfish",
    "lemon",
    "banana",
    "pizza",
    "espresso",
    "teapot",
    "refrigerator",
    "barn",
    "sandal",
    "kimono",
    "bucket",
    "cannon",
)
# Words of the kept-out classes that WordNet does not list as synonyms, or that are part of other names.
_KEPT_OUT_WORDS = frozenset(
    """banana barn bison buffalo cannon coffee cougar dragonfly espresso fridge goose grasshopper hopper icebox
    jellyfish kimono koala lemon pail panther penguin pizza puma refrigerator sandal scorpion teapot""".split()
)

# Synonyms of trained classes that no caption uses, to see whether their word vectors are enough. Where an image was
# found by such a noun, its caption uses the other words of the class.
KEPT_OUT_SYNONYMS = {
    "bunny": "rabbit",
    "cottage": "house",
    "cow": "cattle",
    "cupboard": "wardrobe",
    "hound": "dog",
    "jet": "airplane",
    "jungle": "forest",
    "kitten": "cat",
    "lad": "boy",
    "lorry": "truck",
    "motorbike": "motorcycle",
    "mug": "cup",
    "ocean": "sea",
    "pony": "horse",
    "porpoise": "dolphin",
    "prairie": "plain",
    "serpent": "snake",
    "settee": "couch",
    "toddler": "baby",
    "tortoise": "turtle",
}


@dataclass(frozen=True)
class Concept:
    """A synset of WordNet, or a broader word that was added by hand.

    Attributes
    ----------
    words : tuple of str
        Its synonyms, in lower case with spaces.
    broader : tuple of str
        The names of all broader concepts.
    """

    words: tuple[str, ...]
    broader: tuple[str, ...]


class Taxonomy:
    """The concepts of the training images and the words that name them."""

    def __init__(self, path: Path = PATH):
        data = json.loads(path.read_text(encoding="utf-8"))
        self.classes: dict[str, dict[str, str]] = data["classes"]
        self.nouns: dict[str, dict[str, dict[str, str]]] = data["nouns"]
        self._all = {
            name: Concept(tuple(concept["words"]), tuple(concept["broader"]))
            for name, concept in data["concepts"].items()
        }
        tiny = self.classes["tinyimagenet"]
        self._kept_out = {tiny[names] for names in tiny if names.split(",")[0] in KEPT_OUT_CLASSES}

    def is_kept_out(self, name: str) -> bool:
        """Whether a concept is one of `KEPT_OUT_CLASSES`, or has no word without one of theirs."""
        concept = self._all[name]
        named_so = bool(concept.words) and all(_parts(word) & _KEPT_OUT_WORDS for word in concept.words)
        return bool(self._kept_out & {name, *concept.broader}) or named_so

    def noun_is_kept_out(self, dataset: str, classname: str, noun: str) -> bool:
        """Whether images that were found by a noun must not be used."""
        return bool(set(noun.split("_")) & _KEPT_OUT_WORDS) or self.is_kept_out(self.nouns[dataset][classname][noun])

    @cached_property
    def concepts(self) -> dict[str, Concept]:
        """The concepts that captions may use, with the words that they may use."""
        unused = _KEPT_OUT_WORDS | KEPT_OUT_SYNONYMS.keys()
        concepts = {}
        for name, concept in self._all.items():
            if not self.is_kept_out(name):
                words = tuple(w for w in concept.words if not _parts(w) & unused)
                concepts[name] = Concept(words, concept.broader)
        return concepts

    @cached_property
    def words(self) -> tuple[str, ...]:
        """All words of captions, sorted."""
        return tuple(sorted({word for concept in self.concepts.values() for word in concept.words}))

    def class_words(self, dataset: str, classname: str) -> tuple[str, ...]:
        """Return the words of a class, first its own name."""
        name = classname.split(",")[0].lower().replace("_", " ")
        words = self.concepts[self.classes[dataset][classname]].words
        return tuple(dict.fromkeys((name, *words)))

    def concept_words(self, name: str) -> tuple[str, ...]:
        """Return the words of a concept; none if it is kept out."""
        return self.concepts[name].words if name in self.concepts else ()

    def broader(self, name: str) -> tuple[str, ...]:
        """Return all broader concepts of a concept."""
        return self._all[name].broader

    def true_words(self, own: str, classname: str) -> tuple[set[str], set[str]]:
        """Return the words that are true of an image, and the words that may be true of it.

        Parameters
        ----------
        own : str
            The concept that its noun names.
        classname : str
            The concept of its class.

        Returns
        -------
        tuple of two sets of str
            Words of these concepts and of all broader ones; and in addition those of concepts below `own`: what was
            found by "cat" may be a tabby.
        """
        true = {own, classname, *self._all[own].broader, *self._all[classname].broader}
        below = {name for name, concept in self.concepts.items() if own in concept.broader}
        return self._words_of(true), self._words_of(true | below)

    def _words_of(self, names: set[str]) -> set[str]:
        return {word for name in names if name in self.concepts for word in self.concepts[name].words}


def _parts(word: str) -> set[str]:
    return set(word.replace("-", " ").split())


def truth(taxonomy: Taxonomy, kinds: list[tuple[str, str]], words: list[str]) -> np.ndarray:
    """Return for each kind of image, a pair of its noun's and its class's concept, which words may be true of it.

    Returns
    -------
    numpy.ndarray, shape (len(kinds), len(words)), bool
    """
    column = {word: k for k, word in enumerate(words)}
    table = np.zeros((len(kinds), len(words)), bool)
    for row, (own, classname) in enumerate(kinds):
        table[row, [column[word] for word in taxonomy.true_words(own, classname)[1] if word in column]] = True
    return table
