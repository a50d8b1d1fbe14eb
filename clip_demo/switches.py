"""What the environment switches off."""

import os


def is_on(variable: str) -> bool:
    """Whether an environment variable is set to anything but ``0``, ``off``, ``no`` and ``false``."""
    return os.environ.get(variable, "").strip().lower() not in ("", "0", "off", "no", "false")


def is_offline() -> bool:
    """Whether nothing may be fetched from the network: ``$CLIP_DEMO_OFFLINE``, which ``app.py --offline`` sets."""
    return is_on("CLIP_DEMO_OFFLINE")


def failed_sentence(title: str) -> str:
    """Return what the page says of a model or a dataset that no source gave."""
    if is_offline():
        return f"{title} is not on this machine, and downloads are switched off."
    return f"{title} could not be downloaded. Check the network and try again."
