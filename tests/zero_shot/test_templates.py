"""The templates against their sources."""

from clip_demo.zero_shot.prompts import check_templates
from clip_demo.zero_shot.templates import CIFAR100_TEMPLATES, README_TEMPLATE


def test_the_template_of_openai_clips_readme_has_no_period():
    assert README_TEMPLATE == "a photo of a {}"


def test_the_ensemble_has_18_templates_that_end_in_a_period():
    assert len(set(CIFAR100_TEMPLATES)) == len(CIFAR100_TEMPLATES) == 18
    assert all(template.endswith(".") for template in CIFAR100_TEMPLATES)


def test_all_of_them_are_allowed():
    assert check_templates((README_TEMPLATE, *CIFAR100_TEMPLATES)) == (README_TEMPLATE, *CIFAR100_TEMPLATES)
