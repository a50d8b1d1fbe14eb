"""The templates that are quoted from openai/CLIP."""

import pytest

from clip_demo.datasets.openai_templates import CIFAR100_TEMPLATES
from clip_demo.zero_shot.prompts import check_templates
from clip_demo.zero_shot.templates import (
    IMAGENET_7_TEMPLATES,
    IMAGENET_TEMPLATES,
    README_TEMPLATE,
)


def test_the_template_of_the_readme_has_no_final_period():
    assert README_TEMPLATE == "a photo of a {}"


def test_the_ensemble_for_cifar100_has_18_templates_that_end_with_a_period():
    assert len(set(CIFAR100_TEMPLATES)) == 18 and all(template.endswith(".") for template in CIFAR100_TEMPLATES)


def test_the_ensemble_for_imagenet_has_80_templates_and_7_of_them_are_used_alone():
    assert len(set(IMAGENET_TEMPLATES)) == 80 and all(template.endswith(".") for template in IMAGENET_TEMPLATES)
    assert len(set(IMAGENET_7_TEMPLATES)) == 7 and set(IMAGENET_7_TEMPLATES) < set(IMAGENET_TEMPLATES)


@pytest.mark.parametrize("template", [README_TEMPLATE, *CIFAR100_TEMPLATES, *IMAGENET_TEMPLATES])
def test_every_template_is_valid(template):
    assert check_templates([template]) == (template,)
