import json

import pytest

from clip_demo.backend import Backend
from clip_demo.paths import EXAMPLES


@pytest.fixture(scope="module")
def shapes():
    return Backend.open("tiny", dataset="shapes100")


def test_search_prints_a_line_for_each_image(run, shapes):
    status, out, _ = run("search", "something green", "--dataset", "shapes100", "--top", "3")
    head, _, *lines = out.splitlines()
    assert (status, head) == (0, "tiny · shapes100, 10,000 test images · nearest to 'something green'")
    matches = shapes.search("something green", limit=3).matches
    assert lines == [f"{each.index:>8d}  cosine {each.cosine:.4f}  {each.truth}" for each in matches]
    assert all("green" in line for line in lines)


def test_search_takes_an_image_and_a_sentence_and_prints_json(run, shapes):
    file = str(EXAMPLES / "cat.jpg")
    status, out, _ = run("search", "red", "--image", file, "--dataset", "shapes100", "--top", "2", "--format", "json")
    assert status == 0 and json.loads(out) == json.loads(
        json.dumps(shapes.search("red", image=file, limit=2).to_dict())
    )
    status, out, _ = run("search", "--index", "12", "--dataset", "shapes100", "--top", "1")
    assert status == 0 and "9,999 test images · nearest to test image 12" in out


def test_search_names_the_files_of_a_folder(run, tmp_path):
    for name in ("train/cat/1.jpg", "test/cat/ä 1.jpg", "train/cup/1.jpg", "test/cup/2.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        photo = "cat.jpg" if "cat" in name else "cup-of-coffee.jpg"
        (tmp_path / name).write_bytes((EXAMPLES / photo).read_bytes())
    status, out, _ = run("search", "a cat", "--dataset", str(tmp_path))
    found = out.splitlines()[2:]
    assert status == 0 and found[0].endswith("  cat  test/cat/ä 1.jpg") and found[1].endswith("  cup  test/cup/2.jpg")
    status, out, _ = run("search", "a cat", "--dataset", str(tmp_path), "--format", "json")
    assert [match["file"] for match in json.loads(out)["matches"]] == ["test/cat/ä 1.jpg", "test/cup/2.jpg"]
