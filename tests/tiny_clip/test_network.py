"""The model during training."""

import torch

from clip_demo.models.forward import encode_text
from clip_demo.models.openai_clip import import_clip
from clip_demo.tiny_clip.captions import all_captions
from clip_demo.tiny_clip.muon import orthogonal
from clip_demo.tiny_clip.network import Architecture, Vocabulary, make_model, to_state_dict


def test_the_small_vocabulary_gives_the_features_of_the_full_one():
    arch = Architecture(embed_dim=32, image_resolution=32, vision_width=8, text_width=64, text_layers=1)
    vocabulary = Vocabulary(all_captions(("cifar100", "shapes100")))
    model = make_model(arch, vocabulary, seed=1).eval()
    captions = ["a photo of a red circle.", "orange", "a black and white photo of the small lawn mower."]
    ours = encode_text(model, vocabulary.encode(captions))
    full = import_clip().model.build_model(to_state_dict(model, vocabulary)).float()
    expected = full.encode_text(import_clip().tokenize(captions)).detach()
    assert torch.allclose(ours, expected, atol=5e-3 * float(expected.abs().max()))  # rounded to half precision


def test_orthogonal_equalises_singular_values():
    matrix = torch.randn(24, 60, generator=torch.Generator().manual_seed(0))
    for each in (matrix, matrix.T):
        values = torch.linalg.svdvals(orthogonal(each))
        assert orthogonal(each).shape == each.shape and values.min() > 0.4 and values.max() < 1.4
