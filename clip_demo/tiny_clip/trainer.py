"""The training loop of the built-in model.

The loss is the image-to-text half of CLIP's, twice: every image is classified among the captions of all classes, and
every photo among the step's own captions (see `captions`), with a softmax over cosines times a learned scale. Each step
has new captions. Answers that may be true as well are left out of the softmax.

All random numbers depend only on the seed and the step, so a resumed run gives the same result as an uninterrupted
one. With one worker and the same version of torch, the result is bit-identical. Several workers add their gradients in
the order in which they finish, which changes the rounding.
"""

import copy
import json
import math
import queue
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.nn.functional as F

from ..artifacts import atomic_write
from ..datasets.shapes100 import SHAPES, Shapes100
from ..models.forward import encode_text
from .attributes import ATTRIBUTES, CHANCES, alter, alter_slightly
from .captions import Captions, CaptionWriter, hidden_shapes
from .data import Shuffled, TrainingSet, resize, sharpen
from .muon import Muon
from .network import Architecture, Vocabulary, WordEmbedding, encode_images, make_model
from .settings import Settings
from .taxonomy import Taxonomy

_SMALL_WORK = 0.4  # measured time per image of half the side, relative to full size


@dataclass(frozen=True)
class Batch:
    """Images and captions of one step.

    Attributes
    ----------
    pixels : numpy.ndarray, shape (n, 32, 32, 3), uint8
    sharpness : numpy.ndarray, shape (n, 1, 1, 1), float32
        See `data.sharpen`.
    captions : list of str
    tasks : list of Task
    """

    pixels: np.ndarray
    sharpness: np.ndarray
    captions: list[str]
    tasks: list["Task"]


@dataclass(frozen=True)
class Task:
    """One of the classifications that the loss consists of.

    Attributes
    ----------
    captions : slice
        The answers' positions among the captions.
    targets : numpy.ndarray, shape (n,), int64
        For each image the right answer's position in the slice, or -1.
    allowed : numpy.ndarray, shape (n, answers), bool
        Which answers take part in each image's softmax.
    weight, smoothing : float
        Weight in the loss, and label smoothing.
    """

    captions: slice
    targets: np.ndarray
    allowed: np.ndarray
    weight: float
    smoothing: float

    def loss(self, logits: torch.Tensor, rows: slice) -> torch.Tensor:
        """Return the sum of the cross-entropies of some of the images, whose logits are given."""
        target = torch.from_numpy(self.targets[rows])
        known = target >= 0
        if not known.any():
            return torch.zeros(())
        target, allowed = target[known], torch.from_numpy(self.allowed[rows])[known]
        log_p = F.log_softmax(logits[known, self.captions].masked_fill(~allowed, -torch.inf), dim=1)
        right = log_p.gather(1, target[:, None])[:, 0]
        if self.smoothing:
            mean = log_p.masked_fill(~allowed, 0).sum(dim=1) / allowed.sum(dim=1)
            right = right * (1 - self.smoothing) + mean * self.smoothing
        return -self.weight * right.sum()


class Trainer:
    """The state of a training run.

    Parameters
    ----------
    settings : Settings
    sets : dict of str to TrainingSet
    taxonomy : Taxonomy
    words : WordEmbedding
    arch : Architecture
    """

    def __init__(
        self,
        settings: Settings,
        sets: dict[str, TrainingSet],
        taxonomy: Taxonomy,
        words: WordEmbedding,
        arch: Architecture | None = None,
    ):
        arch = arch or Architecture()
        self.settings, self.sets, self.side, self.words = settings, sets, arch.image_resolution, words
        kinds = [kind for each in sets.values() for kind in each.kind_list]
        self._first_kind = dict(zip(sets, np.cumsum([0, *(len(s.kind_list) for s in sets.values())]), strict=False))
        self._shape_label = np.array(
            [Shapes100.classnames.index(k.classname) if k.dataset == Shapes100.name else -1 for k in kinds]
        )
        self._hidden = hidden_shapes()
        self.writer = CaptionWriter(taxonomy, kinds)
        self.vocabulary = Vocabulary(self.writer.parts())
        self.model = make_model(arch, self.vocabulary, words, settings.seed)
        self._given_rows, self._word_vectors = words.of(self.vocabulary)
        convolutions, others = self._parameter_groups()
        self.muon = Muon(convolutions, lr=settings.muon_lr)
        self.adamw = torch.optim.AdamW(others, lr=settings.lr, betas=(0.9, 0.98))
        self.step, self.seconds, self.work = 0, 0.0, 0.0
        self.taken = dict.fromkeys(sets, 0)  # images used of each dataset
        self._orders = {name: Shuffled(len(each), (settings.seed, k)) for k, (name, each) in enumerate(sets.items())}
        self._replicas: queue.SimpleQueue = queue.SimpleQueue()
        self._visuals = [_replica(self.model.visual) for _ in range(settings.workers)]
        self._pool = ThreadPoolExecutor(settings.workers, initializer=torch.set_num_threads, initargs=(1,))
        self._ahead = ThreadPoolExecutor(1)
        self._next = None

    @property
    def progress(self) -> float:
        """Fraction of the run that is done, 0 to 1."""
        return min(1.0, self.work / self.settings.epochs)

    @property
    def epoch(self) -> float:
        """Passes through the first dataset that are done."""
        first = next(iter(self.sets))
        return self.taken[first] / len(self.sets[first])

    @property
    def _small(self) -> bool:
        return self.progress < self.settings.small

    def train_step(self) -> float:
        """Perform one step and return its loss."""
        start = time.monotonic()
        factor = _schedule(self.progress, self.settings.warmup, self.settings.decay)
        for group in self.adamw.param_groups:
            group["lr"] = self.settings.lr * factor
        self.muon.param_groups[0]["lr"] = self.settings.muon_lr * factor
        small = self._small
        batch = self._next.result() if self._next else self._batch(self.step, dict(self.taken), small)
        self._count(batch, small)
        # The next batch is made while this one is used.
        self._next = self._ahead.submit(self._batch, self.step + 1, dict(self.taken), self._small)
        self._disturb_words()
        texts = encode_text(self.model, self.vocabulary.encode(batch.captions))  # (captions, d)
        texts = F.normalize(texts, dim=-1) * self.model.logit_scale.exp()
        for visual in self._visuals:
            self._replicas.put((visual, texts.detach().requires_grad_()))
        part = self.settings.part * (2 if small else 1)
        parts = [slice(first, first + part) for first in range(0, len(batch.pixels), part)]
        loss = sum(self._pool.map(partial(self._part_step, batch, self.side // 2 if small else self.side), parts))
        self._gather(texts)
        self.adamw.step()
        self.muon.step(each=self._pool.map)
        self.model.logit_scale.data.clamp_(max=math.log(100))
        self.step += 1
        self.seconds += time.monotonic() - start
        return loss

    def _disturb_words(self) -> None:
        """Set the given rows of the token embedding to the word vectors with new noise.

        A word without images then gets nearly the text feature of the words near to it, instead of a feature that the
        training left to chance: 25 instead of 21 % of the images of kept-out classes were named right after a short
        trial.
        """
        rng = np.random.default_rng((self.settings.seed, 2000, self.step))
        noise = rng.standard_normal(tuple(self._word_vectors.shape), np.float32) / self._word_vectors.shape[1] ** 0.5
        length = rng.uniform(0, self.settings.word_noise) * self._word_vectors.norm(dim=1, keepdim=True)
        with torch.no_grad():
            self.model.token_embedding.weight[self._given_rows] = self._word_vectors + length * torch.from_numpy(noise)

    def _count(self, batch: Batch, small: bool) -> None:
        counts = _counts(self.settings.shares, len(batch.pixels))
        for name, count in counts.items():
            self.taken[name] += count
        first = next(iter(self.sets))
        self.work += counts[first] / len(self.sets[first]) * (_SMALL_WORK if small else 1)

    def _batch(self, step: int, taken: dict[str, int], small: bool) -> Batch:
        """Return the images and captions of a step."""
        rng = np.random.default_rng((self.settings.seed, 1000, step))
        pixels, kinds = [], []
        counts = _counts(self.settings.shares, self.settings.batch * (2 if small else 1))
        for name, each in self.sets.items():
            indices = self._orders[name].take(taken[name], counts[name])
            pixels.append(each.batch(indices, rng))
            kinds.append(each.kinds[indices] + self._first_kind[name])
        order = rng.permutation(sum(counts.values()))  # so that all datasets are in every part
        pixels, kinds = np.concatenate(pixels)[order], np.concatenate(kinds)[order]
        is_photo = self._shape_label[kinds] < 0
        is_altered = is_photo & (rng.random(len(kinds)) < self.settings.altered)
        alterations = np.where(is_altered, rng.choice(len(ATTRIBUTES), len(kinds), p=CHANCES), -1)
        pixels[is_photo] = alter(alter_slightly(pixels[is_photo], rng), alterations[is_photo], rng)
        captions = self.writer.write(kinds, alterations, Random(f"{self.settings.seed} {step}"))
        sharpness = rng.uniform(-0.5, 1.5, (len(kinds), 1, 1, 1)).astype(np.float32)
        return Batch(pixels, sharpness, captions.texts, self._tasks(kinds, alterations, captions))

    def _tasks(self, kinds: np.ndarray, alterations: np.ndarray, captions: Captions) -> list[Task]:
        writer, settings = self.writer, self.settings
        classes = writer.class_of_kind[kinds]
        tasks = [Task(slice(0, writer.n_classes), classes, writer.answers[kinds], 1.0, settings.smoothing)]
        labels = self._shape_label[kinds]
        for name, weight in (("colour", 0.25), ("shape", 1.0)):
            targets = np.where(labels < 0, -1, labels // len(SHAPES) if name == "colour" else labels % len(SHAPES))
            tasks.append(Task(writer.groups[name], targets, ~self._hidden[name][labels], weight, 0))
        own = np.where(captions.own < 0, -1, captions.own - writer.first_own)
        allowed = ~writer.possible(kinds, alterations, captions)
        photos = np.flatnonzero(own >= 0)
        allowed[photos, own[photos]] = True
        tasks.append(Task(slice(writer.first_own, None), own, allowed, settings.own, 0))
        return tasks

    def _part_step(self, batch: Batch, side: int, rows: slice) -> float:
        """Add the gradients of some images to those of an idle replica, and return the loss."""
        visual, texts = self._replicas.get()
        images = resize(batch.pixels[rows], side)
        if side == self.side:
            images = sharpen(images, torch.from_numpy(batch.sharpness[rows]))
        logits = F.normalize(encode_images(visual, images), dim=-1) @ texts.t()  # (n, captions)
        loss = sum(task.loss(logits, rows) for task in batch.tasks) / len(batch.pixels)
        loss.backward()
        self._replicas.put((visual, texts))
        return loss.item()

    def _gather(self, texts: torch.Tensor) -> None:
        """Combine the replicas' gradients and running statistics in the model."""
        self.model.zero_grad()
        leaves = dict(self._replicas.get() for _ in self._visuals)
        grads = [leaf.grad for leaf in leaves.values() if leaf.grad is not None]
        texts.backward(torch.stack(grads).sum(dim=0))
        self.model.token_embedding.weight.grad[self._given_rows] = 0
        for own, *copies in zip(self.model.visual.parameters(), *(v.parameters() for v in self._visuals), strict=True):
            grads = [each.grad for each in copies if each.grad is not None]
            own.grad = torch.stack(grads).sum(dim=0) if len(grads) > 1 else grads[0].clone()
            for each in copies:
                each.grad = None
        for own, *copies in zip(self.model.visual.buffers(), *(v.buffers() for v in self._visuals), strict=True):
            own.copy_(torch.stack(copies).float().mean(dim=0))

    def _parameter_groups(self) -> tuple[list[torch.nn.Parameter], list[dict]]:
        """Return Muon's parameters, and AdamW's groups: no weight decay of gains, biases, embeddings and the scale."""
        named = list(self.model.named_parameters())
        is_matrix = {name: p.ndim == 2 and "embedding" not in name for name, p in named}
        matrices = [p for name, p in named if is_matrix[name]]
        others = [p for name, p in named if not is_matrix[name] and p.ndim != 4]
        return [p for _, p in named if p.ndim == 4], [
            {"params": matrices, "weight_decay": self.settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]

    def save(self, path: Path) -> None:
        """Save the state of the run for `resume`."""
        state = {
            "settings": json.dumps(asdict(self.settings)),
            "step": self.step,
            "seconds": self.seconds,
            "work": self.work,
            "taken": self.taken,
            "model": self.model.state_dict(),
            "adamw": self.adamw.state_dict(),
            "muon": self.muon.state_dict(),
            "buffers": [dict(visual.named_buffers()) for visual in self._visuals],
        }
        with atomic_write(path) as temporary:
            torch.save(state, temporary)

    def resume(self, path: Path) -> None:
        """Restore the state that `save` wrote."""
        state = torch.load(path, weights_only=True)
        self.step, self.seconds, self.work = state["step"], state["seconds"], state["work"]
        self.taken = state["taken"]
        self.model.load_state_dict(state["model"])
        self.adamw.load_state_dict(state["adamw"])
        self.muon.load_state_dict(state["muon"])
        for visual, buffers in zip(self._visuals, state["buffers"], strict=False):
            for name, buffer in visual.named_buffers():
                buffer.copy_(buffers[name])

    def close(self) -> None:
        """Stop the worker threads."""
        self._pool.shutdown()
        self._ahead.shutdown(cancel_futures=True)


def _replica(visual: torch.nn.Module) -> torch.nn.Module:
    """Return a copy with separate gradients and running statistics that shares the weights' memory."""
    replica = copy.deepcopy(visual)
    for mine, shared in zip(replica.parameters(), visual.parameters(), strict=True):
        mine.data = shared.data
    return replica


def _counts(shares: dict[str, float], batch: int) -> dict[str, int]:
    """Return the number of images of each dataset in a batch; the first one fills it up."""
    first, *others = shares
    counts = {name: round(batch * shares[name]) for name in others}
    return {first: batch - sum(counts.values()), **counts}


def _schedule(progress: float, warmup: float, decay: float) -> float:
    """Return the factor of the learning rate: a linear rise, a constant, and a linear fall to 0."""
    return min(1.0, max(progress, 1e-3) / warmup, (1 - progress) / decay)
