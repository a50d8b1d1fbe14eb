"""Take the screenshots of the README: ``python tests/browser/screenshot.py``.

No image of CIFAR-100 is in them, because none is committed: the server does not find the dataset.
"""

import io
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from conftest import ARGUMENTS, chromium, servers  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from clip_demo.backend import Backend  # noqa: E402


def main():
    """Take the first visit, and the Prompt Lab with numbers of CIFAR-100, which come from stored features."""
    with tempfile.TemporaryDirectory() as empty, servers() as start, sync_playwright() as playwright:
        url = start(Backend.open("tiny", data_root=empty))
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.goto(url)
        page.wait_for_selector("#results .card", timeout=60_000)
        page.wait_for_timeout(1500)  # the bars are animated
        save(page, "screenshot.png")
        page.goto(f"{url}?dataset=cifar100&template=a+blurry+photo+of+a+%7B%7D.&tab=lab")
        page.get_by_text("images became correct").wait_for(timeout=60_000)
        page.wait_for_timeout(3000)
        save(page, "prompt-lab.png", colours=256)
        browser.close()


def save(page, name, colours=None):
    """Write a screenshot to assets/. A palette makes it three times smaller, but a photo loses its shades."""
    taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    if colours:
        taken = taken.quantize(colours, dither=Image.Dither.NONE)
    taken.save(ROOT / "assets" / name, optimize=True)


if __name__ == "__main__":
    main()
