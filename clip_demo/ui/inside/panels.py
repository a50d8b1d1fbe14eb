"""The panels below the walk, each on one theme."""

from dataclasses import dataclass

from . import contrastive_batch, heat_maps, meanings
from .context import InsideContext


@dataclass(frozen=True)
class Panels:
    """All panels."""

    heat_maps: heat_maps.HeatMapPanel
    batch: contrastive_batch.BatchPanel
    meanings: meanings.MeaningsPanel


def lay_out() -> Panels:
    """Make the panels inside the current gradio context."""
    return Panels(heat_maps.lay_out(), contrastive_batch.lay_out(), meanings.lay_out())


def connect(context: InsideContext, panels: Panels) -> None:
    """Connect the panels with what is on."""
    heat_maps.connect(context, panels.heat_maps)
    contrastive_batch.connect(context, panels.batch)
    meanings.connect(context, panels.meanings)
