"""What the page makes of datasets with few classes, no groups, long titles and large images."""

from dataclasses import replace

import gradio as gr
import pytest
from helpers import SmallDataset

from clip_demo.backend import Backend
from clip_demo.datasets.cifar100 import Cifar100
from clip_demo.datasets.openai_templates import CIFAR100_TEMPLATES
from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.evaluation.accuracy import Accuracy
from clip_demo.linear_probe.few_shot_curve import draws_of, new_curve, with_draw
from clip_demo.linear_probe.head import Provenance
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.model_pool import ModelPool
from clip_demo.ui.explore.layout import lay_out
from clip_demo.ui.explore.none_of_these import match_line
from clip_demo.ui.explore.prediction_cards import probe_card
from clip_demo.ui.explore.view import figure
from clip_demo.ui.few_shot.text import summary, table
from clip_demo.ui.probe_job_panel import early_head
from clip_demo.ui.prompt_lab.confusions import ALL, cell_gallery, confusion_table, views
from clip_demo.ui.prompt_lab.figure import class_figure
from clip_demo.ui.prompt_lab.headline import headline
from clip_demo.ui.prompt_lab.request import Request
from clip_demo.ui.prompt_lab.tables import class_table, names_table
from clip_demo.ui.status_line import chip, status_line
from clip_demo.ui.template_field import ensemble_of
from clip_demo.zero_shot.prompt_set import PromptSet

COUNTS = {"train": {"red": 9, "green": 2, "blue": 0}, "test": {"red": 4, "green": 2, "blue": 0}}


@pytest.fixture
def small():
    return SmallDataset(COUNTS, image_sizes=[(3000, 100), (100, 80), (50, 2000)])


@pytest.fixture
def backend(toy_encoder, small, tmp_path):
    return Backend(ModelPool.of(toy_encoder), datasets={"small": small}, stores=Stores.open(tmp_path))


# --- Explore ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("titles", "kind"),
    [
        (["CIFAR-100", "Shapes-100"], gr.Radio),
        (["A", "B", "C"], gr.Radio),
        (["A", "B", "C", "D"], gr.Dropdown),
        (["CIFAR-100", "Birds of our school garden, spring"], gr.Dropdown),
    ],
)
def test_many_datasets_or_long_titles_become_a_list(toy_encoder, tmp_path, titles, kind):
    datasets = {title: SmallDataset(COUNTS, name=title, title=title) for title in titles}
    backend = Backend(ModelPool.of(toy_encoder), datasets=datasets, stores=Stores.open(tmp_path))
    with gr.Blocks():
        tops = ("chip", "status_line", "preparation", "offer")
        fields, _ = lay_out(backend, {"model": gr.Dropdown(), **{name: gr.HTML() for name in tops}})
    assert type(fields.dataset) is kind and [value for _, value in fields.dataset.choices] == titles


def test_a_large_image_is_sent_smaller_and_none_is_blurred(small):
    wide, little, tall = (figure(small, index) for index in range(3))
    assert 'style="--natural: 768px"' in wide and "data:image/webp" in wide and "3,000×100 pixels" in wide
    assert 'class="small"' in little and "data:image/png" in little
    assert 'style="--natural: 50px"' in tall and 'data-dataset="small"' in tall
    assert max(map(len, (wide, little, tall))) < 20_000


@pytest.mark.parametrize(
    ("dataset", "n"),
    [(Cifar100(), 18), (Shapes100(), 18), (SmallDataset(COUNTS), 18)],
    ids=["cifar", "shapes", "small"],
)
def test_a_dataset_without_templates_of_its_own_offers_those_of_cifar100(dataset, n):
    assert ensemble_of(dataset) == CIFAR100_TEMPLATES and len(CIFAR100_TEMPLATES) == n
    dataset.templates = ("a {}", "the {}")
    assert ensemble_of(dataset) == ("a {}", "the {}")


def test_an_early_probe_of_unbalanced_classes_says_how_many_images_it_had(small):
    head = Provenance(
        "toy", "70" * 32, "small", 4, 6, 0.316, 1000, 9, 0, False, 0.8, {}, "2026-01-31", "at most 2 images per class"
    )
    assert early_head(head, small) == "an early probe, trained on 4 of 11 images"


# --- Prompt Lab ------------------------------------------------------------------------------------------------------


def test_the_headline_has_the_mean_per_class_where_classes_are_unbalanced(small):
    prompts = PromptSet.for_dataset(small)
    request = Request(small, "toy", prompts, prompts)
    unbalanced = Accuracy(0.75, 1, (0.9, 0.3, None), 0.6, False, 6, None, 0.5, 0.25)
    shown = headline(unbalanced, request)
    assert "Mean per class</span><strong>60.00" in shown and "Its mean per class</span><strong>25.00" in shown
    assert "The comparison above is of top-1" in shown and "Top-5" not in shown
    balanced = headline(Accuracy(0.75, 0.9, (0.75,) * 6, 0.75, True, 6, None, 0.5, 0.5), request)
    assert "per class" not in balanced and "Top-5</span><strong>90.00" in balanced


def test_a_class_without_images_has_no_number(backend, small):
    report = backend.evaluate(baseline=PromptSet.for_dataset(small))
    html = class_table(report.classes, "zero_shot", False, None)
    last = html[html.rindex("<tr>") :]
    assert "<bdi>blue</bdi>" in last and last.count("<td>–</td>") == 3 and "–: no test image." in html
    assert "–" in names_table(report.classes[2], report.accuracy.top1, backend.compare_names("blue", ["navy"]))
    backend.fit_probe(folder=backend._stores.heads.folders[-1])
    assert [len(trace.x) for trace in class_figure(backend.evaluate().classes).data[1:]] in ([0, 2], [1, 1], [2, 0])


def test_without_groups_the_matrix_is_of_all_classes(backend, small):
    report = backend.evaluate(PromptSet(("red_fox", "green", "blue")))
    assert views(report) == [ALL]
    html = confusion_table(report, "zero-shot", ALL, None)
    assert "<bdi>red_fox</bdi>" in html and "data-group" not in html
    assert "Images" in cell_gallery(backend.thumbnails, report, small, "zero-shot", ALL, (0, 0), 1)


# --- Few-shot --------------------------------------------------------------------------------------------------------


def test_a_curve_of_unbalanced_classes_says_that_some_have_fewer_images(toy_encoder, small):
    curve = new_curve(toy_encoder, small, 0.9, ["a {}"])
    for draw in draws_of(small):
        curve = with_draw(small, curve, draw, 0.5)
    assert "<th>Images of each class, at most</th>" in table(curve) and "all of its images are used" in table(curve)
    assert "With all 11 images, the probe is <b>still below</b> it." in summary(curve, "Small")


# --- names are text --------------------------------------------------------------------------------------------------


def test_a_title_is_text(backend, small):
    small.title, prompts = "<b>Birds</b>", PromptSet.for_dataset(small)
    backend.fit_probe(folder=backend._stores.heads.folders[-1])
    report = backend.evaluate()
    asked = {"index": 0, "prompts": PromptSet(("red", "green")), "none_of_these": True}
    prediction = backend.predict(**asked)
    shown = [
        figure(small, 0),
        headline(report.accuracy, Request(small, "toy", prompts, prompts)),
        probe_card(prediction, small, may_start=True),
        probe_card(replace(prediction, linear_probe=None), small, may_start=True),
        match_line(backend.predict(**{**asked, "prompts": PromptSet(("red", "blue"))})),
        summary(new_curve(backend.encoder(), small, 0.9, ["a {}"]), small.title),
        chip(backend.status(), small),
        status_line(backend.status(), small),
    ]
    for html in shown:
        assert "&lt;b&gt;Birds" in html and "<b>Birds" not in html
