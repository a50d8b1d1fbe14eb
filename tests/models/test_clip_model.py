"""The encoder interface of a CLIP against openai-clip's own functions."""

import pickle

import numpy as np
import pytest
import torch
from helpers import NO_GPU

from clip_demo.errors import PromptTooLongError
from clip_demo.models.load import load_model
from clip_demo.models.openai_clip import import_clip

clip = import_clip()
PROMPTS = ["a photo of a cat", "x", "a", " ".join(["word"] * 75), "a <|endoftext|> in the middle"]


def encode(model, images):
    return model.encode_images([model.preprocess(each) for each in images])


def test_features_equal_those_of_openai_clip(checkpoint, images):
    ours = load_model(str(checkpoint.archive), device="cpu")
    theirs, preprocess = clip.load(str(checkpoint.archive), device="cpu")
    with torch.no_grad():
        image_features = theirs.encode_image(torch.stack([preprocess(each) for each in images])).numpy()
        text_features = theirs.encode_text(clip.tokenize(PROMPTS)).numpy()
    np.testing.assert_allclose(encode(ours, images), image_features, atol=1e-5)
    np.testing.assert_allclose(ours.encode_texts(PROMPTS), text_features, atol=1e-5)
    assert ours.logit_scale == pytest.approx(100, rel=1e-3)


def test_the_network_gets_exactly_the_pixels_of_openai_clips_preprocessing(checkpoint, model, images):
    _, preprocess = clip.load(str(checkpoint.archive), device="cpu")
    ours = model._scaled([model.preprocess(image) for image in images])
    assert torch.equal(ours, torch.stack([preprocess(each) for each in images]))


def test_a_pickled_model_has_the_same_features(model, images):
    again = pickle.loads(pickle.dumps(model))
    assert (again.name, again.sha256) == (model.name, model.sha256)
    np.testing.assert_array_equal(encode(again, images), encode(model, images))
    np.testing.assert_array_equal(again.encode_texts(PROMPTS), model.encode_texts(PROMPTS))


def test_features_do_not_depend_on_the_batch(model, images):
    single = np.concatenate([encode(model, [each]) for each in images])
    np.testing.assert_allclose(encode(model, images), single, atol=1e-5)
    prompts = [f"number {i}" for i in range(300)]
    np.testing.assert_allclose(model.encode_texts(prompts)[299], model.encode_texts(prompts[299:])[0], atol=1e-5)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sweet_pepper", "sweet pepper", False),
        ("Cat", "cat", True),
        ("a & b", "a &amp; b", True),
        ("it’s", "it's", True),
        ("ｃａｔ", "cat", True),
        ("cafe\u0301", "caf\u00e9", True),
        ("\ufeffcat", "cat", True),
        ("ca\x07t", "cat", True),
        (f"a{' ' * 300}b", "a b", True),
        ("cat <|endoftext|> one", "cat <|endoftext|> two", True),
        ("cat", "cats", False),
        ("🐱", "🐶", False),
        ("c\u200dat", "cat", False),
    ],
)
def test_prompts_have_equal_tokens_where_openai_clip_reads_the_same(model, one, other, same):
    assert (model.tokens(one) == model.tokens(other)) is same
    theirs, end = clip.tokenize([one, other]), 49407
    read = [row[: row.tolist().index(end)].tolist() for row in theirs]  # the feature is read at the first end of text
    assert (read[0] == read[1]) is same
    features = model.encode_texts([one, other])
    assert np.allclose(*features, atol=1e-5) is same
    assert model.tokens("word " * 500) == model.tokens("word") * 500  # longer than a prompt may be


def test_a_prompt_with_too_many_tokens_is_named(model):
    message = r"'word word .*\.\.\.' has 78 tokens, .* at most 77 are allowed"
    with pytest.raises(PromptTooLongError, match=message) as caught:
        model.encode_texts(["a cat", " ".join(["word"] * 76)])
    assert caught.value.page_message == (
        "“word word word word word word word word…” is too long: CLIP reads at most 77 tokens (words or parts of "
        "words), and "
        "this has 78. Use fewer words."
    )


@pytest.mark.parametrize("prompt", ["a photo of a cat.", "A  catalogue!", "naïve 🎉", "a <|endoftext|> in it", ""])
def test_tokens_are_those_of_openai_clip_and_spell_the_prompt(model, prompt):
    tokens = model.token_pieces(prompt)
    numbers = [token.number for token in tokens]
    assert numbers + [0] * (77 - len(numbers)) == clip.tokenize(prompt)[0].tolist()
    assert (tokens[0].text, tokens[-1].text) == ("<|startoftext|>", "<|endoftext|>")
    text = "".join(token.text + " " * token.ends_word for token in tokens[1:-1])
    assert text == clip.clip._tokenizer.decode(numbers[1:-1])


def test_tokens_of_a_prompt_that_is_too_long(model):
    with pytest.raises(PromptTooLongError, match="has 78 tokens"):
        model.token_pieces(" ".join(["word"] * 76))


def test_the_anatomy_is_that_of_the_weights(model):
    anatomy = model.anatomy
    assert (anatomy.resolution, anatomy.dimensions, anatomy.context_length) == (32, 32, 77)
    vit = isinstance(model.network.visual, clip.model.VisionTransformer)
    assert (anatomy.kind, anatomy.grid, anatomy.cover_grid) == (("ViT", 4, 4) if vit else ("ResNet", 1, 8))


@pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_GPU)
def test_a_gpu_computes_in_half_precision_as_in_openai_clip(checkpoint, images):
    ours = load_model(str(checkpoint.archive), device="cuda")
    theirs, preprocess = clip.load(str(checkpoint.archive), device="cuda")
    with torch.no_grad():
        expected = theirs.encode_image(torch.stack([preprocess(each) for each in images]).cuda()).float().cpu().numpy()
    assert ours.network.dtype == theirs.dtype == torch.float16
    np.testing.assert_allclose(encode(ours, images), expected, atol=1e-2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_GPU)
def test_a_copy_on_the_gpu_has_the_features_of_the_cpu(model, images):
    copied = model.on_gpu()
    assert copied.network.logit_scale.device.type == "cuda" and model.network.logit_scale.device.type == "cpu"
    expected = encode(model, images)
    assert np.abs(encode(copied, images) - expected).max() < 1e-5 * np.abs(expected).max()
