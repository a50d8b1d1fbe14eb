"""What a model knows of a word: learned with images, guessed from its word vector, or unknown.

Only the built-in model has such a list (``assets/tiny-words.npz``), because only its training captions are known.
`clip_demo.tiny_clip.word_list` makes the list.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import OptionError
from ..paths import BUILT_IN_WORDS
from .prompts import MAX_CLASSNAMES, MAX_LENGTH, is_broken

LEARNED_IMAGES = 50  # a word is learned if the captions of so many training images had it
# Words that say nothing about what an image shows; a name is judged by its other words.
FUNCTION_WORDS = frozenset("a an the of and or with in on at to for from by my your his her its this that one".split())


@dataclass(frozen=True)
class WordKnowledge:
    """What a model knows of a word or name.

    Attributes
    ----------
    name : str
        As it was asked for.
    state : {"learned", "guessed", "unknown"}
        ``"learned"``: at least `LEARNED_IMAGES` training images had it in their captions. ``"guessed"``: it was never
        seen with an image, or seldom, but its word vector lies near learned words. ``"unknown"``: it has no vector,
        so two such words look alike to the model. A name of several words is as little known as the least known.
    images : int
        Number of training images whose captions may have had the word; for a name of several words that captions did
        not have as a whole, that of its least known word.
    near : tuple of str
        For ``"guessed"``, the learned words with the nearest vectors, nearest first.
    """

    name: str
    state: Literal["learned", "guessed", "unknown"]
    images: int
    near: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What to say about a word that was not learned; "" for a learned one."""
        if self.state == "learned":
            return ""
        if self.state == "unknown":
            text = "unknown word: the model can only guess at random"
        elif self.images:
            text = f"seen with only {self.images} training image{'s' if self.images != 1 else ''}"
        else:
            text = "never seen with an image"
        return f"{text}; near {', '.join(self.near)}" if self.near else text


class WordList:
    """The words of a model.

    Parameters
    ----------
    words : sequence of str
        Words and names of several words, in lower case with spaces.
    images : numpy.ndarray, shape (n,), int64
        Number of training images whose captions may have had the word.
    nearest : numpy.ndarray, shape (n, k), int64
        Positions of the learned words with the nearest vectors.
    """

    def __init__(self, words: Iterable[str], images: np.ndarray, nearest: np.ndarray):
        self._words = tuple(words)
        self._images, self._nearest = images, nearest
        self._position = {word: k for k, word in enumerate(self._words)}

    def look_up(self, name: str) -> WordKnowledge:
        """Return what is known of a word, or of a name of several words."""
        plain = " ".join(name.replace("_", " ").lower().split())
        whole = self._known(plain)
        if whole is not None and whole.state == "learned":
            return replace(whole, name=name)
        parts = [part for part in re.findall(r"[^\W_]+", plain) if part not in FUNCTION_WORDS] or [plain]
        found = [self._known(part) or WordKnowledge(part, "unknown", 0) for part in parts]
        order = ("learned", "guessed", "unknown")
        worst = max(found, key=lambda each: (order.index(each.state), -each.images))
        return replace(worst, name=name)

    def _known(self, word: str) -> WordKnowledge | None:
        position = self._position.get(word)
        if position is None:
            return None
        images = int(self._images[position])
        if images >= LEARNED_IMAGES:
            return WordKnowledge(word, "learned", images)
        return WordKnowledge(word, "guessed", images, tuple(self._words[k] for k in self._nearest[position]))


@cache
def _read(path: Path) -> tuple[str, WordList]:
    with np.load(path, allow_pickle=False) as stored:
        words = str(stored["words"]).split("\n")
        return str(stored["model_sha256"]), WordList(words, stored["images"], stored["nearest"])


def word_knowledge(names: Iterable[str], model_sha256: str, path: Path = BUILT_IN_WORDS) -> tuple[WordKnowledge, ...]:
    """Return what a model knows of each name; empty for a model without a word list.

    Parameters
    ----------
    names : iterable of str
        Up to `clip_demo.zero_shot.prompts.MAX_CLASSNAMES` words or names.
    model_sha256 : str
        See `clip_demo.models.encoder.Encoder`.

    Raises
    ------
    OptionError
        For a bare string, too many names, or a name that is not text or too long.
    """
    given = tuple(names) if isinstance(names, Iterable) and not isinstance(names, (str, Mapping)) else None
    if given is None or len(given) > MAX_CLASSNAMES:
        came = repr(names)[:60] if given is None else f"{len(given)} names"
    else:
        wrong = [name for name in given if not isinstance(name, str) or len(name) > MAX_LENGTH or is_broken(name)]
        came = repr(wrong[0])[:60] if wrong else ""
    if came:
        raise OptionError(
            f"names: got {came}; give a list of up to {MAX_CLASSNAMES} words or names, each of at most {MAX_LENGTH} "
            "characters, such as ['cat', 'zebra']."
        )
    if not path.is_file():
        return ()
    owner, words = _read(path)
    return tuple(map(words.look_up, given)) if owner == model_sha256 else ()
