"""How the built-in model is trained, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes
    ----------
    datasets : tuple of str
        Of ``"cifar100"`` and ``"shapes100"``.
    epochs : float
        Work in passes through the first dataset at full size.
    hours : float
        When above 0 the learning rate falls with the time used instead, and training ends when it is used up.
    small : float
        For this first share of the work images come at half the side, and twice as many a step: half the work
        each, and what is learned carries over.
    batch, part : int
        Images a step, and images a worker takes at a time (batch normalisation sees one part).
    share : float
        Share of Shapes-100 in a batch of both.
    """

    datasets: tuple[str, ...] = ("cifar100", "shapes100")
    epochs: float = 5.6
    hours: float = 0
    seed: int = 0
    small: float = 0.5
    batch: int = 128
    part: int = 32
    share: float = 0.3
    lr: float = 2e-3
    muon_lr: float = 0.05
    weight_decay: float = 0.05
    warmup: float = 0.08
    workers: int = 2
