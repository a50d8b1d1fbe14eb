"""The training loop and its command line."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.tiny_clip import train
from clip_demo.tiny_clip.batches import Position, Task
from clip_demo.tiny_clip.captions import SEEN_LABELS, Kind
from clip_demo.tiny_clip.data import TrainingSet
from clip_demo.tiny_clip.network import Architecture, WordEmbedding, to_state_dict
from clip_demo.tiny_clip.settings import SMALL_WORK, Settings
from clip_demo.tiny_clip.taxonomy import Taxonomy
from clip_demo.tiny_clip.trainer import Trainer

SMALL = Architecture(embed_dim=32, image_resolution=32, vision_layers=(1, 1, 1, 1), vision_width=8, text_layers=1)
SHARES = {"cifar10": 0.5, "shapes100": 0.5}
SETTINGS = Settings(epochs=3, batch=24, part=12, workers=1, small=0, shares=SHARES)  # six steps on 24 photos


@pytest.fixture(scope="module")
def sets():
    """Images of two plain colours in place of photos, and real shapes."""
    taxonomy = Taxonomy()
    kinds = [
        Kind("cifar10", name, (taxonomy.nouns["cifar10"][name][noun], taxonomy.classes["cifar10"][name]))
        for name, noun in (("cat", "tabby_cat"), ("ship", "speedboat"))
    ]
    photos = np.zeros((24, 32, 32, 3), np.uint8)
    photos[:12], photos[12:] = (200, 90, 40), (30, 80, 200)
    pixels, labels = Shapes100().pixels(range(80), "train"), Shapes100().labels("train")[:80]
    keep = np.flatnonzero(np.isin(labels, SEEN_LABELS))[:48]
    names = [Shapes100.classnames[label] for label in labels[keep]]
    shapes = [Kind("shapes100", name, None) for name in dict.fromkeys(names)]
    numbers = np.array([[kind.classname for kind in shapes].index(name) for name in names])
    return {
        "cifar10": TrainingSet(photos, np.repeat([0, 1], 12), kinds, shift=2),
        "shapes100": TrainingSet(pixels[keep], numbers, shapes, shift=2),
    }


@pytest.fixture(scope="module")
def words():
    rng = np.random.default_rng(0)
    return WordEmbedding(np.arange(320, 1320), rng.standard_normal((1000, 64)).astype(np.float32) / 30)


@pytest.fixture
def make_trainer(sets, words):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the command line does; the result depends on it
    trainers = []

    def make(arch=SMALL, **options):
        trainers.append(Trainer(dataclasses.replace(SETTINGS, **options), sets, Taxonomy(), words, arch))
        return trainers[-1]

    yield make
    for trainer in trainers:
        trainer.close()
    torch.set_num_threads(threads)


def weights(trainer):
    return torch.cat([value.double().flatten() for value in trainer.model.state_dict().values()])


def test_training_is_reproducible_and_lowers_the_loss(make_trainer):
    one, two, other = make_trainer(), make_trainer(), make_trainer(seed=1)
    losses = [one.train_step().item() for _ in range(6)]
    assert [two.train_step().item() for _ in range(6)] == losses
    assert torch.equal(weights(one), weights(two))
    assert other.train_step() != losses[0]
    assert one.progress == 1 and np.mean(losses[-2:]) < losses[0]


def test_word_vectors_stay_as_they_are_but_for_noise(make_trainer, words):
    trainer = make_trainer()
    before = trainer.model.token_embedding.weight.detach().clone()
    seen = []
    for _ in range(3):
        trainer.train_step()
        seen.append(trainer.model.token_embedding.weight.detach().clone())
    given = np.isin(trainer.vocabulary.tokens, words.tokens)
    assert 50 < given.sum() < len(given)
    lengths = before[given].norm(dim=1)
    for each in seen:  # a new noise at each step, shorter than 1.2 times the vector but for chance
        noise = (each - before)[given].norm(dim=1) / lengths
        assert 0 < noise.mean() <= 1.3
    assert not torch.equal(seen[0][given], seen[1][given])
    assert not torch.equal(before[~given], seen[-1][~given])
    stored = to_state_dict(trainer.model, trainer.vocabulary, words)["token_embedding.weight"]
    torch.testing.assert_close(stored[words.tokens].float(), torch.from_numpy(words.rows), atol=1e-3, rtol=0)


def test_small_images_come_first_and_count_as_less_work(make_trainer):
    trainer = make_trainer(dataclasses.replace(SMALL, image_resolution=96), small=0.1, epochs=3)
    trainer.train_step()
    assert trainer.position == Position(1, pytest.approx(SMALL_WORK), {"cifar10": 24, "shapes100": 24})
    trainer.train_step()
    assert trainer.position == Position(2, pytest.approx(SMALL_WORK + 0.5), {"cifar10": 36, "shapes100": 36})


def test_a_resumed_run_equals_an_uninterrupted_one(make_trainer, tmp_path):
    whole, first, second = make_trainer(), make_trainer(), make_trainer()
    for _ in range(4):
        whole.train_step()
    for _ in range(2):
        first.train_step()
    first.save(tmp_path / "run.pt")
    second.resume(tmp_path / "run.pt")
    for _ in range(2):
        second.train_step()
    assert torch.equal(weights(whole), weights(second))
    assert [each.name for each in tmp_path.iterdir()] == ["run.pt"]


def test_a_run_starts_from_a_checkpoint(make_trainer, tmp_path, words):
    first, second = make_trainer(), make_trainer(seed=1, workers=2)
    first.train_step()
    state = to_state_dict(first.model, first.vocabulary, words)
    torch.save(state, tmp_path / "start.pt")
    second.start_from(tmp_path / "start.pt")
    again = to_state_dict(second.model, second.vocabulary, words)
    assert all(torch.equal(state[name], again[name]) for name in state)
    assert second.position.step == 0 and np.isfinite(second.train_step().item())


def test_two_workers_agree_with_one_up_to_rounding(make_trainer):
    assert make_trainer().train_step().item() == pytest.approx(make_trainer(workers=2).train_step().item(), rel=1e-4)


def test_batches_are_the_same_from_other_processes(make_trainer):
    one, two = make_trainer(), make_trainer(loaders=2)
    assert [one.train_step().item() for _ in range(3)] == [two.train_step().item() for _ in range(3)]


def test_the_loss_is_cross_entropy_among_the_allowed_answers():
    logits = torch.randn(4, 7, generator=torch.Generator().manual_seed(0))
    targets, allowed = torch.tensor([0, 2, -1, 1]), torch.ones(4, 4, dtype=torch.bool)
    allowed[1, 3] = False
    task = Task(slice(2, 6), targets, allowed, 0.5, 0.1)
    rows = [logits[0, 2:6], logits[1, 2:5], logits[3, 2:6]]
    known = (0, 2, 1)
    expected = sum(
        F.cross_entropy(row[None], torch.tensor([target]), label_smoothing=0.1)
        for row, target in zip(rows, known, strict=True)
    )
    assert task.loss(logits, slice(0, 4)).item() == pytest.approx(0.5 * expected.item(), rel=1e-6)
    assert task.loss(logits[2:3], slice(2, 3)) == 0


@pytest.mark.long
def test_the_command_line_writes_a_checkpoint_and_resumes(sets, words, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, "load_sets", lambda *_: sets)
    monkeypatch.setattr(train, "token_embedding", lambda *_: (words.tokens, words.rows))
    chosen = train.settings_of
    monkeypatch.setattr(
        train, "settings_of", lambda args: dataclasses.replace(chosen(args), part=12, small=0, shares=SHARES)
    )
    monkeypatch.setattr("clip_demo.tiny_clip.evaluate.report", lambda path, *_: print("report of", path.name))
    arguments = [
        "--output",
        str(tmp_path / "out.pt"),
        "--sets",
        str(tmp_path),
        "--epochs",
        "3",
        "--workers",
        "1",
        "--loaders",
        "0",
    ]
    threads = torch.get_num_threads()
    try:
        assert train.main([*arguments, "--cache", str(tmp_path / "cache")]) == 0
        state = torch.load(tmp_path / "out.pt", weights_only=True)
        assert state["token_embedding.weight"].shape == (49408, Architecture().text_width)
        assert "report of out.pt" in capsys.readouterr().out
        assert {f"snapshot-{k}.pt" for k in range(len(train.SNAPSHOTS))} < {
            p.name for p in (tmp_path / "cache").iterdir()
        }
        assert train.main([*arguments, "--cache", str(tmp_path / "cache"), "--resume"]) == 0
    finally:
        torch.set_num_threads(threads)


def test_a_run_from_a_checkpoint_has_smaller_steps_and_no_small_images():
    arguments = ["--sets", "s", "--output", "o", "--device", "cpu"]
    first, second = (
        train.settings_of(train.make_parser().parse_args([*arguments, *more])) for more in ([], ["--start", "c"])
    )
    assert (second.lr, second.muon_lr) == (first.lr / 10, first.muon_lr / 10)
    assert (second.small, second.decay) == (0, 1) and first.small > 0
    assert (
        dataclasses.replace(second, lr=first.lr, muon_lr=first.muon_lr, small=first.small, decay=first.decay) == first
    )


@pytest.mark.parametrize("option", ["--output", "--cache"])
def test_the_folders_of_the_results_are_tried_first(option, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, "load_sets", lambda *_: pytest.fail("it loaded the images"))
    folders = {"--output": str(tmp_path / "tiny.pt"), "--cache": str(tmp_path), option: "/dev/null/x/y"}
    with pytest.raises(SystemExit) as caught:
        train.main(["--sets", str(tmp_path), *(word for pair in folders.items() for word in pair)])
    assert caught.value.code == 2 and f"{option}: nothing can be written in '/dev/null/x" in capsys.readouterr().err
