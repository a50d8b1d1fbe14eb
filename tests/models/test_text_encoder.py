"""The forward pass of the text encoder against openai-clip's."""

import numpy as np
import pytest
import torch

from clip_demo.benchmark.random_checkpoints import SMALL_VIT, random_clip
from clip_demo.models.openai_clip import import_clip
from clip_demo.models.text_encoder import TextEncoder

clip = import_clip()
TOKENS = clip.tokenize(
    ["a photo of a cat", "a photo of a dog", "a photo", "a cat", "a photo of a cat", "x", " ".join(["word"] * 75)]
)


@pytest.fixture(scope="module")
def network():
    return random_clip(SMALL_VIT)


def test_features_equal_openai_clips(packed, network):
    with torch.no_grad():
        np.testing.assert_allclose(TextEncoder(network)(TOKENS), network.encode_text(TOKENS), atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 10, 40, 75])
def test_features_are_equal_for_every_prompt_length(packed, network, length):
    tokens = clip.tokenize([" ".join(["word"] * length), "a photo"])
    with torch.no_grad():
        np.testing.assert_allclose(TextEncoder(network)(tokens), network.encode_text(tokens), atol=1e-5)


def test_shared_prefixes_are_computed_once(network):
    embedded = []
    hook = network.token_embedding.register_forward_pre_hook(lambda _, inputs: embedded.extend(inputs))
    try:
        with torch.no_grad():
            TextEncoder(network)(TOKENS[:5])
    finally:
        hook.remove()
    # start; a; photo | cat; of | end | end; a; cat | dog; end | end
    assert [len(each) for each in embedded] == [1 + 1 + 2 + 3 + 1 + 2 + 2]


def test_half_precision_gives_openai_clips_features_in_half_precision():
    network = random_clip(SMALL_VIT)
    clip.model.convert_weights(network)  # as on a GPU
    with torch.inference_mode():
        ours, theirs = TextEncoder(network)(TOKENS), network.encode_text(TOKENS)
    assert ours.dtype == theirs.dtype == torch.float16
    np.testing.assert_allclose(ours.float(), theirs.float(), atol=2e-2)
