"""Hyperparameters of the built-in model's training."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Hyperparameters.

    Attributes
    ----------
    datasets : tuple of str
        ``"cifar100"``, ``"shapes100"``, or both in this order.
    epochs : float
        Length of the training, in passes through the first dataset at full image size.
    hours : float
        If above 0, the length of the training in time; the learning rate then follows the time instead of `epochs`.
    small : float
        Fraction of the training, at its beginning, with images of half the side. Such an image takes about half the
        time, and a batch has twice as many.
    batch, part : int
        Images per step, and images per forward pass of a worker (the batch of batch normalisation).
    share : float
        Fraction of Shapes-100 in a batch of both datasets.
    lr, weight_decay : float
        Of AdamW.
    muon_lr : float
        Of Muon.
    warmup : float
        Fraction of the training in which the learning rate rises.
    workers : int
        Number of threads.
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
