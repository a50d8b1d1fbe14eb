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
    ├── BusyError               too much is asked of the server at once
    └── Cancelled               long work that was stopped on request

Every message names the argument, the value it got, what is allowed and the next step, for the endpoints and the command
line. `ClipDemoError.page_message` says the same to a visitor of the page, in plain words. The library raises these
exceptions; only the page turns them into ``gr.Error``, and only the command line into one line on stderr.
"""

import errno
import re

# No space left; the user's share is used up; a file may not be larger.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ClipDemoError(ValueError):
    """Base class of everything that a user can cause and fix.

    Parameters
    ----------
    message : str
        For the endpoints and the command line.
    page : str, optional
        For the page: a plain sentence and what to do next, without names of arguments, paths and error numbers.
        Default: `default_page` of the class, or else `message` without the argument's name.
    private : bool, optional
        Whether `message` may name folders of this machine, which concern only the person who runs the program.

    Attributes
    ----------
    page_message : str
        What the page shows.
    public_message : str
        What endpoints answer.
    """

    default_page = ""

    def __init__(self, message: str = "", *, page: str = "", private: bool = False):
        super().__init__(message)
        plain = re.sub(r"^[\w-]+(, [\w-]+)*: ", "", message)
        self.page_message = page or self.default_page or plain[:1].upper() + plain[1:]
        self.public_message = self.page_message if private else message


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

    default_page = "A stored file does not fit this model and dataset. Choose another model or dataset."


class HeadError(ArtifactError):
    """A linear-probe head is damaged or does not fit what it is used with."""


class BusyError(ClipDemoError):
    """Too much is asked of the server at once; the same request may succeed later."""


class Cancelled(ClipDemoError):
    """Long work was stopped: a progress callback raises this."""


def page_message_of(error: BaseException, otherwise: str) -> str:
    """Return what the page says about any exception.

    Parameters
    ----------
    error : BaseException
    otherwise : str
        The sentence for an exception that is not a `ClipDemoError` and does not come from the disk.
    """
    if isinstance(error, ClipDemoError):
        return error.page_message
    numbers, cause = set(), error
    while cause is not None:
        numbers.add(getattr(cause, "errno", None))
        cause = cause.__cause__
    if numbers.intersection(DISK_FULL):
        return "There is no space left on the disk. Free some space and try again."
    if numbers & {errno.EACCES, errno.EROFS}:
        return "This program is not allowed to use a folder that it needs. Ask the person who runs it."
    if numbers & {errno.EEXIST, errno.ENOTDIR, errno.EISDIR}:
        return "A file is where this program needs a folder, or the reverse. Ask the person who runs it."
    return otherwise


def quoted(text: str) -> str:
    """Return text in quotation marks for the page, shortened to 40 characters. Halves of characters become “?”."""
    return f"“{text if len(text) <= 40 else text[:39] + '…'}”".encode("utf-8", "replace").decode("utf-8")
