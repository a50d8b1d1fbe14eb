"""The exceptions that a user can cause."""

import copy
import errno
import pickle
import re

import pytest
from PIL import Image

import clip_demo
from clip_demo import errors
from clip_demo.datasets.catalog import open_datasets, resolve_dataset
from clip_demo.datasets.cifar100 import Cifar100
from clip_demo.download import DownloadError
from clip_demo.models.checkpoint import open_checkpoint
from clip_demo.models.sources import fetch_weights
from clip_demo.zero_shot.prompt_set import PromptSet


def test_all_are_value_errors_and_public():
    for name, error in vars(errors).items():
        if isinstance(error, type):
            assert issubclass(error, errors.ClipDemoError) and getattr(clip_demo, name) is error
    assert issubclass(errors.ClipDemoError, ValueError)


def test_a_head_error_is_an_artifact_error_and_what_a_user_typed_an_input_error():
    assert issubclass(errors.HeadError, errors.ArtifactError)
    assert not issubclass(errors.ArtifactError, errors.InputError)
    for name in ("Classnames", "Template", "PromptTooLong", "IndexRange", "Image", "Option"):
        assert issubclass(getattr(errors, f"{name}Error"), errors.InputError)


# --- what the page says ----------------------------------------------------------------------------------------------


def test_an_error_has_a_message_and_a_sentence_for_the_page():
    error = errors.ModelError("model: '/srv/a.pt' is damaged.", page="The model is damaged.")
    assert (str(error), error.page_message) == ("model: '/srv/a.pt' is damaged.", "The model is damaged.")


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("model: it is gone.", "It is gone."),
        ("baseline, classnames: too few.", "Too few."),
        ("--from: no file: look again.", "No file: look again."),
        ("Stopped.", "Stopped."),
        ("", ""),
    ],
)
def test_without_a_sentence_the_page_shows_the_message_without_the_argument(message, sentence):
    assert errors.OptionError(message).page_message == sentence
    assert errors.Cancelled().page_message == ""


def test_the_page_never_shows_the_path_of_a_stored_file():
    sentence = "A stored file does not fit this model and dataset. Choose another model or dataset."
    assert errors.HeadError("head: '/srv/a.npz' is not a head.").page_message == sentence
    assert errors.HeadError("head: there is none.", page="There is none.").page_message == "There is none."


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_copy_keeps_both(duplicate):
    error = errors.HeadError("head: a.", page="A.")
    again = duplicate(error)
    assert (type(again), str(again), again.page_message) == (errors.HeadError, "head: a.", "A.")


def test_the_sentence_of_any_exception():
    full = "There is no space left on the disk. Free some space and try again."
    assert errors.page_message_of(errors.ModelError("a", page="A."), "B.") == "A."
    assert errors.page_message_of(KeyError("a"), "B.") == "B."
    assert errors.page_message_of(OSError(errno.ENOSPC, "/srv"), "B.") == full
    try:
        raise DownloadError("/srv") from OSError(errno.ENOSPC, "/srv")
    except DownloadError as error:
        assert errors.page_message_of(error, "B.") == full
    assert errors.page_message_of(FileExistsError(errno.EEXIST, "/srv"), "B.").startswith(
        "A file is where this program"
    )
    assert errors.page_message_of(OSError(errno.EROFS, "/srv"), "B.").startswith(
        "This program is not allowed to use a folder"
    )


def test_quoted_text_is_short():
    assert errors.quoted("cat") == "“cat”" and len(errors.quoted("x" * 100)) == 42
    assert errors.quoted("cat\ud83d") == "“cat?”"  # no answer of the server can hold half of a character


# What no sentence of the page may contain: names of arguments, error numbers, Python's quotes and lists, paths.
ARGUMENT = r"(classnames?|templates|index|image|model|dataset|names|kind|head|\w+_\w+): "
TECHNICAL = re.compile(ARGUMENT + r"|\[Errno|\bgot |'|\[|\\|\b(None|True|False)\b|(^|[\s“(])~?/\w")

NAMES = ("cat", "dog")
FAILING = {
    "no class": lambda backend: PromptSet([]),
    "one class": lambda backend: PromptSet(["cat"]),
    "blank class": lambda backend: PromptSet(["cat", "_"]),
    "twice": lambda backend: PromptSet(["cat", "cat"]),
    "same tokens": lambda backend: backend.predict(index=1, prompts=PromptSet(["cat", "CAT"])),
    "half of a character": lambda backend: PromptSet(["cat", "dog\ud83d"]),
    "many classes": lambda backend: PromptSet(map(str, range(1001))),
    "long class": lambda backend: PromptSet(["cat", "x" * 501]),
    "no template": lambda backend: PromptSet(NAMES, []),
    "many templates": lambda backend: PromptSet(NAMES, ["{}"] * 101),
    "no {}": lambda backend: PromptSet(NAMES, ["a photo"]),
    "two {}": lambda backend: PromptSet(NAMES, ["{}", "{} {}"]),
    "brace": lambda backend: PromptSet(NAMES, ["{}}"]),
    "long template": lambda backend: PromptSet(NAMES, ["x" * 501]),
    "many prompts": lambda backend: PromptSet(map(str, range(1000)), ["{}"] * 21),
    "other number of classes": lambda backend: backend.evaluate(PromptSet(NAMES)),
    "no such class": lambda backend: backend.compare_names("zebra", ["horse"]),
    "no other name": lambda backend: backend.compare_names("red", []),
    "taken name": lambda backend: backend.compare_names("red", ["blue"]),
    "index": lambda backend: backend.predict(index=20),
    "negative index": lambda backend: backend.predict(index=-1),
    "half index": lambda backend: backend.predict(index=0.5),
    "top_k": lambda backend: backend.predict(index=0, top_k=0),
    "missing image": lambda backend: backend.predict(image="/srv/gone.png"),
    "no image": lambda backend: backend.predict(image=b"hello"),
    "empty image": lambda backend: backend.predict(image=b""),
    "narrow image": lambda backend: backend.predict(image=Image.new("RGB", (1000, 2))),
    "dataset": lambda backend: backend.predict(index=0, dataset="mnist"),
    "unknown model": lambda backend: backend.predict(index=0, model="/etc/passwd"),
    "logit scale": lambda backend: backend.evaluate().calibration(-1),
    "probe": lambda backend: backend.evaluate().confusion(by="probe"),
    "kind": lambda backend: backend.evaluate().images("gained"),
    "no CIFAR-100": lambda backend: Cifar100("/srv").image(0),
    "folder": lambda backend: resolve_dataset(open_datasets(), "/srv"),
    "checkpoint": lambda backend: open_checkpoint(clip_demo.paths.ASSETS / "README.md"),
    "download": lambda backend: fetch_weights("RN50", "/proc/nowhere"),
}


@pytest.mark.parametrize("fail", FAILING.values(), ids=FAILING)
def test_the_page_speaks_plainly(fail, toy_backend):
    with pytest.raises(errors.ClipDemoError) as caught:
        fail(toy_backend)
    sentence = caught.value.page_message
    assert not TECHNICAL.search(sentence)
    assert sentence != str(caught.value) and re.match(r"[A-Z“]", sentence) and sentence.endswith(".")
