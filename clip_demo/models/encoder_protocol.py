"""The protocol between a page and an encoder on another machine: HTTP, with arrays as plain bytes.

===============  =============================================  ===========================================
request          body                                           answer
===============  =============================================  ===========================================
``GET /model``   none                                           JSON, a `ModelCard`
``POST /images`` uint8, (n, resolution, resolution, 3)          float32, (n, d), not normalised
``POST /texts``  JSON, a list of n prompts                      float32, (n, d), not normalised
===============  =============================================  ===========================================

Numbers are little-endian, in C order, without a header. The model's checksum is its entity tag (RFC 9110): each answer
has it in ``ETag``, and a request that has another one in ``If-Match`` is refused with status 412. What the sender can
mend is refused with status 422 and, as JSON, the class and the messages of a ClipDemoError.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from .. import errors
from ..artifacts import checksums_of
from ..errors import ClipDemoError, OptionError
from .encoder import Anatomy, InspectableEncoder

MODEL, IMAGES, TEXTS = "/model", "/images", "/texts"
MAX_IMAGES, MAX_PROMPTS = 32, 128  # of a request
MAX_TEXT_BYTES = 4_000_000
REFUSED, OTHER_MODEL = 422, 412  # status

_FEATURES, _PIXELS = np.dtype("<f4"), np.dtype("u1")


@dataclass(frozen=True)
class ModelCard:
    """What a page has to know of a model that runs elsewhere.

    Attributes
    ----------
    name, note, sha256, logit_scale
        See `clip_demo.models.encoder.Encoder`.
    anatomy, heat_map_method
        See `clip_demo.models.encoder.InspectableEncoder`.
    assumption : str
        What was assumed of a checkpoint that does not say it; usually empty.
    former : tuple of str
        Other checksums under which the model is known; see `clip_demo.artifacts.also_known_as`.
    """

    name: str
    note: str
    sha256: str
    logit_scale: float
    anatomy: Anatomy
    heat_map_method: str
    assumption: str = ""
    former: tuple[str, ...] = ()

    @classmethod
    def of(cls, encoder: InspectableEncoder) -> "ModelCard":
        """Return the card of a model."""
        names = ("name", "note", "sha256", "logit_scale", "anatomy", "heat_map_method")
        given = [getattr(encoder, name) for name in names]
        return cls(*given, getattr(encoder, "assumption", ""), checksums_of(encoder.sha256)[1:])

    @classmethod
    def from_json(cls, text: str | bytes) -> "ModelCard":
        """Read a card; raise a ValueError, KeyError or TypeError where it is none."""
        content = json.loads(text)
        card = cls(**{**content, "anatomy": Anatomy(**content["anatomy"]), "former": tuple(content["former"])})
        numbers = (card.logit_scale, card.anatomy.resolution, card.anatomy.dimensions, card.anatomy.context_length)
        texts = (card.name, card.note, card.sha256, card.assumption, *card.former)
        if not all(number > 0 for number in numbers) or not all(isinstance(text, str) for text in texts):
            raise ValueError("a number is not positive, or a text is none")
        return replace(card, logit_scale=float(card.logit_scale))

    def to_json(self) -> str:
        """Return the card as JSON."""
        return json.dumps(asdict(self))

    @property
    def tag(self) -> str:
        """The entity tag."""
        return f'"{self.sha256}"'

    # --- images -----------------------------------------------------------------------------------------------------

    @property
    def image_bytes(self) -> int:
        """Bytes of one image in a request."""
        return 3 * self.anatomy.resolution**2

    def images_to_bytes(self, images: Sequence[np.ndarray]) -> bytes:
        """Return the body of a request for images, shape (resolution, resolution, 3), uint8 each."""
        return np.stack(images).astype(_PIXELS, copy=False).tobytes()

    def images_of(self, content: bytes) -> np.ndarray:
        """Return the images in the body of a request: shape (n, resolution, resolution, 3), uint8.

        Raises
        ------
        OptionError
            When it does not have 1 to `MAX_IMAGES` whole images.
        """
        n, rest = divmod(len(content), self.image_bytes)
        if rest or not 1 <= n <= MAX_IMAGES:
            raise OptionError(
                f"images: got {len(content)} bytes; send 1 to {MAX_IMAGES} images of {self.image_bytes} bytes each."
            )
        return np.frombuffer(content, _PIXELS).reshape(n, self.anatomy.resolution, self.anatomy.resolution, 3)

    def features_of(self, content: bytes, n: int) -> np.ndarray:
        """Return the features in an answer, shape (n, d), float32; raise a ValueError where it has others."""
        return np.frombuffer(content, _FEATURES).reshape(n, self.anatomy.dimensions).astype(np.float32)


def features_to_bytes(features: np.ndarray) -> bytes:
    """Return the body of an answer."""
    return features.astype(_FEATURES, copy=False).tobytes()


def prompts_of(content: bytes) -> list[str]:
    """Return the prompts in the body of a request.

    Raises
    ------
    OptionError
        When it is not a JSON list of 1 to `MAX_PROMPTS` strings.
    """
    try:
        prompts = json.loads(content)
    except (ValueError, RecursionError):
        prompts = None
    is_list = isinstance(prompts, list) and all(isinstance(each, str) for each in prompts)
    if not is_list or not 1 <= len(prompts) <= MAX_PROMPTS:
        raise OptionError(f"texts: got {content[:40]!r} ...; send a JSON list of 1 to {MAX_PROMPTS} strings.")
    return prompts


def error_to_json(error: ClipDemoError) -> str:
    """Return a refusal as JSON."""
    return json.dumps({"error": type(error).__name__, "message": error.public_message, "page": error.page_message})


def error_of(content: bytes) -> ClipDemoError:
    """Return the error in a refusal; raise a ValueError, KeyError or TypeError where there is none."""
    refusal = json.loads(content)
    kind = getattr(errors, str(refusal["error"]), None)
    if not (isinstance(kind, type) and issubclass(kind, ClipDemoError)):
        raise ValueError("not an error of this program")
    return kind(str(refusal["message"]), page=str(refusal["page"]))
