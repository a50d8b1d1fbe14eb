"""Heat maps from gradients against the formulas, written out with openai-clip's own modules and hooks."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from clip_demo.benchmark.random_checkpoints import SMALL_RESNET, SMALL_VIT, random_clip
from clip_demo.models.checkpoint import open_checkpoint
from clip_demo.models.clip_model import ClipModel
from clip_demo.models.gradient_maps import grad_eclip, hires_cam
from clip_demo.models.openai_clip import import_clip
from clip_demo.models.resnet import ResNet
from clip_demo.models.vision_transformer import VisionTransformer
from clip_demo.paths import BUILT_IN_CHECKPOINT

WIDE_VIT = SMALL_VIT | {"vision_width": 128, "vision_layers": 3}  # two heads


def model_of(sizes):
    return ClipModel(random_clip(sizes), name="x", note="", sha256="0" * 64)


def directions(model, n=2):
    return np.random.default_rng(0).normal(size=(n, model.anatomy.dimensions))


def score(features, direction, normalized):
    features = features[0].double()
    return torch.from_numpy(direction) @ (features / features.norm() if normalized else features)


@pytest.mark.parametrize("normalized", [True, False])
def test_grad_eclip_equals_its_formula_with_every_head(images, normalized):
    model = model_of(WIDE_VIT)
    pixels, network = model.preprocess(images[3]), random_clip(WIDE_VIT)
    visual, caught = network.visual, {}
    last = visual.transformer.resblocks[-1]
    last.register_forward_pre_hook(lambda _, inputs: caught.update(x=inputs[0]))
    with torch.no_grad():
        visual(model._scaled([pixels]))
    x = caught["x"][:, 0]  # (1 + patches, width)
    q, k, v = (last.ln_1(x) @ last.attn.in_proj_weight.T + last.attn.in_proj_bias).chunk(3, dim=1)
    outputs = []
    for head in range(2):
        part = slice(64 * head, 64 * head + 64)
        outputs.append(torch.softmax(q[0, part] @ k[:, part].T / 8, dim=0) @ v[:, part])
    output = torch.cat(outputs).requires_grad_()

    def features(output):
        token = x[:1] + last.attn.out_proj(output[None])
        token = token + last.mlp(last.ln_2(token))
        return visual.ln_post(token) @ visual.proj

    np.testing.assert_allclose(features(output).detach(), model.encode_images([pixels]), atol=1e-5)
    cosine = torch.nn.functional.cosine_similarity(q[:1], k[1:])
    weight = (cosine - cosine.min()) / (cosine.max() - cosine.min())
    found = model.gradient_maps(pixels, directions(model), normalized)
    assert found.shape == (2, 4, 4) and model.heat_map_method == "Grad-ECLIP"
    for each, direction in zip(found, directions(model), strict=True):
        (g,) = torch.autograd.grad(score(features(output), direction, normalized), output)
        expected = torch.relu((g * v[1:] * weight[:, None]).sum(dim=1)).reshape(4, 4)
        np.testing.assert_allclose(each, expected, atol=1e-4 * float(expected.max()))
        assert each.max() > 0


@pytest.mark.parametrize("normalized", [True, False])
def test_hires_cam_equals_its_formula_on_the_built_in_model(images, normalized):
    """By hooks on openai-clip's own modules, with batch normalisations that are not folded."""
    network, _ = open_checkpoint(BUILT_IN_CHECKPOINT)
    model = ClipModel(open_checkpoint(BUILT_IN_CHECKPOINT)[0], name="tiny", note="", sha256="0" * 64)
    pixels, caught = model.preprocess(images[3]), {}
    network.visual.layer3.register_forward_hook(lambda _, inputs, output: caught.update(a=output))
    features = network.encode_image(model._scaled([pixels]).requires_grad_())
    found = model.gradient_maps(pixels, directions(model), normalized)
    assert found.shape == (2, 6, 6) and model.heat_map_method == "HiResCAM"
    for each, direction in zip(found, directions(model), strict=True):
        (g,) = torch.autograd.grad(score(features, direction, normalized), caught["a"], retain_graph=True)
        expected = torch.relu((g[0] * caught["a"][0]).sum(dim=0)).detach()
        np.testing.assert_allclose(each, expected, atol=1e-4 * float(expected.max()))
        assert each.max() > 0


@pytest.mark.parametrize(("side", "cells"), [(32, 4), (64, 4), (96, 6), (128, 4), (224, 7)])
def test_hires_cam_looks_at_the_last_stage_of_at_least_four_cells_a_side(side, cells):
    encoder = ResNet(random_clip(SMALL_RESNET | {"image_resolution": side}).visual)
    pixels = torch.zeros(1, 3, side, side)
    assert hires_cam(encoder, pixels, lambda features: features.sum(dim=1)).shape == (1, cells, cells)


@pytest.mark.parametrize("sizes", [SMALL_VIT, SMALL_RESNET], ids=["ViT", "ResNet"])
def test_the_shared_model_stays_as_it_is_and_threads_get_the_same_maps(sizes, images):
    model = model_of(sizes)
    inputs = [model.preprocess(each) for each in images] * 3
    before = model.encode_images(inputs[:1])
    serial = [model.gradient_maps(each, directions(model), True) for each in inputs]
    with ThreadPoolExecutor(4) as threads:
        maps = [threads.submit(model.gradient_maps, each, directions(model), True) for each in inputs]
        features = [threads.submit(model.encode_images, inputs[:1]) for _ in range(6)]
        for ours, alone in zip(maps, serial, strict=True):
            np.testing.assert_allclose(ours.result(), alone, atol=1e-6)
        for each in features:
            np.testing.assert_allclose(each.result(), before, atol=1e-6)
    assert all(value.grad is None and not value.requires_grad for value in model.network.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.network.modules())


@pytest.mark.parametrize(
    ("sizes", "make", "maps"),
    [(SMALL_VIT, VisionTransformer, grad_eclip), (SMALL_RESNET, ResNet, hires_cam)],
    ids=["ViT", "ResNet"],
)
def test_half_precision_gives_nearly_the_same_maps(sizes, make, maps):
    pixels = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    network = random_clip(sizes)

    def scores(features):
        return 100 * torch.nn.functional.normalize(features.float())[:, :2].T.squeeze(1)

    expected = maps(make(network.visual), pixels, scores)
    import_clip().model.convert_weights(network)  # as on a GPU
    found = maps(make(network.visual), pixels, scores)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, expected, atol=0.03 * float(expected.max()))
