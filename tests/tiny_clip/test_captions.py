"""The captions of the training."""

import re

import numpy as np

from clip_demo.datasets.cifar100_classes import CIFAR100_CLASSNAMES
from clip_demo.datasets.shapes100 import COLOURS, SHAPES, UNSEEN_CLASSNAMES
from clip_demo.tiny_clip.captions import all_captions, caption_groups, hidden_names, write_captions

BOTH = ("cifar100", "shapes100")


def test_no_caption_names_an_unseen_class():
    captions = list(all_captions(BOTH))
    rng = np.random.default_rng(0)
    for group in caption_groups(BOTH).values():
        captions += write_captions(group.names * 20, rng)
    # "a black and white photo" does not name a white shape.
    captions = [caption.replace("black and white", "") for caption in captions]
    for colour, shape in (name.split() for name in UNSEEN_CLASSNAMES):
        both = [c for c in captions if re.search(rf"\b{colour}\b", c) and re.search(rf"\b{shape}\b", c)]
        assert not both
    words = set(" ".join(captions).replace(".", "").split())
    assert {*COLOURS, *SHAPES} <= words


def test_written_captions_are_reproducible_and_among_all_captions():
    names = caption_groups(BOTH)["fine"].names
    assert len(names) == 180 and names[:100] == CIFAR100_CLASSNAMES
    captions = write_captions(names * 5, np.random.default_rng(1))
    assert set(captions) <= set(all_captions(BOTH))
    assert all(name.split("_")[0].split()[0] in caption for name, caption in zip(names * 5, captions, strict=True))
    assert captions == write_captions(names * 5, np.random.default_rng(1))


def test_names_that_complete_an_unseen_class_are_hidden():
    groups = caption_groups(BOTH)
    hidden = hidden_names(groups)
    row = groups["fine"].names.index("red circle")
    completed = {"colour": [f"{colour} circle" for colour in COLOURS], "shape": [f"red {shape}" for shape in SHAPES]}
    for group, names in completed.items():
        assert list(hidden[group][row]) == [name in UNSEEN_CLASSNAMES for name in names]
        assert not hidden[group][: len(CIFAR100_CLASSNAMES)].any()
        assert set(hidden[group][len(CIFAR100_CLASSNAMES) :].sum(axis=1)) == {2}
