"""Train the built-in model: ``python -m clip_demo.tiny_clip.train --data-root ROOT --output assets/tiny.pt``."""

import argparse
import ctypes
import sys
from pathlib import Path

import torch

from ..artifacts import atomic_write
from .data import load_sets
from .network import Architecture, WordEmbedding, to_state_dict
from .settings import Settings
from .taxonomy import Taxonomy
from .trainer import Trainer
from .word_vectors import token_embedding

# Moments of the training, as fractions, whose checkpoints are kept to show how the model learns.
SNAPSHOTS = (0.0, 0.0025, 0.01, 0.03, 0.075, 0.175, 0.65, 1.0)


def _keep_freed_memory() -> None:
    """Make glibc keep freed memory, because returning and requesting it at every step takes most of the time."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        for parameter in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
            getattr(libc, "mallopt", lambda *_: None)(parameter, 2**30)


def run(trainer: Trainer, output: Path, cache: Path) -> None:
    """Train to the end with a progress bar, and write the checkpoint.

    The state is saved every 200 steps and at each moment of `SNAPSHOTS`.
    """
    from tqdm import tqdm

    with tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}") as bar:
        while trainer.progress < 1:
            before = trainer.progress
            if not trainer.step:
                _write_checkpoint(trainer, cache / "snapshot-0.pt")
            loss = trainer.train_step()
            bar.n = 100 * trainer.progress
            rate = sum(trainer.taken.values()) / trainer.seconds
            bar.set_postfix_str(f"epoch {trainer.epoch:.2f}, loss {loss:.3f}, {rate:.0f} images/s")
            for number, moment in enumerate(SNAPSHOTS):
                if before < moment <= trainer.progress:
                    _write_checkpoint(trainer, cache / f"snapshot-{number}.pt")
            if trainer.step % 200 == 0:
                trainer.save(cache / "state.pt")
    trainer.save(cache / "state.pt")
    _write_checkpoint(trainer, output)


def _write_checkpoint(trainer: Trainer, path: Path) -> None:
    with atomic_write(path) as temporary:
        torch.save(to_state_dict(trainer.model, trainer.vocabulary, trainer.words), temporary)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    from .evaluate import report

    parser = argparse.ArgumentParser(
        prog="python -m clip_demo.tiny_clip.train", description="Train the built-in model."
    )
    parser.add_argument("--data-root", help="folder that holds cifar-100-python")
    parser.add_argument("--sets", type=Path, required=True, help="folder of CIFAR-10, Tiny-ImageNet and word vectors")
    parser.add_argument("--output", type=Path, required=True, help="the checkpoint to write")
    parser.add_argument(
        "--epochs", type=float, default=Settings.epochs, help="length of the training, in passes through CIFAR-100"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="threads; with 1 the result is exactly reproducible")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "clip_demo" / "tiny")
    parser.add_argument("--resume", action="store_true", help="continue after the last state in the cache")
    args = parser.parse_args(arguments)
    _keep_freed_memory()
    torch.set_num_threads(args.workers)  # of the text encoder; the workers set their own to 1
    torch.set_flush_denormal(True)
    settings = Settings(args.epochs, args.seed, workers=args.workers)
    arch = Architecture()
    trainer = Trainer(
        settings,
        load_sets(args.data_root, args.sets, args.cache),
        Taxonomy(),
        WordEmbedding(*token_embedding(args.sets, arch.text_width)),
        arch,
    )
    if args.resume and (args.cache / "state.pt").exists():
        trainer.resume(args.cache / "state.pt")
    run(trainer, args.output, args.cache)
    trainer.close()
    print(f"{trainer.step} steps, work {trainer.work:.2f}, {trainer.seconds / 60:.1f} minutes, images {trainer.taken}")
    report(args.output, args.data_root, args.sets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
