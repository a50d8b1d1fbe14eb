"""New sessions in little time.

Gradio describes every component of the page anew for each session, which takes most of a visitor's first event, and
keeps the descriptions. Only its deep links use them, and this page has none: its links are those of
`clip_demo.ui.permalink`.
"""

from typing import Any

from gradio.blocks import BlocksConfig


class SessionConfig(BlocksConfig):
    """The components of a session, which are described to nobody."""

    @staticmethod
    def config_for_block(*_: Any) -> dict:
        """Return no description."""
        return {}


class PageConfig(BlocksConfig):
    """The components of the page, of which every session gets a copy."""

    def __copy__(self) -> SessionConfig:
        session = SessionConfig(self.root_block)
        session.__dict__.update(super().__copy__().__dict__)
        return session
