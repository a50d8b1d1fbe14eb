"""The training loop and its command line."""

import dataclasses

import numpy as np
import pytest
import torch

from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.tiny_clip import train
from clip_demo.tiny_clip.captions import SEEN_LABELS
from clip_demo.tiny_clip.data import TrainingSet
from clip_demo.tiny_clip.network import Architecture
from clip_demo.tiny_clip.settings import Settings
from clip_demo.tiny_clip.trainer import Trainer

SMALL = Architecture(embed_dim=32, image_resolution=32, vision_width=8, text_width=64, text_layers=1)
SETTINGS = Settings(("shapes100",), epochs=3, batch=24, part=12, workers=1, small=0)  # six steps on 48 images


@pytest.fixture(scope="module")
def sets():
    pixels, labels = Shapes100().pixels(range(80), "train"), Shapes100().labels("train")[:80]
    keep = np.flatnonzero(np.isin(labels, SEEN_LABELS))[:48]
    labels = labels[keep]
    targets = {"fine": np.searchsorted(SEEN_LABELS, labels), "colour": labels // 10, "shape": labels % 10}
    return {"shapes100": TrainingSet(pixels[keep], targets, shift=2)}


@pytest.fixture
def make_trainer(sets):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the command line does; the result depends on it
    yield lambda arch=SMALL, **options: Trainer(dataclasses.replace(SETTINGS, **options), sets, arch)
    torch.set_num_threads(threads)


def weights(trainer):
    return torch.cat([value.double().flatten() for value in trainer.model.state_dict().values()])


def test_training_is_reproducible_and_lowers_the_loss(make_trainer):
    one, two, other = make_trainer(), make_trainer(), make_trainer(seed=1)
    losses = [one.train_step() for _ in range(6)]
    assert [two.train_step() for _ in range(6)] == losses
    assert torch.equal(weights(one), weights(two))
    assert other.train_step() != losses[0]
    assert one.progress == 1 and np.mean(losses[-2:]) < losses[0]


def test_small_images_come_first_and_count_as_less_work(make_trainer):
    trainer = make_trainer(dataclasses.replace(SMALL, image_resolution=64), small=0.1, epochs=1)
    trainer.train_step()
    assert (trainer.taken, trainer.work) == ({"shapes100": 48}, pytest.approx(0.55))
    trainer.train_step()
    assert (trainer.taken, trainer.work) == ({"shapes100": 72}, pytest.approx(1.05))


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


def test_two_workers_agree_with_one_up_to_rounding(make_trainer):
    assert make_trainer().train_step() == pytest.approx(make_trainer(workers=2).train_step(), rel=1e-4)


def test_progress_follows_the_time_when_hours_are_given(make_trainer):
    trainer = make_trainer(hours=2)
    trainer.seconds = 1800
    assert trainer.progress == 0.25
    trainer.seconds = 9999
    assert trainer.progress == 1


def test_the_command_line_writes_a_checkpoint_and_resumes(sets, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, "load_sets", lambda *_: sets)
    monkeypatch.setattr("clip_demo.tiny_clip.evaluate.report", lambda path, root: print("report of", path.name))
    arguments = ["--output", str(tmp_path / "out.pt"), "--dataset", "shapes100", "--epochs", "5", "--workers", "1"]
    threads = torch.get_num_threads()
    try:
        assert train.main([*arguments, "--cache", str(tmp_path / "cache")]) == 0
        state = torch.load(tmp_path / "out.pt", weights_only=True)
        assert state["token_embedding.weight"].shape == (49408, Architecture().text_width)
        assert "report of out.pt" in capsys.readouterr().out
        assert train.main([*arguments, "--cache", str(tmp_path / "cache"), "--resume"]) == 0
    finally:
        torch.set_num_threads(threads)


def test_the_command_line_refuses_an_unknown_dataset(capsys):
    with pytest.raises(SystemExit) as end:
        train.main(["--output", "x.pt", "--dataset", "imagenet"])
    assert end.value.code == 2
    assert "--dataset: 'imagenet' is not allowed; use 'cifar100', 'shapes100' or both." in capsys.readouterr().err
