"""Many photos at once in a real Chromium: the table, a damaged photo, and the file that is saved."""

import codecs
import csv
import io
from pathlib import Path

import pytest
from gradio.utils import get_upload_folder
from playwright.sync_api import expect

from clip_demo.datasets.example_photos import example_photos
from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.zero_shot.prompt_set import PromptSet

NAMES = ("cat", "cup", "flower", "rocket")


@pytest.fixture
def section(open_page):
    """Return a function that opens the section on a page and chooses photos."""

    def choose(photos, classes=NAMES, **options):
        page = open_page(f"?dataset=cifar100&classes={','.join(classes)}", **options)
        page.get_by_role("button", name="Many photos at once").click()
        page.locator("#many-photos input[type=file]").set_input_files(photos)
        return page

    return choose


def small(n):
    """Return `n` small photos."""
    files, shapes = [], Shapes100()
    for i in range(n):
        content = io.BytesIO()
        shapes.image(i).save(content, "PNG")
        files.append({"name": f"{i}.png", "mimeType": "image/png", "buffer": content.getvalue()})
    return files


def uploads():
    return {path for path in Path(get_upload_folder()).rglob("*") if path.is_file()}


def test_a_table_of_predictions_that_can_be_saved(section, backend, tmp_path):
    (tmp_path / "damaged.jpg").write_bytes(b"no image")
    (tmp_path / "=1+1.png").write_bytes(small(1)[0]["buffer"])
    photos = [*(each.path for each in example_photos().values()), tmp_path / "damaged.jpg", tmp_path / "=1+1.png"]
    before = uploads()
    page = section([str(photo) for photo in photos])
    rows = page.locator("table.many-photos tbody tr")
    expect(rows).to_have_count(len(photos), timeout=30_000)
    expect(page.locator("#many-photos .says")).to_have_text(f"{len(photos)} photos; 1 could not be read.")
    expect(page.locator("table.many-photos caption")).to_have_text(
        "By tiny, among 4 classes, with the prompt “a photo of a {}”. The probe was trained on CIFAR-100."
    )
    expected = {
        photo.name: backend.predict(image=photo, dataset="cifar100", prompts=PromptSet(NAMES))
        for photo in photos
        if photo.name != "damaged.jpg"
    }
    for row, photo in zip(rows.all(), photos, strict=True):
        expect(row.locator("th")).to_have_text(photo.name)
        if photo.name in expected:
            expect(row.locator(".zero-shot b")).to_have_text(expected[photo.name].zero_shot[0].label)
            expect(row.locator(".probe b")).to_have_text(expected[photo.name].linear_probe.top[0].label)
        else:
            expect(row.locator(".error")).to_contain_text("This file is not an image that can be read.")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    content = Path(download.value.path()).read_bytes()
    assert content.startswith(codecs.BOM_UTF8)  # or Excel takes "ü" for two characters
    saved = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [row["file"].removeprefix("'") for row in saved] == [photo.name for photo in photos]
    for row in saved:
        if row["file"] == "damaged.jpg":
            assert row["error"] and not row["label_1"]
            continue
        prediction = expected[row["file"].removeprefix("'")]
        best, probe = prediction.zero_shot[0], prediction.linear_probe.top[0]
        assert (row["label_1"], row["probe_label"], row["error"]) == (best.label, probe.label, "")
        assert float(row["probability_1"]) == pytest.approx(best.probability, abs=1e-5)
        assert float(row["cosine_1"]) == pytest.approx(best.cosine, abs=1e-5)
        assert float(row["probe_probability"]) == pytest.approx(probe.probability, abs=1e-5)
    assert uploads() == before  # nothing is left of the photos on the server


@pytest.mark.long
def test_a_hundred_photos_are_predicted_and_the_rest_is_left_out(section):
    page = section(small(103))
    expect(page.locator("#many-photos .says")).to_have_text(
        "100 photos; 3 more were left out: a table has at most 100.", timeout=60_000
    )
    expect(page.locator("table.many-photos tbody tr")).to_have_count(100)
    assert page.locator("table.many-photos th[scope=row]").all_inner_texts() == [f"{i}.png" for i in range(100)]


@pytest.mark.long
def test_it_can_be_stopped_goes_on_and_follows_the_words(section):
    page = section(small(20))
    rows, desk = page.locator("table.many-photos tbody tr"), page.locator("#many-photos-desk")
    expect(rows.nth(4)).to_be_visible(timeout=20_000)
    desk.get_by_role("button", name="Stop").click()
    page.wait_for_function("!clipMany.asked")
    stopped = rows.count()
    assert 5 <= stopped < 20
    page.locator("#classes textarea").fill("red circle, blue square, green star")
    page.wait_for_function("location.search.includes('star')")
    assert rows.count() == stopped
    desk.get_by_role("button", name="Go on").click()
    # By the new words from the first photo on.
    expect(rows).to_have_count(20, timeout=30_000)
    expect(page.locator("table.many-photos caption")).to_contain_text("among 3 classes")
    assert page.locator("table.many-photos th[scope=row]").all_inner_texts() == [f"{i}.png" for i in range(20)]
    assert not {"cat", "cup", "rocket"} & set(page.locator("table.many-photos .zero-shot b").all_inner_texts())
