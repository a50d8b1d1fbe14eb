"""The exceptions that a user can cause and fix.

::

    ClipDemoError(ValueError)
    ├── InputError              something that a user typed or chose
    │   ├── ClassnamesError     the class list: a bare string, too few, blank or duplicate names
    │   ├── TemplateError       a prompt template: not exactly one ``{}``, stray braces
    │   ├── PromptTooLongError  a prompt of more tokens than the model's context of 77
    │   ├── IndexRangeError     an index outside the dataset
    │   ├── ImageError          an image that cannot be read or is too large
    │   └── OptionError         any other argument that is not allowed
    ├── ModelError              a model that is unknown, missing or not a CLIP checkpoint
    ├── DatasetError            a dataset that is unknown, damaged, missing or cannot be downloaded
    ├── ArtifactError           a stored file (head, features, curve) that is damaged or does not fit
    │   └── HeadError           a linear-probe head that is damaged or does not fit
    └── Cancelled               long work that was stopped on request

Every message names the argument, the value it got, what is allowed and the next step. The library raises these
exceptions; only the page turns them into ``gr.Error``, and only the command line into one line on stderr.
"""


class ClipDemoError(ValueError):
    """Base class of everything that a user can cause and fix."""


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
    """An argument is not allowed."""


class ModelError(ClipDemoError):
    """A model is unknown, missing or not a CLIP checkpoint."""


class DatasetError(ClipDemoError):
    """A dataset is unknown, damaged, missing or cannot be downloaded."""


class ArtifactError(ClipDemoError):
    """A stored file is damaged or does not fit what it is used with."""


class HeadError(ArtifactError):
    """A linear-probe head is damaged or does not fit what it is used with."""


class Cancelled(ClipDemoError):
    """Long work was stopped: a progress callback raises this."""
