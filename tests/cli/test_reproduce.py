"""The article's experiments: on the real weights where they are, and the way there on random ones."""

import pytest
from test_weights import Server, publish

from clip_demo.__main__ import main
from clip_demo.backend import Backend
from clip_demo.benchmark.random_checkpoints import VIT_B_32, random_clip, write_archive
from clip_demo.cli.reproduce import IMAGES, Row, reproduce, table
from clip_demo.models.catalog import PREFERRED
from clip_demo.paths import weights_path


@pytest.fixture(scope="module")
def real(cifar100):
    if not weights_path(PREFERRED).is_file():
        pytest.skip(f"the weights of {PREFERRED} are not at {weights_path(PREFERRED)}")
    return Backend.open(PREFERRED, dataset="cifar100")


@pytest.mark.parametrize(("index", "source", "expected"), IMAGES, ids=lambda value: str(value)[:5])
def test_the_published_top_five_come_out(real, index, source, expected):
    scores = real.predict(index=index).zero_shot
    assert [score.label for score in scores] == [label for label, _ in expected]
    for score, (_, percent) in zip(scores, expected, strict=True):
        assert 100 * score.probability == pytest.approx(percent, rel=0.05, abs=0.15)


def test_a_row_is_missed_only_where_it_was_computed():
    assert not Row("a", "b", 65.31, 66.0, 1.0).missed
    assert Row("a", "b", 65.31, 67.0, 1.0).missed
    assert not Row("a", "b", 65.31, None, 1.0, "no head yet").missed
    text = table([Row("a", "b", 65.31, 67.0, 1.0), Row("c", "d", 78.31, None, 0.5, "no head yet")])
    assert "MISSED" in text.splitlines()[1] and "no head yet" in text.splitlines()[2]


def test_without_the_weights_a_word_is_said(tmp_path, monkeypatch, capsys):
    server = Server(b"")
    publish(server, monkeypatch)
    server.shutdown()
    server.server_close()
    assert main(["reproduce", "--weights-root", str(tmp_path)]) == 2
    assert "'ViT-B/32' cannot be downloaded" in capsys.readouterr().err


def test_random_weights_miss_the_published_numbers(cifar100, tmp_path, monkeypatch, capsys):
    server = Server(write_archive(random_clip(VIT_B_32), tmp_path / "served.pt").read_bytes())
    try:
        publish(server, monkeypatch)
        root = str(cifar100.root)
        status = main(["reproduce", "--quick", "--weights-root", str(tmp_path), "--data-root", root])
    finally:
        server.shutdown()
        server.server_close()
    out = capsys.readouterr().out
    assert status == 1
    assert "test[3637] snake" in out and out.count("MISSED") >= 8
    assert "no head yet: python -m clip_demo fit-probe --model ViT-B/32" in out
    backend = Backend.open(PREFERRED, dataset="cifar100", data_root=root, weights_root=tmp_path)
    rows = reproduce(backend, whole_test_set=False)
    expected = backend.predict(index=3637, top_k=100).zero_shot
    got = {row.what: row.got for row in rows}
    assert got["test[3637] snake"] == next(100 * s.probability for s in expected if s.label == "snake")
