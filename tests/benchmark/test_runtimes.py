"""What the encoders are compared with computes the same features."""

import numpy as np
import pytest
import torch

from clip_demo.benchmark.random_checkpoints import SMALL_RESNET, SMALL_VIT, random_clip
from clip_demo.benchmark.runtimes import image_encoders, text_encoders
from clip_demo.models.openai_clip import import_clip

PACKAGES = ["openai-clip", "open_clip", "ONNX Runtime", "OpenVINO"]


@pytest.mark.parametrize("sizes", [SMALL_VIT, SMALL_RESNET], ids=["ViT", "ResNet"])
def test_all_packages_give_the_features_of_openai_clip_for_any_number_of_images(sizes):
    encoders = image_encoders(random_clip(sizes))
    assert list(encoders) == PACKAGES
    for n in (1, 3):
        pixels = torch.randn(n, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        expected = encoders["openai-clip"](pixels).numpy()
        for encode in encoders.values():
            np.testing.assert_allclose(np.asarray(encode(pixels)), expected, atol=1e-5 * abs(expected).max())


def test_all_packages_give_the_features_of_openai_clip_for_any_number_of_prompts():
    encoders = text_encoders(random_clip(SMALL_VIT))
    assert list(encoders) == PACKAGES
    for prompts in (["a cat"], ["a cat", "a photo of a dog", "x"]):
        tokens = import_clip().tokenize(prompts)
        expected = encoders["openai-clip"](tokens).numpy()
        for encode in encoders.values():
            np.testing.assert_allclose(np.asarray(encode(tokens)), expected, atol=1e-5 * abs(expected).max())
