"""The forward passes against openai-clip's."""

import numpy as np
import pytest
import torch

from clip_demo.benchmark.random_checkpoints import SMALL_RESNET, SMALL_VIT, random_clip
from clip_demo.models.forward import encode_image, encode_text, fold_batch_norm
from clip_demo.models.openai_clip import import_clip

clip = import_clip()
PIXELS = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
TOKENS = clip.tokenize(
    ["a photo of a cat", "a photo of a dog", "a photo", "a cat", "a photo of a cat", "x", " ".join(["word"] * 75)]
)


def test_image_features_equal_openai_clips(model):
    with torch.no_grad():
        expected = model.network.encode_image(PIXELS)
        np.testing.assert_allclose(encode_image(model.network, PIXELS), expected, atol=1e-6)


def test_folded_batch_normalisations_give_openai_clips_features():
    network = random_clip(SMALL_RESNET).eval()
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for norm in norms:
            for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                values.copy_(torch.rand(values.shape, generator=random) + 0.5)
        expected = network.encode_image(PIXELS)
        fold_batch_norm(network)
        folded = encode_image(network, PIXELS)
    assert norms and not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    torch.testing.assert_close(folded, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_text_features_equal_openai_clips(model):
    with torch.no_grad():
        expected = model.network.encode_text(TOKENS)
        np.testing.assert_allclose(encode_text(model.network, TOKENS), expected, atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 10, 40, 75])
def test_text_features_are_equal_for_every_prompt_length(model, length):
    tokens = clip.tokenize([" ".join(["word"] * length), "a photo"])
    with torch.no_grad():
        np.testing.assert_allclose(encode_text(model.network, tokens), model.network.encode_text(tokens), atol=1e-5)


def test_shared_prefixes_are_computed_once(model):
    embedded = []
    hook = model.network.token_embedding.register_forward_pre_hook(lambda _, inputs: embedded.extend(inputs))
    try:
        with torch.no_grad():
            encode_text(model.network, TOKENS[:5])
    finally:
        hook.remove()
    # start; a; photo | cat; of | end | end; a; cat | dog; end | end
    assert [len(each) for each in embedded] == [1 + 1 + 2 + 3 + 1 + 2 + 2]


@pytest.mark.parametrize("sizes", [SMALL_VIT, SMALL_RESNET], ids=["ViT", "ResNet"])
def test_half_precision_gives_openai_clips_features_in_half_precision(sizes):
    network = random_clip(sizes)
    clip.model.convert_weights(network)  # as on a GPU
    with torch.inference_mode():
        pairs = [
            (encode_image(network, PIXELS), network.encode_image(PIXELS)),
            (encode_text(network, TOKENS), network.encode_text(TOKENS)),
        ]
    for ours, theirs in pairs:
        assert ours.dtype == theirs.dtype == torch.float16
        np.testing.assert_allclose(ours.float(), theirs.float(), atol=2e-2)
