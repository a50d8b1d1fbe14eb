"""CSV whose text a spreadsheet shows and does not compute."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

# Spreadsheets take a cell that begins so for a formula, which may read other cells and call other programs (OWASP, "CSV
# Injection"). An apostrophe before it makes it text. Cells that begin with apostrophes get one more, so that a reader
# knows which one to take away.
_FORMULA = re.compile(r"[\s\ufeff\0']*[=+\-@＝＋－＠]|[\t\r\n]")


def write_csv(rows: Iterable[Sequence[Any]]) -> str:
    r"""Return rows as CSV; None is an empty cell, and numbers stay as they are.

    >>> write_csv([("name", "top1"), ("=1+1", -0.5)])
    "name,top1\n'=1+1,-0.5\n"
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([guarded(cell) for cell in row] for row in rows)
    return text.getvalue()


def guarded(cell: Any) -> Any:
    """Return a cell as `write_csv` writes it; different cells stay different."""
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell
