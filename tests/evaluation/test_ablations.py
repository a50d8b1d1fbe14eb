"""Ablations, each row against an evaluation of its own."""

import pytest

from clip_demo.errors import ClassnamesError, OptionError
from clip_demo.zero_shot.prompt_set import PromptSet

TEMPLATES = ("a {}", "red {}", "{} blue blue blue")


def test_every_template_alone_and_the_ensemble_without_it(backend, own_names):
    def top1(templates):
        return backend.evaluate(own_names.varied(templates=templates)).accuracy.top1

    calls = []
    rows = backend.ablate_templates(own_names.varied(templates=TEMPLATES), progress=lambda *call: calls.append(call))
    for i, row in enumerate(rows):
        without = top1(TEMPLATES[:i] + TEMPLATES[i + 1 :])
        assert (row.template, row.top1) == (TEMPLATES[i], top1(TEMPLATES[i : i + 1]))
        assert (row.ensemble_without, row.gain) == (without, pytest.approx(top1(TEMPLATES) - without))
    assert {row.top1 for row in rows} != {1.0}
    assert calls[-3:] == [("templates", i, 3) for i in (1, 2, 3)] and ("prompts", 15, 15) in calls


def test_the_difference_is_that_of_the_ensemble_to_the_ensemble_without(backend, own_names):
    whole = own_names.varied(templates=TEMPLATES)
    for i, row in enumerate(backend.ablate_templates(whole)):
        without = whole.varied(templates=TEMPLATES[:i] + TEMPLATES[i + 1 :])
        assert row.difference == backend.evaluate(whole, baseline=without).accuracy.difference


def test_a_single_template_has_no_ensemble_without_it(backend, own_names):
    (row,) = backend.ablate_templates(own_names.varied(templates=["{}"]))
    assert (row.top1, row.ensemble_without, row.difference, row.gain) == (1.0, None, None, None)


def test_other_names_for_a_class(backend, own_names):
    calls = []
    rows = backend.compare_names("Red", ["green blue", "crimson red"], progress=lambda *call: calls.append(call))
    for row in rows:
        renamed = own_names.varied(classnames=[row.name, *own_names.classnames[1:]])
        whole = backend.evaluate(renamed, baseline=own_names).accuracy
        assert (row.accuracy, row.top1, row.difference) == (whole.per_class[0], whole.top1, whole.difference)
    assert [(row.name, row.accuracy, row.top1) for row in rows] == [("green blue", 0.0, 0.8), ("crimson red", 1.0, 1.0)]
    assert calls[-1] == ("names", 2, 2)


@pytest.mark.parametrize(
    ("classname", "names", "error"),
    [
        ("zebra", ["a"], ClassnamesError),
        (None, ["a"], ClassnamesError),
        ("red", [], OptionError),
        ("red", ["Blue"], ClassnamesError),
        ("red", [" "], ClassnamesError),
    ],
)
def test_wrong_names_are_refused_before_anything_is_encoded(backend, toy_encoder, classname, names, error):
    with pytest.raises(error):
        backend.compare_names(classname, names)
    assert toy_encoder.encoded_images == 0


def test_a_prompt_set_that_does_not_cover_the_dataset_is_refused(backend):
    short = PromptSet(("red", "blue"))
    with pytest.raises(ClassnamesError):
        backend.ablate_templates(short)
    with pytest.raises(ClassnamesError):
        backend.compare_names("red", ["a"], short)
