"""Progress bars on the terminal."""

from __future__ import annotations

from tqdm import tqdm


class ProgressBars:
    """A progress callback that draws a bar for each step; a context manager that leaves the bars as they are.

    Parameters
    ----------
    unit : str
        Unit of the counts. Steps called ``"fits of ..."`` count fits, and ``"prompts"`` prompts.
    """

    def __init__(self, unit: str = " images"):
        self._unit = unit
        self._bars: dict[str, tqdm] = {}

    def __enter__(self) -> ProgressBars:
        return self

    def __exit__(self, *exception) -> None:
        for bar in self._bars.values():
            bar.close()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Update the bar of one step."""
        bar = self._bars.get(what)
        if bar is None:
            unit = next((f" {each}" for each in ("fits", "prompts") if what.startswith(each)), self._unit)
            # What is done at the first call may be an earlier run's work: it must not count towards the speed.
            bar = tqdm(desc=what, initial=done, total=total, unit=unit, unit_scale=unit == "B")
            self._bars[what] = bar
        if bar.total != total:
            bar.reset(total)  # The step runs again, with another total.
        bar.update(done - bar.n)
