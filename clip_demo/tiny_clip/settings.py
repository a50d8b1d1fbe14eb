"""Hyperparameters of the built-in model's training."""

from dataclasses import dataclass, field

SMALL_WORK = 0.57  # time per image of the small side, relative to full size


@dataclass(frozen=True)
class Settings:
    """Hyperparameters.

    Attributes
    ----------
    epochs : float
        Length of the training, in passes through CIFAR-100 at full image size.
    small : float
        Fraction of the training, at its beginning, with images of the small side. Such an image takes `SMALL_WORK` of
        the time, and a batch has twice as many.
    small_side : int
        In pixels, a multiple of 32.
    decay : float
        Fraction of the training, at its end, in which the learning rate falls linearly to 0.
    batch, part : int
        Images per step, and images per forward pass of a worker (the batch of batch normalisation).
    shares : dict of str to float
        Fraction of each dataset in a batch.
    altered : float
        Fraction of photos that are altered so that a caption can say so.
    word_noise : float
        Length of the random vector that is added to a given word vector, relative to the vector's own: at most; the
        length is drawn anew for each step.
    own : float
        Weight of the loss among the photos' own captions.
    smoothing : float
        Label smoothing of the loss among the classes.
    lr, weight_decay : float
        Of AdamW.
    muon_lr : float
        Of Muon.
    warmup : float
        Fraction of the training in which the learning rate rises.
    device : str
        Where the model is trained: "cpu" or "cuda". On a GPU the image encoder computes in bfloat16.
    workers : int
        Number of threads that share a batch, each with a copy of the image encoder; 1 on a GPU.
    loaders : int
        Number of processes that make batches ahead, or 0 to make them in turn.
    """

    epochs: float = 18
    seed: int = 0
    small: float = 0.3
    small_side: int = 64
    decay: float = 0.5
    batch: int = 1024
    part: int = 1024
    shares: dict[str, float] = field(
        default_factory=lambda: {"cifar100": 0.45, "tinyimagenet": 0.33, "cifar10": 0.15, "shapes100": 0.07}
    )
    altered: float = 0.2
    word_noise: float = 1.2
    own: float = 0.6
    smoothing: float = 0.1
    lr: float = 2e-3
    muon_lr: float = 0.05
    weight_decay: float = 0.05
    warmup: float = 0.04
    device: str = "cpu"
    workers: int = 1
    loaders: int = 0
