"""The Prompt Lab: the accuracy of the prompt one is typing, on the whole test set, and what lies behind it."""

from .events import connect
from .layout import Lab, lay_out
from .context import Explore

__all__ = ["Explore", "Lab", "connect", "lay_out"]
