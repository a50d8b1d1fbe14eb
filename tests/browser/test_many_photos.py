"""Many photos at once in a real Chromium: the table, a damaged photo, and the file that is saved."""

import csv
import io
from pathlib import Path

from playwright.sync_api import expect

from clip_demo.datasets.example_photos import example_photos
from clip_demo.zero_shot.prompt_set import PromptSet


def test_a_table_of_predictions_that_can_be_saved(open_page, backend, tmp_path):
    (tmp_path / "damaged.jpg").write_bytes(b"no image")
    photos = [each.path for each in example_photos().values()] + [tmp_path / "damaged.jpg"]
    page = open_page("?dataset=cifar100&classes=cat,cup,flower,rocket")
    page.get_by_role("button", name="Many photos at once").click()
    page.locator("#many-photos input[type=file]").set_input_files([str(photo) for photo in photos])
    rows = page.locator("table.many-photos tbody tr")
    expect(rows).to_have_count(len(photos), timeout=30_000)
    prompts = PromptSet(("cat", "cup", "flower", "rocket"))
    expected = [backend.predict(image=photo, dataset="cifar100", prompts=prompts) for photo in photos[:-1]]
    for row, photo, prediction in zip(rows.all(), photos, expected, strict=False):
        expect(row.locator("th")).to_contain_text(Path(photo).name)
        expect(row.locator(".zero-shot b")).to_have_text(prediction.zero_shot[0].label)
        expect(row.locator(".probe b")).to_have_text(prediction.linear_probe.top[0].label)
    expect(rows.last).to_contain_text("damaged.jpg")
    expect(rows.last).to_contain_text("This file is not an image that can be read.")
    with page.expect_download() as download:
        page.locator("#many-photos-save").click()
    saved = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))
    assert [row["file"] for row in saved] == [Path(photo).name for photo in photos]
    assert float(saved[0]["cosine"]) == expected[0].zero_shot[0].cosine and saved[-1]["error"]
