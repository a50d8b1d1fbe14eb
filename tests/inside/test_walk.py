"""Every step's numbers against openai-clip's own modules, and against Explore's bars."""

import numpy as np
import pytest
import torch
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.errors import ClassnamesError
from clip_demo.inside.walk import image_input, without
from clip_demo.models.openai_clip import import_clip
from clip_demo.paths import EXAMPLES
from clip_demo.ui.html import percent
from clip_demo.zero_shot.prompt_set import PromptSet

PHOTO = EXAMPLES / "cat.jpg"
PROMPTS = PromptSet(["cat", "dog", "sweet_pepper", "rocket"], ["a photo of a {}."])
clip = import_clip()


@pytest.fixture(scope="module")
def tiny():
    return Backend.open("tiny", dataset="shapes100")


def run_openai_clip(network, prompts):
    """Return what hooks see while openai-clip's ``CLIP.forward`` predicts, and its logits."""
    seen = {}
    hooks = [
        network.visual.conv1.register_forward_pre_hook(lambda _, inputs: seen.update(pixels=inputs[0])),
        network.visual.register_forward_hook(lambda _, inputs, output: seen.update(image=output[0])),
        network.token_embedding.register_forward_pre_hook(lambda _, inputs: seen.update(tokens=inputs[0])),
        network.ln_final.register_forward_hook(lambda _, inputs, output: seen.update(text=output)),
    ]
    image = Image.open(PHOTO).convert("RGB")
    with torch.no_grad():
        tokens = clip.tokenize(prompts)
        logits, _ = network(clip.clip._transform(network.visual.input_resolution)(image)[None], tokens)
        ends = tokens.argmax(dim=1)
        texts = seen["text"][torch.arange(len(tokens)), ends] @ network.text_projection
    for hook in hooks:
        hook.remove()
    return seen, torch.nn.functional.normalize(texts).numpy(), logits[0].double().numpy()


def test_every_step_has_the_numbers_of_openai_clips_modules(opened):
    walk = opened.backend.inside.walk(image=PHOTO, prompts=PROMPTS, classname="dog")
    seen, texts, logits = run_openai_clip(opened.network, [row[0] for row in PROMPTS.prompts])
    # The image as the model gets it.
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (
        (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711),
    ))  # fmt: skip
    pixels = torch.from_numpy(walk.image.pixels.copy()).permute(2, 0, 1).float() / 255
    torch.testing.assert_close((pixels - mean) / std, seen["pixels"][0])
    # The tokens.
    (prompt,) = walk.prompts
    numbers = [token.number for token in prompt.tokens]
    assert prompt.prompt == "a photo of a dog."
    assert numbers + [0] * (walk.anatomy.context_length - len(numbers)) == seen["tokens"][1].tolist()
    # Both vectors, and their cosine.
    features = seen["image"].double().numpy()
    length = np.linalg.norm(features)
    assert walk.cosine.image_length == pytest.approx(length, rel=1e-5)
    np.testing.assert_allclose(walk.cosine.image, features / length, atol=1e-5)
    np.testing.assert_allclose(walk.cosine.text, texts[1], atol=1e-5)
    np.testing.assert_allclose(walk.cosine.products, features / length * texts[1], atol=1e-5)
    assert walk.cosine.products.sum() == pytest.approx(walk.cosine.value, abs=1e-6)
    # Times the logit scale, and the softmax.
    scale = walk.logit_scale
    assert scale == pytest.approx(float(opened.network.logit_scale.exp()))
    shares = torch.softmax(torch.from_numpy(logits), dim=0).numpy()
    for each in walk.classes:
        position = PROMPTS.classnames.index(each.label)
        assert each.logit == pytest.approx(logits[position], abs=1e-5 * scale)
        assert each.logit == scale * each.cosine
        assert each.probability == pytest.approx(shares[position], abs=1e-5 * scale)
    # The linear probe.
    probe_logits = opened.head.coef.astype(float) @ features + opened.head.intercept
    tolerance = 1e-5 * np.abs(opened.head.coef).sum(axis=1).max() * np.abs(features).max()
    for each in (walk.probe.first, walk.probe.second):
        position = opened.head.classes_.index(each.label)
        assert each.logit == pytest.approx(probe_logits[position], abs=tolerance)
        assert each.logit == each.product + each.intercept
    assert walk.probe.first.label == opened.head.classes_[probe_logits.argmax()]


def test_the_sizes_are_those_of_the_model(opened):
    anatomy = opened.backend.inside.walk(image=PHOTO, prompts=PROMPTS).anatomy
    sizes = (anatomy.kind, anatomy.resolution, anatomy.grid, anatomy.cover_grid, anatomy.dimensions)
    assert sizes == {
        "tiny": ("ResNet", 96, 3, 8, 256), "ViT-B/32": ("ViT", 224, 7, 7, 512), "RN50": ("ResNet", 224, 7, 8, 1024),
    }[opened.model.name]  # fmt: skip


@pytest.mark.parametrize("scale", [None, 3.0, 100.0])
@pytest.mark.parametrize("source", [{"index": 12}, {"index": 7, "dataset": "shapes100"}, {"image": PHOTO}])
def test_the_last_numbers_are_explores_bars(tiny, source, scale):
    prompts = None if "index" in source else PROMPTS
    walk = tiny.inside.walk(**source, prompts=prompts, logit_scale=scale)
    prediction = tiny.predict(**source, prompts=prompts, logit_scale=scale, top_k=100)
    shown = [(each.label, each.cosine, percent(each.probability)) for each in walk.classes]
    assert shown == [(each.label, each.cosine, percent(each.probability)) for each in prediction.zero_shot]
    assert walk.probe.prediction == prediction.linear_probe and walk.truth == prediction.truth
    best, second = prediction.linear_probe.top[:2]
    for ours, theirs in ((walk.probe.first, best), (walk.probe.second, second)):
        assert (ours.label, ours.probability) == (theirs.label, theirs.probability)
    assert walk.agreement.agree == prediction.agree


def test_the_probes_two_logits_give_the_ratio_of_its_two_bars(tiny):
    probe = tiny.inside.walk(image=PHOTO).probe
    ratio = probe.first.probability / probe.second.probability
    assert np.exp(probe.first.logit - probe.second.logit) == pytest.approx(ratio)
    difference = probe.products.sum() + probe.first.intercept - probe.second.intercept
    assert difference == pytest.approx(probe.first.logit - probe.second.logit)
    products = [term.product for term in probe.most]
    assert products == sorted(probe.products, reverse=True)[:5] and probe.least[0].product == probe.products.min()
    assert all(term.image * term.weight == pytest.approx(term.product) for term in (*probe.most, *probe.least))


def test_the_terms_of_the_cosine_are_its_largest_and_smallest(tiny):
    cosine = tiny.inside.walk(image=PHOTO, prompts=PROMPTS).cosine
    order = np.argsort(-cosine.products)
    assert [term.dimension for term in cosine.most] == order[:5].tolist()
    assert [term.dimension for term in cosine.least] == order[::-1][:5].tolist()
    first = cosine.most[0]
    assert (first.image, first.weight) == (cosine.image[first.dimension], cosine.text[first.dimension])


def test_classes_taken_away_leave_explores_bars_of_the_shorter_list(tiny):
    walk = tiny.inside.walk(image=PHOTO, prompts=PROMPTS)
    shorter = without(walk.classes, {"cat", "zebra"})
    expected = tiny.predict(image=PHOTO, prompts=PROMPTS.varied(classnames=["dog", "sweet_pepper", "rocket"])).zero_shot
    assert [(e.label, percent(e.probability)) for e in shorter] == [(e.label, percent(e.probability)) for e in expected]
    assert {(each.label, each.cosine, each.logit) for each in shorter} < {
        (each.label, each.cosine, each.logit) for each in walk.classes
    }
    with pytest.raises(ClassnamesError, match="3 names leave 1 of 4 classes; leave at least 2"):
        without(walk.classes, {"cat", "dog", "rocket"})


def test_an_ensemble_shows_each_prompt_of_the_class_and_the_mean_vector(tiny):
    prompts = PROMPTS.varied(templates=["a photo of a {}.", "a {}"], replace_underscores=True)
    walk = tiny.inside.walk(image=PHOTO, prompts=prompts, classname="Sweet pepper")
    assert [each.prompt for each in walk.prompts] == ["a photo of a sweet pepper.", "a sweet pepper"]
    assert walk.cosine.classname == "sweet_pepper"
    features = tiny.encoder().encode_texts([each.prompt for each in walk.prompts])
    mean = (features / np.linalg.norm(features, axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(walk.cosine.text, mean / np.linalg.norm(mean), atol=1e-6)


def test_agreement_names_the_rank_of_each_in_the_others_list(tiny):
    names = ["cat", "red circle", "blue square"]
    walk = tiny.inside.walk(image=PHOTO, prompts=PromptSet(names))
    probe, zero_shot = walk.probe.prediction.top, walk.classes
    assert walk.agreement.zero_shot == zero_shot[0].label == "cat" and walk.agreement.rank_of_zero_shot is None
    assert walk.agreement.probe == probe[0].label == "red circle" and not walk.agreement.agree
    assert walk.agreement.rank_of_probe == [each.label for each in zero_shot].index("red circle") + 1


@pytest.mark.parametrize("size", [(96, 96), (448, 298), (31, 50), (300, 97), (20, 33), (101, 400)])
def test_the_crop_is_what_the_model_gets(tiny, size):
    rng = np.random.default_rng(0)
    original = Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))
    found = image_input(tiny.encoder(), original)
    width, height = (int(96 * length / min(size)) for length in size)  # as torchvision resizes
    box = np.array(found.crop) * [width, height, width, height]
    np.testing.assert_allclose(box, box.round(), atol=1e-9)
    by_hand = original.resize((width, height), Image.Resampling.BICUBIC).crop(tuple(box.round().astype(int)))
    np.testing.assert_array_equal(found.pixels, np.asarray(by_hand))
    assert found.original is original


def test_a_class_that_is_not_on_the_list_is_refused(tiny):
    with pytest.raises(ClassnamesError, match="'zebra' is not in the class list"):
        tiny.inside.walk(image=PHOTO, prompts=PROMPTS, classname="zebra")
