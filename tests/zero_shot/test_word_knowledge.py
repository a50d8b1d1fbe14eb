"""What the built-in model knows of words."""

import numpy as np
import pytest

from clip_demo.errors import OptionError
from clip_demo.models.load import load_model
from clip_demo.paths import BUILT_IN_WORDS
from clip_demo.zero_shot.word_knowledge import WordKnowledge, WordList, word_knowledge

SHA256 = "70" * 32


@pytest.fixture
def words():
    names = ("cat", "dog", "kitten", "golden retriever", "retriever", "golden")
    images = np.array([900, 800, 3, 60, 60, 120])
    return WordList(names, images, np.array([[0, 1]] * 6))


@pytest.mark.parametrize(
    ("name", "state", "images", "near"),
    [
        ("cat", "learned", 900, ()),
        ("  Cat ", "learned", 900, ()),
        ("a cat", "learned", 900, ()),
        ("golden_retriever", "learned", 60, ()),
        ("golden cat", "learned", 120, ()),
        ("kitten", "guessed", 3, ("cat", "dog")),
        ("dog and kitten", "guessed", 3, ("cat", "dog")),
        ("xyzzy", "unknown", 0, ()),
        ("xyzzy kitten", "unknown", 0, ()),
        ("!?", "unknown", 0, ()),
        ("the", "unknown", 0, ()),
        ("", "unknown", 0, ()),
    ],
)
def test_a_name_is_as_little_known_as_its_least_known_word(words, name, state, images, near):
    assert words.look_up(name) == WordKnowledge(name, state, images, near)


def test_a_model_without_a_list_knows_nothing_that_can_be_told(tmp_path):
    assert word_knowledge(["cat"], SHA256) == ()
    assert word_knowledge(["cat"], SHA256, tmp_path / "absent.npz") == ()


@pytest.mark.parametrize("names", ["cat", 5, ["x" * 501], [3], ["a"] * 1001])
def test_wrong_arguments_are_refused(names):
    with pytest.raises(OptionError, match="give a list of up to 1000 words or names, each of at most 500"):
        word_knowledge(names, SHA256)


def test_the_list_of_the_built_in_model():
    sha256 = load_model("tiny", device="cpu").sha256
    asked = ["cat", "sofa", "golden retriever", "red circle", "blurry", "zebra", "koala", "kitten", "xyzzyx"]
    found = {each.name: each for each in word_knowledge(asked, sha256)}
    assert list(found) == asked
    assert [found[name].state for name in asked] == ["learned"] * 5 + ["guessed"] * 3 + ["unknown"]
    assert (found["koala"].images, found["zebra"].images) == (0, 0)
    assert "cat" in found["kitten"].near and len(found["zebra"].near) == 3
    assert {each.state for each in word_knowledge(found["zebra"].near, sha256)} == {"learned"}


def test_every_word_vector_is_in_the_list():
    with np.load(BUILT_IN_WORDS, allow_pickle=False) as stored:
        words, images = str(stored["words"]).split("\n"), stored["images"]
        assert len(words) == len(images) == len(stored["nearest"]) == len(set(words))
        assert (images[np.unique(stored["nearest"])] >= 50).all()
    assert BUILT_IN_WORDS.stat().st_size < 400_000
