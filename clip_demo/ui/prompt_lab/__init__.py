"""The Prompt Lab: the accuracy of the prompt one is typing, on the whole test set, and what lies behind it."""

from .context import Explore
from .events import connect
from .layout import Lab, lay_out

__all__ = ["Explore", "Lab", "connect", "lay_out"]
