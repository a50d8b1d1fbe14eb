"""The zero-shot prediction that the page shows, as a short program with openai-clip."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from ...datasets.base import Dataset
from ...datasets.catalog import CIFAR100, SHAPES100
from ...models.catalog import BUILT_IN, OPENAI_MODELS
from ...zero_shot.prompt_set import PromptSet

if TYPE_CHECKING:  # its module imports torch
    from ...models.checkpoint import Checkpoint

_WIDTH = 98  # columns; only a longer name or template makes a longer line
# `clip_demo.models.openai_clip` says why openai-clip does not import without help.
_PROGRAM = Template("""\
# Needs openai-clip, packaging, torch and torchvision.
import sys, types, packaging.version
# openai-clip 1.0.1 imports pkg_resources, which recent versions of setuptools no longer have.
sys.modules["pkg_resources"] = types.SimpleNamespace(packaging=packaging)
import clip, torch
from torch.nn.functional import normalize
$imports

$model
$image
$classes
$prompts

with torch.no_grad():
    # Encode the image and the prompts, and scale all features to length 1.
    image_features = normalize(model.encode_image(preprocess(image).unsqueeze(0)), dim=-1)
$text_features
    # The dot product of features of length 1 is their cosine: one for each class.
    cosines = (image_features @ text_features.T).squeeze(0)
    # The softmax of the cosines times the logit scale gives the probabilities.
    logit_scale = $logit_scale
    probabilities = (logit_scale * cosines).softmax(dim=-1)

for i in cosines$listed.argsort(descending=True, stable=True)[:5]:
    print(f"{classes[i]:>16s}: {100 * probabilities[i]:.2f}%")
$none""")
_NONE_OF_THESE = """\
# The shares of all other nouns together.
print(f"{'None of these':>16s}: {100 * probabilities[len(classes):].sum():.2f}%")
"""
_TEXT_FEATURES = """\
    text_features = normalize(model.encode_text(clip.tokenize(prompts)), dim=-1)"""
_ENSEMBLE = """\
    text_features = [normalize(model.encode_text(clip.tokenize(each)), dim=-1) for each in prompts]
    # An ensemble: a class is the mean of its prompts' features, scaled to length 1 again.
    text_features = normalize(torch.stack(text_features).mean(dim=1), dim=-1)"""
_BUILT_IN_MODEL = """\
# CLIP Explorer's built-in model; run this in the project's folder.
model = clip.model.build_model(torch.load("assets/tiny.pt", weights_only=True)).float()
preprocess = clip.clip._transform(model.visual.input_resolution)"""
_CHECKPOINT = Template("""\
# A state dict in openai-clip's layout; an archive of OpenAI's opens with clip.load.
weights = torch.load($file, weights_only=True)
model = clip.model.build_model(weights).float()
model.load_state_dict(weights)  # again, because build_model rounds to half precision
preprocess = clip.clip._transform(model.visual.input_resolution)""")
# What openai-clip cannot open, or would open as another network.
_LOADED = Template("""\
# CLIP Explorer opens this checkpoint; run this in the project's folder.
from clip_demo.models.load import load_model
loaded = load_model($file, activation=$activation, heads=$heads, device="cpu")
model, preprocess = loaded.network, loaded.transform""")


# Of the datasets that a program can open: how it names their classes.
_OWN_CLASSES = {CIFAR100: "classes = dataset.classes", SHAPES100: "classes = dataset.classnames"}


def code(
    *,
    model: str,
    dataset: Dataset,
    prompts: PromptSet,
    index: int | None = None,
    image_name: str | None = None,
    logit_scale: float | None = None,
    checkpoint: Checkpoint | None = None,
    others: Sequence[str] = (),
) -> str:
    """Return a Python program that prints the five most probable classes of a zero-shot prediction.

    It computes on the CPU in single precision. On a GPU the page computes in half precision, with other last digits.

    Parameters
    ----------
    model : str
        ``"tiny"``, a name of ``clip.available_models()``, or the path of a checkpoint, of which the program names the
        file and not the folder.
    dataset : Dataset
        Gives `index` its meaning.
    prompts : PromptSet
    index : int, optional
        An image of the dataset's test split; default a photo.
    image_name : str, optional
        File name of an example photo; default a photo of the reader's own.
    logit_scale : float, optional
        Factor of the cosines in the softmax; default the model's own.
    checkpoint : Checkpoint, optional
        The open checkpoint, where `model` is the path of one; default one that openai-clip opens to the same model.
    others : sequence of str
        The nouns of "None of these".
    """
    imports, image = _photo(image_name) if index is None else _test_image(dataset, int(index))
    classes = _list("classes", prompts.classnames)
    if index is not None and dataset.name in _OWN_CLASSES and prompts.classnames == tuple(dataset.classnames):
        classes = _OWN_CLASSES[dataset.name]
    own = "model.logit_scale.exp()"
    # `substitute` does not look into what it fills in, so names and templates may contain "$".
    return _PROGRAM.substitute(
        imports=imports,
        model=_model(model, checkpoint),
        image=image,
        classes=classes,
        prompts=_prompts(prompts, others),
        listed="[: len(classes)]" if others else "",
        none=_NONE_OF_THESE if others else "",
        text_features=_TEXT_FEATURES if len(prompts.templates) == 1 else _ENSEMBLE,
        logit_scale=own if logit_scale is None else f"{logit_scale!r}  # the model's own is {own}",
    )


def _model(name: str, checkpoint: Checkpoint | None) -> str:
    if name == BUILT_IN:
        return _BUILT_IN_MODEL
    if name in OPENAI_MODELS:
        return f'model, preprocess = clip.load("{name}", device="cpu")'
    file = _literal(Path(name).name)
    if checkpoint is None or checkpoint.as_is:
        return _CHECKPOINT.substitute(file=file)
    marks = checkpoint.marks
    return _LOADED.substitute(file=file, activation=_literal(marks.activation), heads=marks.heads)


def _photo(example: str | None) -> tuple[str, str]:
    """Return the import for a photo, and the lines that open it."""
    if example:
        return _opened(f"assets/examples/{Path(example).name}")
    return _opened("your_photo.jpg", "# If your photo is transparent, put it on white first, as the page does.\n")


def _opened(path: str, note: str = "") -> tuple[str, str]:
    opened = f'image = ImageOps.exif_transpose(Image.open({_literal(path)})).convert("RGB")'
    return "from PIL import Image, ImageOps", note + opened


def _test_image(dataset: Dataset, index: int) -> tuple[str, str]:
    """Return the import for a dataset, and the lines that open it and one of its test images."""
    if dataset.name == CIFAR100:
        opened = f'dataset = CIFAR100("~/.cache", train=False, download=True)\nimage, label = dataset[{index}]'
        return "from torchvision.datasets import CIFAR100", opened
    if dataset.name != SHAPES100:
        note = f"# Put the file of test image {index} of {' '.join(dataset.title.split())} here.\n"
        return _opened(f"test_image_{index}.jpg", note)
    opened = f'dataset = open_datasets()["{dataset.name}"]\nimage = dataset.image({index})'
    note = f"# {dataset.title} is made by this project's code; run this in its folder."
    return f"{note}\nfrom clip_demo.datasets.catalog import open_datasets", opened


def _prompts(prompts: PromptSet, others: Sequence[str]) -> str:
    names, lines = "classes", []
    if prompts.replace_underscores:
        names, lines = "names", ['names = [name.replace("_", " ") for name in classes]']
    if others:
        lines.append(f"# Other nouns, which are not near the classes.\n{_list('others', others)}")
        names = f"[*{names}, *others]"
    if len(prompts.templates) == 1:
        # A template has no other braces than its placeholder, see `check_templates`: it is safe in an f-string.
        template = _literal(prompts.templates[0]).replace("{}", "{name}")
        return "\n".join([*lines, f"prompts = [f{template} for name in {names}]"])
    made = f'prompts = [[template.replace("{{}}", name) for template in templates] for name in {names}]'
    return "\n".join([*lines, _list("templates", prompts.templates), made])


def _list(name: str, texts: Sequence[str]) -> str:
    """Return the assignment of a list of texts, on several lines where one would be too long."""
    items = [_literal(text) for text in texts]
    line = f"{name} = [{', '.join(items)}]"
    if len(line) <= _WIDTH:
        return line
    # `fill` breaks lines at spaces. The null character, which no literal contains, stands for those inside an item.
    words = " ".join(f"{item},".replace(" ", "\0") for item in items)
    indent = {"initial_indent": "    ", "subsequent_indent": "    "}
    filled = textwrap.fill(words, _WIDTH, break_long_words=False, break_on_hyphens=False, **indent)
    return f"{name} = [\n{filled}\n]".replace("\0", " ")


def _literal(text: str) -> str:
    """Return a text as a Python literal; in double quotes, as in the rest of the program, unless it contains some."""
    return repr(text) if '"' in text else '"' + repr("'" + text)[2:]
