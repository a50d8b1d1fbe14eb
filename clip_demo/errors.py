"""What can go wrong, as one tree.

::

    ClipDemoError(ValueError)
    ├── InputError            something a user typed or chose
    │   ├── ClassnamesError   the class list: a bare string, too short, blank or duplicate labels
    │   ├── TemplateError     a prompt template: no ``{}``, two of them, stray braces
    │   ├── PromptTooLongError  a prompt beyond the model's context of 77 tokens
    │   ├── IndexRangeError   an index outside the dataset
    │   ├── ImageError      an image that cannot be read or is too large
    │   └── OptionError       any other argument outside what is allowed
    ├── ModelError            a model that is unknown, absent or not a CLIP checkpoint
    ├── DatasetError         an dataset that is unknown, damaged, absent or cannot be fetched
    ├── HeadError             a head file that is damaged or does not fit
    └── Cancelled             long work that was stopped by whoever asked for it

Every message names the argument, the value that came, what is allowed and the next step. The library raises
these; only the page turns them into ``gr.Error`` and only the command line into a line on stderr.
"""

__all__ = [
    "Cancelled",
    "ClassnamesError",
    "ClipDemoError",
    "HeadError",
    "DatasetError",
    "IndexRangeError",
    "InputError",
    "ModelError",
    "OptionError",
    "ImageError",
    "PromptTooLongError",
    "TemplateError",
]


class ClipDemoError(ValueError):
    """Anything that a user can cause and can mend."""


class InputError(ClipDemoError):
    """Something that a user typed or chose is not allowed."""


class ClassnamesError(InputError):
    """The class list cannot be used."""


class TemplateError(InputError):
    """A prompt template cannot be used."""


class PromptTooLongError(InputError):
    """A prompt has more tokens than the model's context."""


class IndexRangeError(InputError):
    """An index lies outside the dataset."""


class ImageError(InputError):
    """An image cannot be read or is too large."""


class OptionError(InputError):
    """An argument lies outside what is allowed."""


class ModelError(ClipDemoError):
    """A model is unknown, absent or not a CLIP checkpoint."""


class DatasetError(ClipDemoError):
    """An dataset is unknown, damaged, absent or cannot be fetched."""


class HeadError(ClipDemoError):
    """A head file is damaged or does not fit what it is used with."""


class Cancelled(ClipDemoError):
    """Long work was stopped by whoever asked for it: a progress callback raises this."""
