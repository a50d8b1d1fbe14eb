"""The captions of a training step, and which of them are true of which images.

Each class of every dataset gets a caption with one of its words, and each photo a caption of its own with a word of its
noun, its class or something broader. Where a caption says how the image looks, its twin says the opposite of the same
noun. An image is classified among the captions of the classes, and among all own captions and twins; what may be true
of it as well is no wrong answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from ..datasets.shapes100 import COLOURS, SHAPES, UNSEEN_CLASSNAMES, Shapes100
from .attributes import ATTRIBUTES
from .sentences import PARTS, around, noun_phrase, sentence
from .taxonomy import Taxonomy, truth

# Labels of Shapes-100's training classes, in order.
SEEN_LABELS: tuple[int, ...] = tuple(
    label for label, name in enumerate(Shapes100.classnames) if name not in UNSEEN_CLASSNAMES
)
_SHAPE_GROUPS = {"colour": tuple(f"{colour} shape" for colour in COLOURS), "shape": SHAPES}


@dataclass(frozen=True)
class Kind:
    """What images have in common that captions talk about.

    Attributes
    ----------
    dataset : str
    classname : str
    concepts : tuple of str, or None
        Of the noun that the images were found by and of their class; None for Shapes-100.
    """

    dataset: str
    classname: str
    concepts: tuple[str, str] | None


@dataclass(frozen=True)
class Captions:
    """The captions of one step.

    Attributes
    ----------
    texts : list of str
        Captions of the classes, of colours and shapes, of the photos, and twins.
    own : numpy.ndarray, shape (n,), int64
        For each image its own caption's position in `texts`, or -1.
    words, statements : numpy.ndarray, shape (own captions and twins,), int64
        For each of them its word, and what it says about how the image looks; see `CaptionWriter.possible`.
    """

    texts: list[str]
    own: np.ndarray
    words: np.ndarray
    statements: np.ndarray


class CaptionWriter:
    """Writes captions and knows what they are true of.

    Parameters
    ----------
    taxonomy : Taxonomy
    kinds : sequence of Kind
        The kinds of images, by number.
    """

    def __init__(self, taxonomy: Taxonomy, kinds: Sequence[Kind]):
        self.kinds = tuple(kinds)
        self._classes = list(dict.fromkeys((kind.dataset, kind.classname) for kind in kinds))
        self.class_of_kind = np.array([self._classes.index((kind.dataset, kind.classname)) for kind in kinds])
        self._class_words = [
            (name,) if dataset == Shapes100.name else taxonomy.class_words(dataset, name)
            for dataset, name in self._classes
        ]
        self.words = sorted({*taxonomy.words, *(word for words in self._class_words for word in words)})
        number = {word: k for k, word in enumerate(self.words)}
        photos = [k for k, kind in enumerate(kinds) if kind.concepts]
        # (kinds, words) which words may be true; none of them are of Shapes-100's images.
        self._truth = np.zeros((len(kinds), len(self.words)), bool)
        self._truth[photos] = truth(taxonomy, [kinds[k].concepts for k in photos], self.words)
        self._levels = [self._words_by_level(taxonomy, kind, number) if kind.concepts else None for kind in kinds]
        for label, words in zip(self.class_of_kind, self._truth, strict=True):
            words[[number[word] for word in self._class_words[label]]] = True
        # (kinds, classes) which classes take part in the softmax: the right one, and those of which no word may be true
        self.answers = np.array(
            [[not row[[number[w] for w in words]].any() for words in self._class_words] for row in self._truth]
        )
        self.answers[np.arange(len(kinds)), self.class_of_kind] = True
        self.groups = {}
        self.n_classes = start = len(self._classes)
        for name, members in _SHAPE_GROUPS.items():
            self.groups[name] = slice(start, start + len(members))
            start += len(members)
        self.first_own = start
        self.attribute_truth = _attribute_truth()

    def _words_by_level(self, taxonomy: Taxonomy, kind: Kind, number: dict[str, int]) -> list[tuple[int, ...]]:
        """Return the words of the noun, of the class, and of each broader concept."""
        own, top = kind.concepts
        broader = {name for each in (own, top) for name in taxonomy.broader(each)} - {own, top}
        levels = [taxonomy.concept_words(own), taxonomy.class_words(kind.dataset, kind.classname)]
        levels += [taxonomy.concept_words(name) for name in sorted(broader)]
        return [tuple(number[word] for word in words) for words in levels if words]

    def words_of(self, kind: int) -> set[str]:
        """Return the words that captions of a kind of images may have."""
        levels = self._levels[kind] or ()
        return {*self._class_words[self.class_of_kind[kind]], *(self.words[word] for words in levels for word in words)}

    def write(self, kinds: np.ndarray, alterations: np.ndarray, rng: Random) -> Captions:
        """Return the captions for a step.

        Parameters
        ----------
        kinds, alterations : numpy.ndarray, shape (n,), int64
            Of each image its kind and its alteration, see `attributes.alter`.
        rng : random.Random
        """
        # A class's own name is its caption's word in half of the steps.
        texts = [sentence(words[0] if rng.random() < 0.5 else rng.choice(words), rng) for words in self._class_words]
        texts += [sentence(name, rng) for names in _SHAPE_GROUPS.values() for name in names]
        own = np.full(len(kinds), -1)
        words, statements, twins = [], [], []
        for row, (kind, alteration) in enumerate(zip(kinds.tolist(), alterations.tolist(), strict=True)):
            if self._levels[kind] is None:
                continue
            word = self._choose_word(self._levels[kind], rng)
            own[row] = len(texts)
            text, statement, twin = self._own_caption(self.words[word], alteration, rng)
            texts.append(text)
            words.append(word)
            statements.append(statement)
            if twin:
                twins.append((twin, word, statement ^ 1))
        texts += [twin for twin, _, _ in twins]
        words += [word for _, word, _ in twins]
        statements += [statement for _, _, statement in twins]
        return Captions(texts, own, np.array(words), np.array(statements))

    @staticmethod
    def _choose_word(levels: list[tuple[int, ...]], rng: Random) -> int:
        """Return a word of the noun (40 %), of the class (35 %) or of something broader."""
        chance = rng.random()
        level = levels[0] if chance < 0.4 else levels[1] if chance < 0.75 or len(levels) < 3 else rng.choice(levels[2:])
        return level[0] if rng.random() < 0.3 else rng.choice(level)

    @staticmethod
    def _own_caption(word: str, alteration: int, rng: Random) -> tuple[str, int, str | None]:
        """Return a caption, its statement and its twin; the statements are numbered as in `possible`."""
        said = rng.random() < (0.75 if alteration >= 0 else 0.4)
        if not said:
            return sentence(word, rng), 0, None
        number = alteration if alteration >= 0 else rng.randrange(len(ATTRIBUTES))
        attribute = tuple(ATTRIBUTES.values())[number]
        k = rng.randrange(len(attribute.phrases))
        is_opposite = alteration < 0
        phrase = noun_phrase(word, rng)
        state = rng.getstate()
        captions = []
        for frames in (attribute.phrases, attribute.opposites):
            rng.setstate(state)  # the same surroundings for both
            captions.append(around(frames[min(k, len(frames) - 1)].format(phrase, n=word), rng))
        statement = 2 + 2 * number
        return captions[is_opposite], statement + is_opposite, captions[not is_opposite]

    def possible(self, kinds: np.ndarray, alterations: np.ndarray, captions: Captions) -> np.ndarray:
        """Return which own captions and twins may be true of which images.

        Statement 0 says nothing about how the image looks; 2 + 2k says attribute k, 3 + 2k its opposite.

        Returns
        -------
        numpy.ndarray, shape (n, own captions and twins), bool
        """
        nouns = self._truth[kinds][:, captions.words]
        return nouns & self.attribute_truth[alterations][:, captions.statements]

    def parts(self) -> Iterator[str]:
        """Yield all text that captions consist of."""
        yield from (part.replace("{}", " ") for part in PARTS)
        yield from self.words
        yield from (name for names in _SHAPE_GROUPS.values() for name in names)
        for attribute in ATTRIBUTES.values():
            yield from (phrase.format(" ", n=" ") for phrase in (*attribute.phrases, *attribute.opposites))


def _attribute_truth() -> np.ndarray:
    """Return which statements may be true of which alterations; the last row is for no alteration.

    Returns
    -------
    numpy.ndarray, shape (attributes + 1, 2 + 2 * attributes), bool
    """
    names = list(ATTRIBUTES)
    table = np.ones((len(names) + 1, 2 + 2 * len(names)), bool)
    for k, attribute in enumerate(ATTRIBUTES.values()):
        table[:, 2 + 2 * k] = [name == names[k] or name in attribute.excludes for name in [*names, None]]
        table[k, 3 + 2 * k] = False
    return table


def hidden_shapes() -> dict[str, np.ndarray]:
    """Return the names to exclude for each class, because with its own colour or shape they would name an unseen one.

    Red stars are never shown. If "star" were a wrong answer for a red circle, the model would learn that red things
    are not stars, and would misclassify red stars. So this answer is excluded from the softmax.

    Returns
    -------
    dict of str to numpy.ndarray, shape (100 labels of Shapes-100, names of the group), bool
        For the groups ``"colour"`` and ``"shape"``.
    """
    hidden = {
        name: np.zeros((len(Shapes100.classnames), len(members)), bool) for name, members in _SHAPE_GROUPS.items()
    }
    for row, name in enumerate(Shapes100.classnames):
        colour, shape = name.split()
        hidden["colour"][row] = [f"{other} {shape}" in UNSEEN_CLASSNAMES for other in COLOURS]
        hidden["shape"][row] = [f"{colour} {other}" in UNSEEN_CLASSNAMES for other in SHAPES]
    return hidden
