"""What a visitor can do with the class cards. The browser sends a command; its answer is the new state of the cards."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from ...backend import Backend
from ...errors import ClassnamesError, ClipDemoError, ImageError, ModelError, OptionError
from ...own_classes.photo_set import PhotoSet
from ...zero_shot.prompts import parse_templates
from ..event_options import load_if_downloaded
from ..uploads import NO_UPLOAD, NOT_ARRIVED, temporary_upload
from .text import RENAME
from .view import state_json

MAX_FILES = 16  # photos of one command; the browser sends more than these in several commands


class Commands:
    """The commands, for the sets in ``backend.teacher.kept``.

    Parameters
    ----------
    backend : Backend
    """

    def __init__(self, backend: Backend):
        self._backend, self._kept = backend, backend.teacher.kept
        self._commands: dict[str, Callable[..., dict[str, Any]]] = {
            "look": lambda visitor, command, model, templates: {},
            "add": self._add,
            "undo": lambda visitor, command, model, templates: self._kept.undo(visitor) and {},
            "open": self._open,
            "save": self._save,
        }

    def run(self, visitor: Any, command: Mapping[str, Any], model: str, templates: str) -> str:
        """Do what a command says, and return the state of the cards; see `state_json`.

        Parameters
        ----------
        visitor : str
            See `clip_demo.serving.kept_sets.KeptSets`.
        command : mapping
            ``do``, and what that needs. A client may send anything.
        model, templates : str
            As chosen and typed on the Explore tab.
        """
        before = {} if command.get("all") is True else _photos(self._kept.get(visitor))
        done = self._commands.get(command.get("do"), self._change) if isinstance(command.get("do"), str) else None
        try:
            if done is None:
                raise _unknown()
            more = done(visitor, command, model, templates)
        except ClipDemoError as error:
            more = {"message": error.page_message}
        photo_set = self._kept.get(visitor)
        return state_json(photo_set, before, can_undo=self._kept.can_undo(visitor), **more)

    def _change(self, visitor: str, command: Mapping[str, Any], model: str, templates: str) -> dict[str, Any]:
        position, key = command.get("class"), command.get("key")
        changes: dict[str, Callable[[PhotoSet], PhotoSet]] = {
            "delete": lambda photo_set: photo_set.without_photo(key),
            "move": lambda photo_set: photo_set.moved(key, position),
            "rename": lambda photo_set: photo_set.renamed(position, command.get("name")),
            "add-class": lambda photo_set: photo_set.with_class(),
            "remove-class": lambda photo_set: photo_set.without_class(position),
            "forget": lambda photo_set: PhotoSet(),
        }
        if command["do"] not in changes:
            raise _unknown()
        try:
            self._kept.change(visitor, changes[command["do"]])
        except ClassnamesError as error:
            if command["do"] != "rename":
                raise
            raise ClassnamesError(str(error), page=RENAME) from error  # the error's own sentence speaks of a list
        return {}

    def _add(self, visitor: str, command: Mapping[str, Any], model: str, templates: str) -> dict[str, Any]:
        paths = command.get("paths")
        if not isinstance(paths, list) or not 0 < len(paths) <= MAX_FILES:
            raise ImageError(NO_UPLOAD, page=NOT_ARRIVED)
        files, problems = [], []
        with ExitStack() as stack:
            for path in paths:  # all, so that all are deleted
                try:
                    files.append(stack.enter_context(temporary_upload({"path": path})))
                except ImageError as error:
                    problems.append(error.page_message)
            check_ready(self._backend, model)
            photos, unreadable, chosen = self._backend.teacher.photos(files, model=model)
        before = _photos(self._kept.get(visitor))
        if photos:
            add = (command.get("class"), photos, chosen.name, chosen.encoder.sha256)
            self._kept.change(visitor, lambda photo_set: photo_set.with_photos(*add))
        again = sum(photo.key in before for photo in photos)
        if again and not command.get("quiet"):
            problems.append("This photo was there already." if again == 1 else f"{again} photos were there already.")
        return {"message": _joined([*problems, *unreadable])}

    def _open(self, visitor: str, command: Mapping[str, Any], model: str, templates: str) -> dict[str, Any]:
        with temporary_upload({"path": command.get("path")}) as path:
            opened = self._backend.teacher.open(path.read_bytes())
        self._kept.change(visitor, lambda _: opened)
        return {"opened": len(opened.photos)}

    def _save(self, visitor: str, command: Mapping[str, Any], model: str, templates: str) -> dict[str, Any]:
        check_ready(self._backend, model)
        photo_set, teacher = self._kept.get(visitor), self._backend.teacher
        examples = teacher.examples(photo_set, templates=first_template(templates), model=model)
        content = teacher.save(photo_set, examples, thumbnails=command.get("thumbnails") is True)
        return {"file": base64.b64encode(content).decode("ascii")}


def check_ready(backend: Backend, model: str) -> None:
    """Raise a ModelError unless a model can be used at once."""
    status = load_if_downloaded(backend, model)
    if status.state != "ready":
        raise ModelError(
            f"model: {status.name!r} is {status.state}; wait until it is ready.",
            page=f"{status.name} is not ready yet. Wait until it is, or choose another model.",
        )


def first_template(templates: Any) -> tuple[str, ...]:
    """Return the first template of Explore's field, in which the names of all classes are asked."""
    return parse_templates(templates if isinstance(templates, str) else "")[:1]


def _photos(photo_set: PhotoSet) -> set[str]:
    return {photo.key for photo in photo_set.photos}


def _joined(sentences: Sequence[str]) -> str:
    """Return each sentence once, with the number of times where it is more than one."""
    times = {each: sentences.count(each) for each in sentences}
    return " ".join(each if n == 1 else f"{each} ({n} files)" for each, n in times.items())


def _unknown() -> OptionError:
    return OptionError("do: there is no such command.", page="The page did not load completely. Load it again.")
