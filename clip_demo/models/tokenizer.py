"""openai-clip's tokenizer, which is remembered: a prompt is compared with others before it is encoded."""

from functools import lru_cache

import numpy as np

from ..errors import PromptTooLongError, quoted
from .encoder import Token
from .openai_clip import import_clip

MAX_PROMPTS = 20_000  # two bytes a token: a few megabytes, and 40 for the longest prompts
MAX_CACHED_WORDS = 50_000


@lru_cache(MAX_PROMPTS)
def _encode(prompt: str) -> bytes:
    tokenizer = import_clip().clip._tokenizer
    words = tokenizer.cache  # openai-clip never removes a word from it
    if len(words) > MAX_CACHED_WORDS:
        for word in list(words)[MAX_CACHED_WORDS // 2 :]:
            words.pop(word, None)
    return np.array(tokenizer.encode(prompt), dtype=np.uint16).tobytes()


def tokens(prompt: str) -> bytes:
    """Return what a prompt's features depend on: its tokens up to the first end of text, two bytes each.

    The text itself may hold the end of text, which is where the feature is read.
    """
    numbers = np.frombuffer(_encode(prompt), dtype=np.uint16)
    ends = np.flatnonzero(numbers == import_clip().clip._tokenizer.encoder["<|endoftext|>"])
    return numbers[: ends[0] if len(ends) else None].tobytes()


def tokenize(prompts: list[str], context_length: int) -> np.ndarray:
    """Return what ``clip.tokenize`` does: shape (n, context_length), int32; 0 after the end of text.

    Raises
    ------
    PromptTooLongError
        When a prompt has too many tokens; the message names it.
    """
    encoder = import_clip().clip._tokenizer.encoder
    start, end = encoder["<|startoftext|>"], encoder["<|endoftext|>"]
    rows = np.zeros((len(prompts), context_length), dtype=np.int32)
    for row, prompt in zip(rows, prompts, strict=True):
        numbers = np.frombuffer(_encode(prompt), dtype=np.uint16)
        count = len(numbers) + 2
        if count > context_length:
            shown = repr(prompt if len(prompt) <= 80 else prompt[:77] + "...")
            raise PromptTooLongError(
                f"prompt: {shown} has {count} tokens, including start and end of text; at most {context_length} are "
                "allowed. Use fewer words.",
                page=f"{quoted(prompt)} is too long: CLIP reads at most {context_length} tokens (words or parts of "
                f"words), and this has {count:,}. Use fewer words.",
            )
        row[0], row[1 : count - 1], row[count - 1] = start, numbers, end
    return rows


def token_pieces(prompt: str, context_length: int) -> tuple[Token, ...]:
    """Return a prompt's tokens, from start to end of text.

    Raises
    ------
    PromptTooLongError
        As `tokenize`.
    """
    numbers, tokenizer = tokenize([prompt], context_length)[0], import_clip().clip._tokenizer
    end = np.flatnonzero(numbers == tokenizer.encoder["<|endoftext|>"]).max()
    return tuple(
        Token(number, tokenizer.decode([number]).removesuffix(" "), tokenizer.decoder[number].endswith("</w>"))
        for number in numbers[: end + 1].tolist()
    )
