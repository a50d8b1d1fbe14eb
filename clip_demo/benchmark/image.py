"""Time from an image file to both predictions."""

import io
import itertools
import tempfile

import numpy as np
import torch
from PIL import Image

from ..backend import Backend
from ..datasets.cifar100_classes import CIFAR100_CLASSNAMES
from ..datasets.shapes100 import Shapes100
from ..linear_probe.fit import RECIPE
from ..linear_probe.head import Head, Provenance
from ..linear_probe.pipeline import Stores
from ..models.image_input import read_image
from ..models.openai_clip import import_clip
from ..progress import Progress
from ..serving.model_pool import ModelPool
from ..zero_shot.prompt_set import PromptSet
from ..zero_shot.templates import README_TEMPLATE
from .models import network, openai_texts, ours
from .report import Comparison, Fact, interleaved
from .sections import Settings

NAMES = CIFAR100_CLASSNAMES
PHOTOS = {"640x480": (640, 480), "12 megapixels": (4000, 3000)}
_rng = np.random.default_rng(0)


def measure(settings: Settings, progress: Progress) -> list[Comparison | Fact]:
    """Ask for both predictions of a photo: a new one, the same one again, and with a new template."""
    rounds = settings.rounds
    with tempfile.TemporaryDirectory() as folder:
        backend = _backend(folder)

        def ask(photo: bytes, template: str = README_TEMPLATE) -> None:
            prediction = backend.predict(image=photo, prompts=PromptSet(NAMES, (template,)))
            assert prediction.linear_probe is not None  # otherwise half of the work would be missing

        photo, encoder = _photo(), ours()
        ask(photo), _readme_example(photo)  # fills the prompt cache and starts the threads
        many = 5 * rounds  # for what takes only a fraction of a second
        photos, inputs = iter([_photo() for _ in range(many)]), [encoder.preprocess(Image.open(io.BytesIO(photo)))]
        new, passes = interleaved(many, lambda: ask(next(photos)), lambda: encoder.encode_images(inputs))
        again = interleaved(many, lambda: ask(photo))[0]
        example = interleaved(rounds, lambda: _readme_example(photo))[0]
        templates = (f"image {n} of a {{}}" for n in itertools.count())
        new_template = interleaved(rounds, lambda: ask(photo, next(templates)))[0]
        progress("images", 1, 1)
    name = "openai/CLIP's README example"
    return [
        Comparison(
            "photo of 640x480 to both predictions", "s", "one pass of our image encoder", new, passes,
            "at least 0.91x (1.1 passes)",
        ),
        Comparison("the same photo again", "s", name, again[:rounds], example, "at most 0.005 s"),
        Comparison("a new photo, prompts in the cache", "s", name, new[:rounds], example),
        Comparison("a new template for 100 classes", "s", name, new_template, example, "at most 0.6 s"),
        *(_reading(f"reading and resizing a photo of {what}", size, rounds) for what, size in PHOTOS.items()),
    ]  # fmt: skip


def _backend(folder: str) -> Backend:
    """Return a backend with a full-size random ViT-B/32 and a random head, which costs as much as a fitted one."""
    encoder = ours()
    provenance = Provenance(
        model=encoder.name, model_sha256=encoder.sha256, dataset=Shapes100.name, n_train=0, n_test=0, n_iter=0,
        normalized=False, test_accuracy=0.0, versions={}, date="", **RECIPE,
    )  # fmt: skip
    coef = _rng.normal(size=(100, 512)).astype(np.float32)
    stores = Stores.open(folder)
    stores.heads.put(Head(coef, np.zeros(100, np.float32), Shapes100.classnames, provenance))
    return Backend(ModelPool.of(encoder), datasets={Shapes100.name: Shapes100()}, stores=stores)


def _photo(size: tuple[int, int] = (640, 480)) -> bytes:
    """Return a new random JPEG."""
    coarse = _rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _reading(what: str, size: tuple[int, int], rounds: int) -> Fact:
    """Time what comes before the encoder: the file becomes the encoder's input."""
    photo, encoder = _photo(size), ours()
    return Fact(what, float(np.median(interleaved(rounds, lambda: encoder.preprocess(read_image(photo)))[0])), "s")


@torch.inference_mode()
def _readme_example(photo: bytes) -> None:
    """Run the example of openai/CLIP's README, section "Zero-Shot Prediction", on one image."""
    preprocess = import_clip().clip._transform(224)
    image = network().encode_image(preprocess(Image.open(io.BytesIO(photo)))[None])
    text = openai_texts([README_TEMPLATE.format(name) for name in NAMES])
    image, text = (each / each.norm(dim=-1, keepdim=True) for each in (image, text))
    (100.0 * image @ text.T).softmax(dim=-1)[0].topk(5)
