"""The output of predictions for many files: interrupted work goes on where it stopped."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from ..csv_text import guarded
from ..errors import OptionError


class PredictionFile:
    """A CSV or JSON Lines file with one record for each image, which may be begun already; for one process at a time.

    What the predictions depend on stands in a file beside it, so that the CSV is nothing but CSV.

    Parameters
    ----------
    path : pathlib.Path
    kind : {"csv", "jsonl"}
    """

    def __init__(self, path: Path, kind: str):
        self.path, self._kind = path, kind
        self._beside = path.with_name(f"{path.name}.options.json")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing the file, or raise an OptionError where one does."""
        lock = FileLock(self.path.with_name(f"{self.path.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise OptionError(
                f"--output: another process is writing {str(self.path)!r}; wait for its end, or give another file."
            ) from None
        try:
            yield
        finally:
            lock.release()
            Path(lock.lock_file).unlink(missing_ok=True)

    def check(self, settings: Mapping[str, Any]) -> None:
        """Raise an OptionError where the file cannot be written, or was begun with other settings than these."""
        try:
            if self.path.exists() and not self.path.is_file():
                raise OptionError(
                    f"--output: {str(self.path)!r} is not a file; give another, or leave it out for standard output."
                )
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                begun = file.tell() > 0
            known = json.loads(self._beside.read_text(encoding="utf-8")) if begun and self._beside.exists() else {}
        except (OSError, ValueError) as error:
            raise error if isinstance(error, OptionError) else self._unusable(error) from error
        differing = [name for name, value in _plain(settings).items() if known.get(name) != value] if begun else []
        if differing:
            how = f"with other options ({', '.join(differing)})" if known else "by another program"
            raise OptionError(f"--output: {str(self.path)!r} was begun {how}; give another file, or delete this one.")

    def resume(self, settings: Mapping[str, Any], paths: Sequence[str], batch: int) -> tuple[list[str], list[str]]:
        """Keep what an earlier run has written, and return the paths that are left and the damaged ones among the rest.

        Parameters
        ----------
        settings : mapping
            What the predictions depend on.
        paths : sequence of str
        batch : int
            What is left of a run is kept in whole batches: in another batch, an image's features may differ in the
            last digit, and the file shall be the same as without an interruption.
        """
        self.check(settings)
        names = {self._name(path) for path in paths}
        done, damaged, begun = set(), [], []
        try:
            with self.path.open("rb+") as file:
                end = 0
                for position, name, is_damaged in self._records(file):
                    if name is None:
                        end = position
                        continue
                    begun.append((name, is_damaged))
                    if len(begun) == batch or len(done) + len(begun) == len(names):
                        end = position
                        done.update(name for name, _ in begun)
                        damaged += [name for name, is_damaged in begun if is_damaged]
                        begun = []
                file.truncate(end)
            text = json.dumps(_plain(settings), indent=1, ensure_ascii=False)
            self._beside.write_text(f"{text}\n", encoding="utf-8")
        except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
            raise self._unusable(error) from error
        return [path for path in paths if self._name(path) not in done], damaged

    def _name(self, path: str) -> str:
        return guarded(path) if self._kind == "csv" else path

    def _records(self, file: BinaryIO) -> Iterator[tuple[int, str | None, bool]]:
        """Yield of each complete record where it ends, its path, and whether that is damaged; no path of the header."""
        end = 0

        def lines() -> Iterator[str]:
            nonlocal end
            for line in file:
                if line.endswith(b"\n"):  # the last one may be cut off
                    end += len(line)
                    yield line.decode()

        if self._kind == "jsonl":
            for line in lines():
                record = json.loads(line)
                yield end, record["file"], record["error"] is not None
            return
        rows = csv.reader(lines(), strict=True)
        header = next(rows, None)
        if header is not None:
            yield end, None, False
        with contextlib.suppress(csv.Error):  # the last record may be cut off between quotation marks
            for row in rows:
                if len(row) == len(header):  # or in a name with a line break
                    yield end, row[0], bool(row[-1])

    def _unusable(self, error: Exception) -> OptionError:
        return OptionError(f"--output: {str(self.path)!r} cannot be used ({error}); give another file.")


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they are when they are read again: with lists for tuples."""
    return json.loads(json.dumps(settings))
