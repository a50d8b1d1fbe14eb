"""Train the built-in model: ``python -m clip_demo.tiny_clip.train --data-root ROOT --output assets/tiny.pt``."""

import argparse
import ctypes
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from ..artifacts import atomic_write, check_folder
from ..errors import OptionError
from ..paths import cache_folder
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

    The state is saved every three minutes and at the end, and a checkpoint at each moment of `SNAPSHOTS`.
    """
    from tqdm import tqdm

    saved = time.monotonic()
    with tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}", mininterval=1) as bar:
        while trainer.progress < 1:
            before = trainer.progress
            if not trainer.position.step:
                _write_checkpoint(trainer, cache / "snapshot-0.pt")
            loss = trainer.train_step()
            bar.n = 100 * trainer.progress
            if trainer.position.step % 20 == 0:
                rate = sum(trainer.position.taken.values()) / trainer.seconds
                bar.set_postfix_str(f"epoch {trainer.epoch:.2f}, loss {loss.item():.3f}, {rate:.0f} images/s")
            for number, moment in enumerate(SNAPSHOTS):
                if before < moment <= trainer.progress:
                    _write_checkpoint(trainer, cache / f"snapshot-{number}.pt")
            if time.monotonic() - saved > 180:
                trainer.save(cache / "state.pt")
                saved = time.monotonic()
    trainer.save(cache / "state.pt")
    _write_checkpoint(trainer, output)


def _write_checkpoint(trainer: Trainer, path: Path) -> None:
    with atomic_write(path) as temporary:
        torch.save(to_state_dict(trainer.model, trainer.vocabulary, trainer.words), temporary)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m clip_demo.tiny_clip.train", description="Train the built-in model."
    )
    add = parser.add_argument
    add("--data-root", help="folder that holds cifar-100-python")
    add("--sets", type=Path, required=True, help="folder of CIFAR-10, Tiny-ImageNet and word vectors")
    add("--output", type=Path, required=True, help="the checkpoint to write")
    add("--epochs", type=float, default=Settings.epochs, help="length, in passes through CIFAR-100")
    add("--seed", type=int, default=0)
    add("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    add("--batch", type=int, default=Settings.batch, help="images per step")
    add("--workers", type=int, help="threads on a CPU; with 1 the result is exactly reproducible")
    add("--loaders", type=int, help="processes that make the batches")
    add("--cache", type=Path, default=cache_folder() / "tiny")
    add("--start", type=Path, metavar="FILE", help="improve this checkpoint instead of random weights, with a tenth of "
        "the learning rates, which fall all the time, and no small images")  # fmt: skip
    add("--resume", action="store_true", help="continue after the last state in the cache")
    return parser


def settings_of(args: argparse.Namespace) -> Settings:
    """Return the hyperparameters that the command line asks for."""
    settings = Settings(args.epochs, args.seed, batch=args.batch, device=args.device)
    cores = os.cpu_count() or 1
    if args.start:
        rates = {"lr": settings.lr / 10, "muon_lr": settings.muon_lr / 10}
        settings = replace(settings, small=0, decay=1, **rates)
    if args.device == "cuda":
        return replace(settings, loaders=max(1, cores - 2) if args.loaders is None else args.loaders)
    loaders = 1 if args.loaders is None else args.loaders
    return replace(settings, part=128, workers=args.workers or cores, loaders=loaders)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    from .evaluate import report

    parser = make_parser()
    args = parser.parse_args(arguments)
    try:  # before hours of training
        check_folder(args.output.parent, "--output")
        check_folder(args.cache, "--cache")
    except OptionError as error:
        parser.error(str(error))
    settings = settings_of(args)
    _keep_freed_memory()
    torch.set_num_threads(settings.workers)  # of the text encoder; the workers set their own to 1
    torch.set_flush_denormal(True)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    arch = Architecture()
    trainer = Trainer(
        settings,
        load_sets(args.data_root, args.sets, args.cache),
        Taxonomy(),
        WordEmbedding(*token_embedding(args.sets, arch.text_width)),
        arch,
    )
    if args.start:
        trainer.start_from(args.start)
    if args.resume and (args.cache / "state.pt").exists():
        trainer.resume(args.cache / "state.pt")
    run(trainer, args.output, args.cache)
    trainer.close()
    end = trainer.position
    print(f"{end.step} steps, work {end.work:.2f}, {trainer.seconds / 60:.1f} minutes, images {end.taken}")
    report(args.output, args.data_root, args.sets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
