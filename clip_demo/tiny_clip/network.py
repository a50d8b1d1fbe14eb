"""The model during training, and its conversion to openai-clip's state dict."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..models.openai_clip import import_clip


@dataclass(frozen=True)
class Architecture:
    """Arguments of `clip.model.CLIP`.

    The numbers of attention heads follow from the widths: ``vision_width * 32 // 64`` and ``text_width // 64``.
    """

    embed_dim: int = 256
    image_resolution: int = 96
    vision_layers: tuple[int, int, int, int] = (2, 2, 2, 2)
    vision_width: int = 32
    text_width: int = 64
    text_layers: int = 3


class Vocabulary:
    """The tokens of captions, renumbered.

    With the full embedding table of 49,408 rows, the optimiser would take three times as long, although only a few
    thousand rows occur. The order of the tokens is kept, so the end-of-text token still has the highest number.

    Parameters
    ----------
    texts : iterable of str
        Text that contains every word of the captions that `encode` may be called with, in lower case.
    """

    def __init__(self, texts: Iterable[str]):
        tokenizer = import_clip().simple_tokenizer.SimpleTokenizer()
        self._pieces = tokenizer.pat.findall
        # The tokens of each piece. openai-clip's `tokenize` would also mend broken Unicode, at a tenth of the speed.
        numbers = {piece: tokenizer.encode(piece) for text in texts for piece in self._pieces(text)}
        self._start, self._end = (tokenizer.encoder[f"<|{name}oftext|>"] for name in ("start", "end"))
        used = {0, self._start, self._end, *(token for tokens in numbers.values() for token in tokens)}
        # (n,) openai-clip's numbers, ascending; they include 0, the padding.
        self.tokens: np.ndarray = np.array(sorted(used))
        self._numbers = {
            piece: np.searchsorted(self.tokens, tokens).tolist() for piece, tokens in numbers.items() if tokens
        }

    def encode(self, captions: list[str]) -> torch.Tensor:
        """Return the renumbered tokens of captions, shape (n, 77), int64."""
        start, end = np.searchsorted(self.tokens, [self._start, self._end])
        out = np.zeros((len(captions), 77), np.int64)
        for row, caption in zip(out, captions, strict=True):
            tokens = [start, *(token for piece in self._pieces(caption) for token in self._numbers[piece]), end]
            row[: len(tokens)] = tokens
        return torch.from_numpy(out)


@dataclass(frozen=True)
class WordEmbedding:
    """Rows of the token embedding that are given and stay as they are.

    Attributes
    ----------
    tokens : numpy.ndarray, shape (n,), int64
        Numbers of openai-clip's tokens, ascending.
    rows : numpy.ndarray, shape (n, text_width), float32
    """

    tokens: np.ndarray
    rows: np.ndarray

    def of(self, vocabulary: Vocabulary) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the positions in the vocabulary that have a given row, and the rows."""
        shared, mine, theirs = np.intersect1d(vocabulary.tokens, self.tokens, return_indices=True)
        return torch.from_numpy(mine), torch.from_numpy(self.rows[theirs])


def make_model(arch: Architecture, vocabulary: Vocabulary, words: WordEmbedding, seed: int) -> nn.Module:
    """Return a `clip.model.CLIP` with random weights and the given word vectors, in float32 and training mode."""
    torch.manual_seed(seed)
    model = import_clip().model.CLIP(
        arch.embed_dim,
        arch.image_resolution,
        arch.vision_layers,
        arch.vision_width,
        None,  # vision_patch_size, only for vision transformers
        77,
        len(vocabulary.tokens),
        arch.text_width,
        arch.text_width // 64,
        arch.text_layers,
    )
    positions, rows = words.of(vocabulary)
    with torch.no_grad():
        model.token_embedding.weight[positions] = rows
    model.visual.to(memory_format=torch.channels_last)
    return model.train()


def encode_images(visual: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Run the image encoder, also on images of another side, for which the attention pool's positions are averaged.

    Parameters
    ----------
    visual : clip.model.ModifiedResNet
    images : torch.Tensor, shape (n, 3, side, side), float32
        The side is a multiple of 32.

    Returns
    -------
    torch.Tensor, shape (n, d), float32
        Not normalised.
    """
    if images.shape[-1] == visual.input_resolution:
        return visual(images)
    mean, cells = visual.attnpool.positional_embedding.split([1, (visual.input_resolution // 32) ** 2])
    grid = cells.T.unflatten(1, (visual.input_resolution // 32, -1))  # (width, height, width)
    positions = torch.cat([mean, functional.adaptive_avg_pool2d(grid, images.shape[-1] // 32).flatten(1).T])
    return torch.func.functional_call(visual, {"attnpool.positional_embedding": positions}, (images,))


def to_state_dict(model: nn.Module, vocabulary: Vocabulary, words: WordEmbedding) -> dict[str, torch.Tensor]:
    """Return the state dict in openai-clip's layout: with the full embedding table, in half precision.

    Rows of tokens that have no word vector and that no caption uses are zero: they have no meaning to the model.
    """
    state = {name: value.detach().cpu().clone().contiguous() for name, value in model.state_dict().items()}
    small = state["token_embedding.weight"]
    full = torch.zeros(49408, small.shape[1])
    full[torch.from_numpy(vocabulary.tokens).long()] = small
    full[torch.from_numpy(words.tokens)] = torch.from_numpy(words.rows)  # without the noise of the training
    state["token_embedding.weight"] = full
    return {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
