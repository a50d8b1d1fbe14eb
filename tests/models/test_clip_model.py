"""The model room against openai-clip's own functions, on checkpoints with random weights that the tests make."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from clip_demo.benchmark.random_checkpoints import SMALL_RESNET, SMALL_VIT, random_clip, write_archive
from clip_demo.errors import ModelError, OptionError, PromptTooLongError
from clip_demo.models import clip_model
from clip_demo.models.catalog import BUILT_IN, available_models
from clip_demo.models.forward import _beginnings, encode_image, encode_text
from clip_demo.models.load import load_model
from clip_demo.models.openai_clip import import_clip

clip = import_clip()


@pytest.fixture(scope="module", params=[SMALL_VIT, SMALL_RESNET], ids=["ViT", "ResNet"])
def files(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    network = random_clip(request.param)
    torch.save(network.state_dict(), folder / "state.pt")
    return {"archive": write_archive(network, folder / "archive.pt"), "state dict": folder / "state.pt"}


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 255, (h, w, 3), dtype=np.uint8)) for h, w in [(32, 32), (50, 40), (20, 60)]]


PROMPTS = ["a photo of a cat", "x", "a", " ".join(["word"] * 75), "a <|endoftext|> in the middle"]


def test_an_archive_gives_what_clip_load_gives(files, images):
    ours = load_model(str(files["archive"]), device="cpu")
    theirs, preprocess = clip.load(str(files["archive"]), device="cpu")
    with torch.no_grad():
        dataset = theirs.encode_image(torch.stack([preprocess(each) for each in images])).numpy()
        texts = theirs.encode_text(clip.tokenize(PROMPTS)).numpy()
    np.testing.assert_allclose(ours.encode_images(images), dataset, atol=1e-5)
    np.testing.assert_allclose(ours.encode_texts(PROMPTS), texts, atol=1e-5)
    assert ours.logit_scale == pytest.approx(100, rel=1e-3)


def test_the_encoder_gets_just_the_pixels_of_openai_clips_preprocessing(files, monkeypatch):
    ours = load_model(str(files["state dict"]), device="cpu")
    monkeypatch.setattr(clip_model, "encode_image", lambda _, pixels: pixels.flatten(1))
    rng = np.random.default_rng(0)
    sizes = [(32, 32), (50, 40), (20, 60), (300, 200)]
    images = [Image.fromarray(rng.integers(0, 255, (h, w, 3), dtype=np.uint8)) for h, w in sizes]
    transform = clip.clip._transform(ours.model.visual.input_resolution)
    theirs = torch.stack([transform(each) for each in images]).flatten(1)
    assert np.array_equal(ours.encode_images(images), theirs)


def test_a_state_dict_gives_the_same_model_as_an_archive(files, images):
    one, other = (load_model(str(files[kind]), device="cpu") for kind in ("archive", "state dict"))
    np.testing.assert_allclose(one.encode_images(images), other.encode_images(images), atol=1e-5)
    assert one.sha256 != other.sha256 and len(one.sha256) == 64


def test_the_class_token_alone_of_the_last_block_is_exact(files):
    model = load_model(str(files["state dict"]), device="cpu").model
    pixels = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        np.testing.assert_allclose(encode_image(model, pixels), model.encode_image(pixels), atol=1e-6)


def test_beginnings_in_common_are_exact_at_every_length(files):
    ours = load_model(str(files["state dict"]), device="cpu")
    for length in (1, 2, 10, 40, 75):
        prompts = [" ".join(["word"] * length), "a photo"]
        with torch.no_grad():
            full = ours.model.encode_text(clip.tokenize(prompts)).numpy()
        np.testing.assert_allclose(ours.encode_texts(prompts), full, atol=1e-5)


def test_what_prompts_begin_with_in_common_is_computed_once(files):
    prompts = ["a photo of a cat", "a photo of a dog", "a photo", "a cat", "a photo of a cat"]
    tokens = clip.tokenize(prompts)
    words, paths, ends = _beginnings(tokens.long())
    # <start>, a, (photo | cat), (of | <end> | <end>), a, (cat | dog), <end> of each
    assert [len(each) for each in words] == [1, 1, 2, 3, 1, 2, 2]
    assert ends[0] == ends[4] and len(set(ends.tolist())) == 4
    flat = torch.cat(words)
    for row, end in zip(tokens, ends, strict=True):
        length = int(row.argmax()) + 1
        path = next(path for path in paths[length - 1] if path[-1] == end)
        assert flat[path].tolist() == row[:length].tolist()
    model = load_model(str(files["state dict"]), device="cpu").model
    with torch.no_grad():
        np.testing.assert_allclose(encode_text(model, tokens), model.encode_text(tokens), atol=1e-5)


@pytest.mark.parametrize("sizes", [SMALL_VIT, SMALL_RESNET], ids=["ViT", "ResNet"])
def test_half_precision_gives_what_openai_clip_gives_in_it(sizes):
    model = random_clip(sizes)
    clip.model.convert_weights(model)  # as on a GPU
    pixels = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    tokens = clip.tokenize(PROMPTS)
    with torch.inference_mode():
        pairs = [
            (encode_image(model, pixels), model.encode_image(pixels)),
            (encode_text(model, tokens), model.encode_text(tokens)),
        ]
    for ours, theirs in pairs:
        assert ours.dtype == theirs.dtype == torch.float16
        np.testing.assert_allclose(ours.float(), theirs.float(), atol=2e-2)


def test_a_batch_equals_one_by_one(files, images):
    ours = load_model(str(files["state dict"]), device="cpu")
    single = np.concatenate([ours.encode_images([each]) for each in images])
    np.testing.assert_allclose(ours.encode_images(images), single, atol=1e-5)
    many = images * 60  # more than a batch
    np.testing.assert_allclose(ours.encode_images(many)[-3:], single, atol=1e-5)
    prompts = [f"number {i}" for i in range(300)]
    np.testing.assert_allclose(ours.encode_texts(prompts)[299], ours.encode_texts(prompts[299:])[0], atol=1e-5)


def test_a_prompt_too_long_is_named(files):
    ours = load_model(str(files["state dict"]), device="cpu")
    with pytest.raises(PromptTooLongError, match=r"'word word .*\.\.\.' has 78 tokens, .* at most 77 are allowed"):
        ours.encode_texts(["a cat", " ".join(["word"] * 76)])


def test_a_file_that_is_no_checkpoint_is_said(tmp_path):
    (tmp_path / "notes.pt").write_text("hello")
    with pytest.raises(ModelError, match=r"notes.pt' is not a CLIP checkpoint \(BadZipFile"):
        load_model(str(tmp_path / "notes.pt"))
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match=r"other.pt' is not a CLIP checkpoint \(KeyError"):
        load_model(str(tmp_path / "other.pt"))


def test_a_checkpoint_with_code_in_it_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"a": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(ModelError, match="is not a CLIP checkpoint"):
        load_model(str(tmp_path / "evil.pt"))
    assert not (tmp_path / "ran").exists()


def test_an_unknown_name_is_said_with_what_is_known():
    with pytest.raises(
        ModelError, match=r"model: 'ViT-B/33' is neither a known model nor a file; use one of 'tiny', .*'ViT-B/32'"
    ):
        load_model("ViT-B/33")


def test_the_stand_in_for_pkg_resources_leaves_no_trace():
    # openai-clip asks pkg_resources for `packaging`, and new setuptools have no pkg_resources.
    module = sys.modules.get("pkg_resources")
    assert module is None or hasattr(module, "require")
    assert clip.clip.packaging.version.parse("1.8.0") < clip.clip.packaging.version.parse(torch.__version__)


def test_threads_that_import_it_at_once_all_get_the_whole_module():
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from clip_demo.model import import_clip\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    print([len(each.available_models()) for each in pool.map(lambda _: import_clip(), range(4))])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.stdout.strip() == "[9, 9, 9, 9]", out.stderr


@pytest.mark.parametrize("device", ["cuda", "mps", "abacus"])
def test_a_device_that_is_not_there_is_said(device):
    if device == "cuda" and torch.cuda.is_available() or device == "mps" and torch.backends.mps.is_available():
        pytest.skip(f"{device} is there")
    with pytest.raises(OptionError, match=rf"device: '{device}' is not to be had on this machine; use one of 'cpu'"):
        load_model("tiny", device=device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_computes_in_half_precision_as_openai_clip_does(files, images):
    ours = load_model(str(files["archive"]), device="cuda")
    theirs, preprocess = clip.load(str(files["archive"]), device="cuda")
    with torch.no_grad():
        dataset = theirs.encode_image(torch.stack([preprocess(each) for each in images]).cuda()).float().cpu().numpy()
    assert ours.model.dtype == theirs.dtype == torch.float16
    np.testing.assert_allclose(ours.encode_images(images), dataset, atol=1e-2)


def test_the_built_in_model_is_known_first():
    assert available_models() == (BUILT_IN, *clip.available_models())


def test_the_built_in_model_is_a_plain_clip():
    tiny = load_model("tiny", device="cpu")
    assert type(tiny.model) is clip.model.CLIP and not tiny.model.training
    assert "not one of OpenAI's" in tiny.note
    assert 1 <= tiny.logit_scale <= 100.01
