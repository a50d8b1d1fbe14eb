"""The model during training."""

import numpy as np
import pytest
import torch

from clip_demo.models.openai_clip import import_clip
from clip_demo.models.text_encoder import TextEncoder
from clip_demo.tiny_clip.muon import orthogonal
from clip_demo.tiny_clip.network import Architecture, Vocabulary, WordEmbedding, make_model, to_state_dict
from clip_demo.tiny_clip.word_vectors import token_embedding

ARCH = Architecture(embed_dim=32, image_resolution=32, vision_layers=(1, 1, 1, 1), vision_width=8, text_layers=1)
TEXTS = [
    "a photo of a red circle .",
    "orange",
    "a black and white photo of the small lawn mower _",
    "close - up stegosaurus",
]


@pytest.fixture(scope="module")
def words():
    tokens = np.array([320, 736, 4287, 49405])  # "a</w>", "red</w>", "orange</w>", and one that no caption has
    return WordEmbedding(tokens, np.arange(4 * 64, dtype=np.float32).reshape(4, 64) / 1000)


def test_the_small_vocabulary_gives_the_features_of_the_full_one(words):
    vocabulary = Vocabulary(TEXTS)
    model = make_model(ARCH, vocabulary, words, seed=1).eval()
    captions = ["a photo of a red circle.", "orange", "a black and white photo of the small lawn_mower", "stegosaurus"]
    ours = TextEncoder(model)(vocabulary.encode(captions))
    full = import_clip().model.build_model(to_state_dict(model, vocabulary, words)).float()
    expected = full.encode_text(import_clip().tokenize(captions)).detach()
    assert torch.allclose(ours, expected, atol=5e-3 * float(expected.abs().max()))  # rounded to half precision


def test_captions_become_the_tokens_of_openai_clip():
    vocabulary = Vocabulary(TEXTS)
    captions = ["a close-up photo of a lawn_mower.", "black stegosaurus", "the red photo of the photo"]
    ours = vocabulary.tokens[vocabulary.encode(captions).numpy()]
    assert np.array_equal(ours, import_clip().tokenize(captions).numpy())


def test_the_embedding_has_the_word_vectors_and_zeros_for_unknown_tokens(words):
    vocabulary = Vocabulary(TEXTS)
    full = to_state_dict(make_model(ARCH, vocabulary, words, seed=1), vocabulary, words)["token_embedding.weight"]
    assert full.shape == (49408, 64)
    assert torch.allclose(full[words.tokens].float(), torch.from_numpy(words.rows), atol=1e-3)
    empty = (full == 0).all(dim=1)
    assert not empty[vocabulary.tokens].any() and empty.sum() == 49408 - len({*vocabulary.tokens, *words.tokens})


def test_word_vectors_keep_their_neighbours(tmp_path):
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((50, 8)) @ rng.standard_normal((8, 100))).astype(np.float16)
    vectors[7] = vectors[3] * 1.01
    np.savez(tmp_path / "glove-clip-words.npz", token=np.arange(100, 50, -1), word=np.array(["w"] * 50), vector=vectors)
    tokens, rows = token_embedding(tmp_path, 64)
    assert tokens.tolist() == list(range(51, 101)) and rows.shape == (50, 64) and rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 0.3)
    unit = vectors[::-1].astype(float) / np.linalg.norm(vectors[::-1].astype(float), axis=1, keepdims=True)
    centred = unit - unit.mean(axis=0)
    expected = centred @ centred.T / np.outer(*[np.linalg.norm(centred, axis=1)] * 2)
    assert np.allclose(rows @ rows.T / 0.09, expected, atol=1e-5)  # 8 dimensions fit into 64


def test_orthogonal_equalises_singular_values():
    matrix = torch.randn(24, 60, generator=torch.Generator().manual_seed(0))
    for each in (matrix, matrix.T):
        values = torch.linalg.svdvals(orthogonal(each))
        assert orthogonal(each).shape == each.shape and values.min() > 0.4 and values.max() < 1.4
