"""The training loop of the built-in model.

The loss is the image-to-text half of CLIP's, twice: every image is classified among the captions of all classes, and
every photo among the step's own captions (see `captions`), with a softmax over cosines times a learned scale. Each step
has new captions. Answers that may be true as well are left out of the softmax.

A resumed run gives the same result as an uninterrupted one: bit-identical with one worker on a CPU and the same version
of torch. Several workers add their gradients in the order in which they finish, which changes the rounding, and so do a
GPU's kernels.
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

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from ..artifacts import atomic_write
from ..models.text_encoder import TextEncoder
from .batches import Batch, Batches, Position
from .data import TrainingSet, resize, sharpen
from .muon import Muon
from .network import Architecture, WordEmbedding, encode_images, make_model
from .settings import Settings
from .taxonomy import Taxonomy


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
        self.settings, self.words, self._side = settings, words, arch.image_resolution
        self._device = torch.device(settings.device)
        self.batches = Batches(settings, sets, taxonomy)
        self.vocabulary = self.batches.vocabulary
        self.model = make_model(arch, self.vocabulary, words, settings.seed).to(self._device)
        self._given_rows, self._word_vectors = (each.to(self._device) for each in words.of(self.vocabulary))
        self._causal = self.model.transformer.resblocks[0].attn_mask.to(self._device)
        convolutions, others = self._parameter_groups()
        self.muon = Muon(convolutions, lr=settings.muon_lr)
        self.adamw = torch.optim.AdamW(others, lr=settings.lr, betas=(0.9, 0.98))
        self.position, self.seconds = self.batches.start, 0.0
        self._replicas: queue.SimpleQueue = queue.SimpleQueue()
        own = self.model.visual
        self._visuals = [own] if settings.workers == 1 else [_replica(own) for _ in range(settings.workers)]
        self._pool = ThreadPoolExecutor(settings.workers, initializer=torch.set_num_threads, initargs=(1,))
        self._loader = None  # an iterator, from the first step on

    @property
    def progress(self) -> float:
        """Fraction of the run that is done, 0 to 1."""
        return min(1.0, self.position.work / self.settings.epochs)

    @property
    def epoch(self) -> float:
        """Passes through the first dataset that are done."""
        first, images = next(iter(self.batches.sets.items()))
        return self.position.taken[first] / len(images)

    def _load(self) -> Batch:
        """Return the batch of the current position."""
        if self._loader is None:
            loader = DataLoader(
                self.batches,
                sampler=self.batches.positions(self.position),
                batch_size=None,
                num_workers=self.settings.loaders,
                pin_memory=self._device.type == "cuda",
            )
            self._loader = iter(loader)
        return next(self._loader).to(self._device)

    def train_step(self) -> torch.Tensor:
        """Perform one step and return its loss, a scalar that a GPU may still be computing."""
        start = time.monotonic()
        factor = _schedule(self.progress, self.settings.warmup, self.settings.decay)
        for group in self.adamw.param_groups:
            group["lr"] = self.settings.lr * factor
        self.muon.param_groups[0]["lr"] = self.settings.muon_lr * factor
        small = self.batches.is_small(self.position)
        batch = self._load()
        self.model.zero_grad()
        self._disturb_words()
        texts = F.normalize(self._encode_text(batch.tokens), dim=-1) * self.model.logit_scale.exp()  # (captions, d)
        for visual in self._visuals:
            self._replicas.put((visual, texts.detach().requires_grad_()))
        part = self.settings.part * (2 if small else 1)
        parts = [slice(first, first + part) for first in range(0, len(batch.pixels), part)]
        side = self.settings.small_side if small else self._side
        loss = sum(self._pool.map(partial(self._part_step, batch, side), parts))
        self._gather(texts)
        self.adamw.step()
        self.muon.step(each=self._pool.map)
        self.model.logit_scale.data.clamp_(max=math.log(100))
        self.position = self.batches.after(self.position)
        self.seconds += time.monotonic() - start
        return loss

    def _encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
        if self._device.type == "cpu":
            return TextEncoder(self.model)(tokens)
        # A GPU is faster with all prompts at once than without their repetitions.
        model, length = self.model, tokens.shape[1]
        x = model.token_embedding(tokens) + model.positional_embedding[:length]
        for block in model.transformer.resblocks:
            block.attn_mask = self._causal[:length, :length]
        x = model.ln_final(model.transformer(x.transpose(0, 1)).transpose(0, 1))
        return x.gather(1, tokens.argmax(dim=1)[:, None, None].expand(-1, 1, x.shape[2]))[:, 0] @ model.text_projection

    def _disturb_words(self) -> None:
        """Set the given rows of the token embedding to the word vectors with new noise.

        A word without images then gets nearly the text feature of the words near to it, instead of a feature that the
        training left to chance: 25 instead of 21 % of the images of kept-out classes were named right after a short
        trial.
        """
        random = torch.Generator(self._device).manual_seed(1_000_000 * self.settings.seed + self.position.step)
        noise = torch.randn(self._word_vectors.shape, generator=random, device=self._device)
        noise /= self._word_vectors.shape[1] ** 0.5
        length = torch.rand((), generator=random, device=self._device) * self.settings.word_noise
        length = length * self._word_vectors.norm(dim=1, keepdim=True)
        with torch.no_grad():
            self.model.token_embedding.weight.index_copy_(0, self._given_rows, self._word_vectors + length * noise)

    def _part_step(self, batch: Batch, side: int, rows: slice) -> torch.Tensor:
        """Add the gradients of some images to those of an idle replica, and return the loss."""
        visual, texts = self._replicas.get()
        images = resize(batch.pixels[rows], side)
        if side == self._side:
            images = sharpen(images, batch.sharpness[rows])
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
            features = encode_images(visual, images)
        logits = F.normalize(features.float(), dim=-1) @ texts.t()  # (n, captions)
        loss = sum(task.loss(logits, rows) for task in batch.tasks) / len(batch.pixels)
        loss.backward()
        self._replicas.put((visual, texts))
        return loss.detach()

    def _gather(self, texts: torch.Tensor) -> None:
        """Pass the texts' gradients on, and combine the replicas' gradients and running statistics in the model."""
        leaves = dict(self._replicas.get() for _ in self._visuals)
        grads = [leaf.grad for leaf in leaves.values() if leaf.grad is not None]
        texts.backward(torch.stack(grads).sum(dim=0))
        self.model.token_embedding.weight.grad.index_fill_(0, self._given_rows, 0)
        if len(self._visuals) == 1:
            return  # the model's own
        for own, *copies in zip(self.model.visual.parameters(), *(v.parameters() for v in self._visuals), strict=True):
            own.grad = torch.stack([each.grad for each in copies if each.grad is not None]).sum(dim=0)
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

    def start_from(self, path: Path) -> None:
        """Take the weights of a checkpoint that `to_state_dict` made, in place of random ones."""
        state = torch.load(path, weights_only=True, map_location=self._device)
        rows = torch.from_numpy(self.vocabulary.tokens).long().to(self._device)
        state["token_embedding.weight"] = state["token_embedding.weight"][rows]
        self.model.load_state_dict(state)
        for visual in self._visuals:
            visual.load_state_dict(self.model.visual.state_dict())

    def save(self, path: Path) -> None:
        """Save the state of the run for `resume`."""
        state = {
            "settings": json.dumps(asdict(self.settings)),
            "position": asdict(self.position),
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "adamw": self.adamw.state_dict(),
            "muon": self.muon.state_dict(),
            "buffers": [dict(visual.named_buffers()) for visual in self._visuals],
        }
        with atomic_write(path) as temporary:
            torch.save(state, temporary)

    def resume(self, path: Path) -> None:
        """Restore the state that `save` wrote."""
        state = torch.load(path, weights_only=True, map_location=self._device)
        self.position, self.seconds = Position(**state["position"]), state["seconds"]
        self._loader = None
        self.model.load_state_dict(state["model"])
        self.adamw.load_state_dict(state["adamw"])
        self.muon.load_state_dict(state["muon"])
        for visual, buffers in zip(self._visuals, state["buffers"], strict=False):
            for name, buffer in visual.named_buffers():
                buffer.copy_(buffers[name])

    def close(self) -> None:
        """Stop the threads and processes."""
        self._pool.shutdown()
        self._loader = None


def _replica(visual: torch.nn.Module) -> torch.nn.Module:
    """Return a copy with separate gradients and running statistics that shares the weights' memory."""
    replica = copy.deepcopy(visual)
    for mine, shared in zip(replica.parameters(), visual.parameters(), strict=True):
        mine.data = shared.data
    return replica


def _schedule(progress: float, warmup: float, decay: float) -> float:
    """Return the factor of the learning rate: a linear rise, a constant, and a linear fall to 0."""
    return min(1.0, max(progress, 1e-3) / warmup, (1 - progress) / decay)
