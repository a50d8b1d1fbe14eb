import pytest
from helpers import NO_WEIGHTS, Server, publish

from clip_demo.__main__ import main
from clip_demo.backend import Backend
from clip_demo.cli.reproduce import reproduce, table
from clip_demo.evaluation.published import IMAGES, Comparison
from clip_demo.models.catalog import PREFERRED, is_downloaded


@pytest.fixture(scope="module")
def real(cifar100):
    if not is_downloaded(PREFERRED):
        pytest.skip(NO_WEIGHTS)
    return Backend.open(PREFERRED, dataset="cifar100")


@pytest.mark.parametrize(("index", "source", "expected"), IMAGES, ids=lambda value: str(value)[:5])
def test_the_published_top_five(real, index, source, expected):
    scores = real.predict(index=index).zero_shot
    assert [score.label for score in scores] == [label for label, _ in expected]
    for score, (_, percent) in zip(scores, expected, strict=True):
        assert 100 * score.probability == pytest.approx(percent, rel=0.05, abs=0.15)


def test_a_row_that_was_not_computed_is_not_missed():
    assert not Comparison("a", "b", 65.31, 66.0, 1.0).missed
    assert Comparison("a", "b", 65.31, 67.0, 1.0).missed
    assert not Comparison("a", "b", 65.31, None, 1.0, "no head yet").missed
    text = table([Comparison("a", "b", 65.31, 67.0, 1.0), Comparison("c", "d", 78.31, None, 0.5, "no head yet")])
    assert text.splitlines()[1].endswith("  MISSED") and text.splitlines()[2].endswith("  no head yet")


def test_the_download_fails(tmp_path, monkeypatch, capsys):
    server = Server(b"")
    publish(server, monkeypatch)
    server.server_close()
    monkeypatch.setattr("clip_demo.download.time.sleep", lambda seconds: None)
    assert main(["reproduce", "--weights-root", str(tmp_path)]) == 2
    assert "model: 'ViT-B/32' " in capsys.readouterr().err


def test_random_weights_miss_the_published_numbers(cifar100, vit_b_32_archive, tmp_path, monkeypatch, capsys):
    server = Server(vit_b_32_archive.read_bytes())
    try:
        publish(server, monkeypatch)
        root = str(cifar100.root)
        status = main(["reproduce", "--quick", "--weights-root", str(tmp_path), "--data-root", root])
    finally:
        server.server_close()
    out = capsys.readouterr().out
    assert status == 1
    assert "test image 3637: snake" in out and out.count("MISSED") >= 8
    assert "no head yet: python -m clip_demo fit-probe --model ViT-B/32" in out
    backend = Backend.open(PREFERRED, dataset="cifar100", data_root=root, weights_root=tmp_path)
    got = {row.what: row.got for row in reproduce(backend, whole_test_set=False)}
    scores = {s.label: 100 * s.probability for s in backend.predict(index=3637, top_k=100).zero_shot}
    assert got["test image 3637: snake"] == scores["snake"]
