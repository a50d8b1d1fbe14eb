"""The batches of the built-in model's training: images, captions, and which captions are right for which images."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import torch
import torch.nn.functional as F

from ..datasets.shapes100 import SHAPES, Shapes100
from .attributes import ATTRIBUTES, CHANCES, alter, alter_slightly
from .captions import Captions, CaptionWriter, hidden_shapes
from .data import Shuffled, TrainingSet
from .network import Vocabulary
from .settings import SMALL_WORK, Settings
from .taxonomy import Taxonomy


@dataclass(frozen=True)
class Task:
    """One of the classifications that the loss consists of.

    Attributes
    ----------
    captions : slice
        The answers' positions among the captions.
    targets : torch.Tensor, shape (n,), int64
        For each image the right answer's position in the slice, or -1.
    allowed : torch.Tensor, shape (n, answers), bool
        Which answers take part in each image's softmax.
    weight, smoothing : float
        Weight in the loss, and label smoothing.
    """

    captions: slice
    targets: torch.Tensor
    allowed: torch.Tensor
    weight: float
    smoothing: float

    def to(self, device: torch.device) -> "Task":
        """Return a copy on a device."""
        targets, allowed = (each.to(device, non_blocking=True) for each in (self.targets, self.allowed))
        return replace(self, targets=targets, allowed=allowed)

    def pin_memory(self) -> "Task":
        """Return a copy in memory from which a GPU reads on its own."""
        return replace(self, targets=self.targets.pin_memory(), allowed=self.allowed.pin_memory())

    def loss(self, logits: torch.Tensor, rows: slice) -> torch.Tensor:
        """Return the sum of the cross-entropies of some of the images, whose logits are given."""
        target, allowed = self.targets[rows], self.allowed[rows]
        # Images without an answer take part with weight 0: to select the others, a GPU would have to be waited for.
        known = target >= 0
        allowed = allowed | ~known[:, None]
        log_p = F.log_softmax(logits[:, self.captions].masked_fill(~allowed, -torch.inf), dim=1)
        right = log_p.gather(1, target.clamp(min=0)[:, None])[:, 0]
        if self.smoothing:
            mean = log_p.masked_fill(~allowed, 0).sum(dim=1) / allowed.sum(dim=1)
            right = right * (1 - self.smoothing) + mean * self.smoothing
        return -self.weight * (right * known).sum()


@dataclass(frozen=True)
class Batch:
    """Images and captions of one step.

    Attributes
    ----------
    pixels : torch.Tensor, shape (n, 32, 32, 3), uint8
    sharpness : torch.Tensor, shape (n, 1, 1, 1), float32
        See `data.sharpen`.
    tokens : torch.Tensor, shape (captions, longest caption), int64
        See `Vocabulary.encode`.
    tasks : list of Task
    """

    pixels: torch.Tensor
    sharpness: torch.Tensor
    tokens: torch.Tensor
    tasks: list[Task]

    def to(self, device: torch.device) -> "Batch":
        """Return a copy on a device."""
        moved = (each.to(device, non_blocking=True) for each in (self.pixels, self.sharpness, self.tokens))
        return Batch(*moved, [task.to(device) for task in self.tasks])

    def pin_memory(self) -> "Batch":
        """Return a copy in memory from which a GPU reads on its own; `DataLoader` calls this."""
        pinned = (each.pin_memory() for each in (self.pixels, self.sharpness, self.tokens))
        return Batch(*pinned, [task.pin_memory() for task in self.tasks])


@dataclass(frozen=True)
class Position:
    """A position in the training, before a step.

    Attributes
    ----------
    step : int
        Number of steps before.
    work : float
        See `Settings.epochs`.
    taken : dict of str to int
        Number of images that were used of each dataset.
    """

    step: int
    work: float
    taken: dict[str, int]


class Batches(torch.utils.data.Dataset):
    """The batch of any position of a training.

    All random numbers depend only on the seed and the step. So batches can be made ahead and in other processes, and a
    resumed run equals an uninterrupted one.

    Parameters
    ----------
    settings : Settings
    sets : dict of str to TrainingSet
    taxonomy : Taxonomy
    """

    def __init__(self, settings: Settings, sets: dict[str, TrainingSet], taxonomy: Taxonomy):
        self.settings, self.sets = settings, sets
        kinds = [kind for each in sets.values() for kind in each.kind_list]
        self._first_kind = dict(zip(sets, np.cumsum([0, *(len(s.kind_list) for s in sets.values())]), strict=False))
        self._shape_label = np.array(
            [Shapes100.classnames.index(k.classname) if k.dataset == Shapes100.name else -1 for k in kinds]
        )
        self._hidden = hidden_shapes()
        self._orders = {name: Shuffled(len(each), (settings.seed, k)) for k, (name, each) in enumerate(sets.items())}
        self.writer = CaptionWriter(taxonomy, kinds)
        self.vocabulary = Vocabulary(self.writer.parts())

    def is_small(self, position: Position) -> bool:
        """Return whether the images have the small side there."""
        return position.work < self.settings.small * self.settings.epochs

    @property
    def start(self) -> Position:
        """The position before the first step."""
        return Position(0, 0.0, dict.fromkeys(self.sets, 0))

    def positions(self, start: Position) -> Iterator[Position]:
        """Yield the positions of all steps that are left."""
        while start.work < self.settings.epochs:
            yield start
            start = self.after(start)

    def after(self, position: Position) -> Position:
        """Return the position after one more step."""
        counts = self._counts(position)
        first = next(iter(self.sets))
        work = counts[first] / len(self.sets[first]) * (SMALL_WORK if self.is_small(position) else 1)
        taken = {name: position.taken[name] + count for name, count in counts.items()}
        return Position(position.step + 1, position.work + work, taken)

    def _counts(self, position: Position) -> dict[str, int]:
        """Return the number of images of each dataset in a batch; the first one fills it up."""
        batch = self.settings.batch * (2 if self.is_small(position) else 1)
        first, *others = self.settings.shares
        counts = {name: round(batch * self.settings.shares[name]) for name in others}
        return {first: batch - sum(counts.values()), **counts}

    def __getitem__(self, position: Position) -> Batch:
        """Return the images and captions of a step."""
        rng = np.random.default_rng((self.settings.seed, 1000, position.step))
        pixels, kinds = [], []
        counts = self._counts(position)
        for name, each in self.sets.items():
            indices = self._orders[name].take(position.taken[name], counts[name])
            pixels.append(each.batch(indices, rng))
            kinds.append(each.kinds[indices] + self._first_kind[name])
        order = rng.permutation(sum(counts.values()))  # so that all datasets are in every part
        pixels, kinds = np.concatenate(pixels)[order], np.concatenate(kinds)[order]
        is_photo = self._shape_label[kinds] < 0
        is_altered = is_photo & (rng.random(len(kinds)) < self.settings.altered)
        alterations = np.where(is_altered, rng.choice(len(ATTRIBUTES), len(kinds), p=CHANCES), -1)
        pixels[is_photo] = alter(alter_slightly(pixels[is_photo], rng), alterations[is_photo], rng)
        captions = self.writer.write(kinds, alterations, Random(f"{self.settings.seed} {position.step}"))
        sharpness = rng.uniform(-0.5, 1.5, (len(kinds), 1, 1, 1)).astype(np.float32)
        tokens = self.vocabulary.encode(captions.texts)
        tokens = tokens[:, : int(tokens.argmax(dim=1).max()) + 1]  # the end of text has the highest number
        tasks = list(self._tasks(kinds, alterations, captions))
        return Batch(torch.from_numpy(pixels), torch.from_numpy(sharpness), tokens, tasks)

    def _tasks(self, kinds: np.ndarray, alterations: np.ndarray, captions: Captions) -> Iterator[Task]:
        writer, settings = self.writer, self.settings
        classes = slice(0, writer.n_classes)
        yield _task(classes, writer.class_of_kind[kinds], writer.answers[kinds], 1.0, settings.smoothing)
        labels = self._shape_label[kinds]
        for name, weight in (("colour", 0.25), ("shape", 1.0)):
            targets = np.where(labels < 0, -1, labels // len(SHAPES) if name == "colour" else labels % len(SHAPES))
            yield _task(writer.groups[name], targets, ~self._hidden[name][labels], weight, 0)
        own = np.where(captions.own < 0, -1, captions.own - writer.first_own)
        allowed = ~writer.possible(kinds, alterations, captions)
        photos = np.flatnonzero(own >= 0)
        allowed[photos, own[photos]] = True
        yield _task(slice(writer.first_own, None), own, allowed, settings.own, 0)


def _task(captions: slice, targets: np.ndarray, allowed: np.ndarray, weight: float, smoothing: float) -> Task:
    return Task(captions, torch.from_numpy(targets), torch.from_numpy(allowed), weight, smoothing)
