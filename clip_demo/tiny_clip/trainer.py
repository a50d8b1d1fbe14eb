"""The training loop of the built-in model.

The loss is the image-to-text half of CLIP's: every image is classified among the captions of all classes, with a
softmax over cosines times a learned scale. Each step has new captions. Since every class is present in every step, the
text-to-image half would add nothing.

All random numbers depend only on the seed and the step, so a resumed run gives the same result as an uninterrupted
one. With one worker, `epochs` instead of `hours`, and the same version of torch, the result is bit-identical. Several
workers add their gradients in the order in which they finish, which changes the rounding.
"""

import copy
import json
import math
import queue
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ..artifacts import atomic_write
from ..models.forward import encode_text
from .captions import all_captions, caption_groups, hidden_names, write_captions
from .data import Shuffled, TrainingSet, resize
from .muon import Muon
from .network import Architecture, Vocabulary, encode_images, make_model
from .settings import Settings

_SMALL_WORK = 0.55  # measured time per image of half the side, relative to full size, including a step's overhead


class Trainer:
    """The state of a training run.

    Parameters
    ----------
    settings : Settings
    sets : dict of str to TrainingSet
    arch : Architecture
    """

    def __init__(self, settings: Settings, sets: dict[str, TrainingSet], arch: Architecture | None = None):
        arch = arch or Architecture()
        self.settings, self.sets, self.side = settings, sets, arch.image_resolution
        self.groups = caption_groups(settings.datasets)
        shapes = "shapes100" in settings.datasets
        self._hidden = {name: torch.from_numpy(v) for name, v in hidden_names(self.groups).items()} if shapes else {}
        self.vocabulary = Vocabulary(all_captions(settings.datasets))
        self.model = make_model(arch, self.vocabulary, settings.seed)
        convolutions, others = self._parameter_groups()
        self.muon = Muon(convolutions, lr=settings.muon_lr)
        self.adamw = torch.optim.AdamW(others, lr=settings.lr, betas=(0.9, 0.98))
        self.step, self.seconds, self.work = 0, 0.0, 0.0
        self.taken = dict.fromkeys(sets, 0)  # images used of each dataset
        self._orders = {name: Shuffled(len(each), (settings.seed, k)) for k, (name, each) in enumerate(sets.items())}
        self._replicas: queue.SimpleQueue = queue.SimpleQueue()
        self._visuals = [_replica(self.model.visual) for _ in range(settings.workers)]
        self._pool = ThreadPoolExecutor(settings.workers, initializer=torch.set_num_threads, initargs=(1,))

    @property
    def progress(self) -> float:
        """Fraction of the run that is done, 0 to 1."""
        if self.settings.hours:
            return min(1.0, self.seconds / (3600 * self.settings.hours))
        return min(1.0, self.work / self.settings.epochs)

    @property
    def epoch(self) -> float:
        """Passes through the first dataset that are done."""
        first = self.settings.datasets[0]
        return self.taken[first] / len(self.sets[first])

    def train_step(self) -> float:
        """Perform one step and return its loss."""
        start = time.monotonic()
        rng = np.random.default_rng((self.settings.seed, 1000, self.step))
        factor = _schedule(self.progress, self.settings.warmup)
        for group in self.adamw.param_groups:
            group["lr"] = self.settings.lr * factor
        self.muon.param_groups[0]["lr"] = self.settings.muon_lr * factor
        names = [name for group in self.groups.values() for name in group.names]
        texts = encode_text(self.model, self.vocabulary.encode(write_captions(names, rng)))  # (names, d)
        texts = F.normalize(texts, dim=-1) * self.model.logit_scale.exp()
        small = self.progress < self.settings.small
        parts = self._batch(rng, small)
        for visual in self._visuals:
            self._replicas.put((visual, texts.detach().requires_grad_()))
        batch = sum(len(pixels) for pixels, _ in parts)
        part_step = partial(self._part_step, side=self.side // 2 if small else self.side, batch=batch)
        loss = sum(self._pool.map(part_step, parts))
        self._gather(texts)
        self.adamw.step()
        self.muon.step(each=self._pool.map)
        self.model.logit_scale.data.clamp_(max=math.log(100))
        self.step += 1
        self.seconds += time.monotonic() - start
        return loss

    def _batch(self, rng: np.random.Generator, small: bool) -> list[tuple[np.ndarray, dict[str, np.ndarray]]]:
        """Return the step's images and targets, split into parts; the target is -1 where a group does not apply."""
        batch, part = (size * (2 if small else 1) for size in (self.settings.batch, self.settings.part))
        counts = _counts(self.settings.datasets, batch, self.settings.share)
        first = self.settings.datasets[0]
        self.work += counts[first] / len(self.sets[first]) * (_SMALL_WORK if small else 1)
        pixels, targets = [], {name: [] for name in self.groups}
        for name, each in self.sets.items():
            count = counts[name]
            indices = self._orders[name].take(self.taken[name], count)
            self.taken[name] += count
            pixels.append(each.batch(indices, rng))
            for group, column in targets.items():
                column.append(each.targets[group][indices] if group in each.targets else np.full(count, -1))
        order = rng.permutation(batch)  # so that both datasets are in every part
        pixels = np.concatenate(pixels)[order]
        columns = {group: np.concatenate(column)[order] for group, column in targets.items()}
        parts = [slice(start, start + part) for start in range(0, batch, part)]
        return [(pixels[each], {group: column[each] for group, column in columns.items()}) for each in parts]

    def _part_step(self, part: tuple[np.ndarray, dict[str, np.ndarray]], side: int, batch: int) -> float:
        """Add the gradients of one part to those of an idle replica, and return the loss."""
        pixels, targets = part
        visual, texts = self._replicas.get()
        features = F.normalize(encode_images(visual, resize(pixels, side)), dim=-1)  # (n, d)
        logits = features @ texts.t()  # (n, names)
        loss, start = torch.zeros(()), 0
        for name, group in self.groups.items():
            target = torch.from_numpy(targets[name])
            mine = logits[:, start : start + len(group.names)]
            start += len(group.names)
            rows = target >= 0
            if rows.any():
                mine, target = mine[rows], target[rows]
                if name in self._hidden:
                    mine = mine.masked_fill(self._hidden[name][torch.from_numpy(targets["fine"])[rows]], -1e4)
                total = F.cross_entropy(mine, target, reduction="sum", label_smoothing=group.smoothing)
                loss = loss + group.weight * total / batch
        loss.backward()
        self._replicas.put((visual, texts))
        return loss.item()

    def _gather(self, texts: torch.Tensor) -> None:
        """Combine the replicas' gradients and running statistics in the model."""
        self.model.zero_grad()
        leaves = dict(self._replicas.get() for _ in self._visuals)
        grads = [leaf.grad for leaf in leaves.values() if leaf.grad is not None]
        texts.backward(torch.stack(grads).sum(dim=0))
        for own, *copies in zip(self.model.visual.parameters(), *(v.parameters() for v in self._visuals), strict=True):
            grads = [each.grad for each in copies if each.grad is not None]
            own.grad = torch.stack(grads).sum(dim=0) if len(grads) > 1 else grads[0].clone()
            for each in copies:
                each.grad = None
        for own, *copies in zip(self.model.visual.buffers(), *(v.buffers() for v in self._visuals), strict=True):
            own.copy_(torch.stack(copies).float().mean(dim=0))

    def _parameter_groups(self) -> tuple[list[torch.nn.Parameter], list[dict]]:
        """Return Muon's parameters, and AdamW's groups: no weight decay of gains, biases, positions and the scale."""
        named = list(self.model.named_parameters())
        matrices = [p for name, p in named if p.ndim == 2 and "positional" not in name]
        others = [p for name, p in named if p.ndim < 2 or "positional" in name]
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


def _replica(visual: torch.nn.Module) -> torch.nn.Module:
    """Return a copy with separate gradients and running statistics that shares the weights' memory."""
    replica = copy.deepcopy(visual)
    for mine, shared in zip(replica.parameters(), visual.parameters(), strict=True):
        mine.data = shared.data
    return replica


def _counts(datasets: tuple[str, ...], batch: int, share: float) -> dict[str, int]:
    """Return the number of images of each dataset in a batch."""
    if len(datasets) == 1:
        return {datasets[0]: batch}
    shapes = round(batch * share)
    return {name: shapes if name == "shapes100" else batch - shapes for name in datasets}


def _schedule(progress: float, warmup: float) -> float:
    """Return the factor of the learning rate: a linear rise, then a cosine down to 0."""
    if progress < warmup:
        return max(progress, 1e-3) / warmup
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))
