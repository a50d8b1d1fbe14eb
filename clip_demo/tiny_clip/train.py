"""Train the built-in model: ``python -m clip_demo.tiny_clip.train --data-root ROOT --output assets/tiny.pt``."""

import argparse
import ctypes
import sys
from pathlib import Path

import torch

from ..artifacts import atomic_write
from ..datasets.cifar100_classes import CIFAR100_CLASSNAMES
from .data import TrainingSet, cifar100_set, shapes100_set
from .network import to_state_dict
from .settings import Settings
from .trainer import Trainer


def load_sets(settings: Settings, root: str | Path | None, cache: Path) -> dict[str, TrainingSet]:
    """Return the training sets by the name of their dataset."""
    sets = {}
    if "cifar100" in settings.datasets:
        sets["cifar100"] = cifar100_set(root)
    if "shapes100" in settings.datasets:
        sets["shapes100"] = shapes100_set(cache, offset=len(CIFAR100_CLASSNAMES) if sets else 0)
    return sets


def _keep_freed_memory() -> None:
    """Make glibc keep freed memory, because returning and requesting it at every step takes most of the time."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        for parameter in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
            getattr(libc, "mallopt", lambda *_: None)(parameter, 2**30)


def run(trainer: Trainer, output: Path, cache: Path, name: str) -> None:
    """Train to the end with a progress bar, save the state after every epoch, and write the checkpoint."""
    from tqdm import tqdm

    with tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}") as bar:
        while trainer.progress < 1:
            before = int(trainer.epoch)
            loss = trainer.train_step()
            bar.n = 100 * trainer.progress
            rate = sum(trainer.taken.values()) / trainer.seconds
            bar.set_postfix_str(f"epoch {trainer.epoch:.2f}, loss {loss:.3f}, {rate:.0f} images/s")
            if int(trainer.epoch) > before:
                trainer.save(cache / f"{name}.pt")
    trainer.save(cache / f"{name}.pt")
    with atomic_write(output) as temporary:
        torch.save(to_state_dict(trainer.model, trainer.vocabulary), temporary)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    from .evaluate import report

    parser = argparse.ArgumentParser(
        prog="python -m clip_demo.tiny_clip.train", description="Train the built-in model."
    )
    parser.add_argument("--data-root", help="folder that holds cifar-100-python")
    parser.add_argument("--output", type=Path, required=True, help="the checkpoint to write")
    parser.add_argument("--dataset", default="cifar100,shapes100", help="training datasets, separated by a comma")
    parser.add_argument(
        "--epochs",
        type=float,
        default=Settings.epochs,
        help="length of the training, in passes through the first dataset",
    )
    parser.add_argument("--hours", type=float, default=0, help="length of the training in time, instead of --epochs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lr", type=float, default=Settings.lr)
    parser.add_argument("--workers", type=int, default=2, help="threads; with 1 the result is exactly reproducible")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "clip_demo" / "tiny")
    parser.add_argument("--resume", action="store_true", help="continue after the last epoch in the cache")
    args = parser.parse_args(arguments)
    chosen = args.dataset.split(",")
    datasets = tuple(name for name in ("cifar100", "shapes100") if name in chosen)
    if not datasets or set(chosen) - set(datasets):
        parser.error(f"--dataset: {args.dataset!r} is not allowed; use 'cifar100', 'shapes100' or both.")
    _keep_freed_memory()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    settings = Settings(datasets, args.epochs, args.hours, args.seed, lr=args.lr, workers=args.workers)
    trainer = Trainer(settings, load_sets(settings, args.data_root, args.cache))
    name = f"{'-'.join(datasets)}-seed{args.seed}"
    if args.resume and (args.cache / f"{name}.pt").exists():
        trainer.resume(args.cache / f"{name}.pt")
    run(trainer, args.output, args.cache, name)
    trainer.close()
    print(f"{trainer.step} steps, work {trainer.work:.2f}, {trainer.seconds / 60:.1f} minutes, images {trainer.taken}")
    report(args.output, args.data_root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
