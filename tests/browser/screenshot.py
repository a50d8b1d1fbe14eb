"""Take the README's screenshot of the real page: ``python tests/browser/screenshot.py [OUTPUT] [QUERY]``.

The picture is one of Shapes-100: no picture of CIFAR-100 is committed.
"""

import io
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from conftest import ARGUMENTS, chromium  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from clip_demo.backend import Backend  # noqa: E402
from clip_demo.ui import build_ui, launch_options  # noqa: E402


def main(output=ROOT / "assets" / "screenshot.png", query="images=shapes100&index=9"):
    demo = build_ui(Backend.open("tiny", images="shapes100"))
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            page.goto(f"{url}?{query}")
            page.wait_for_selector("#results .card", timeout=60_000)
            page.wait_for_timeout(800)  # the bars have grown
            taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            browser.close()
    finally:
        demo.close()
    # A palette of 256 colours makes it a third as large, and nobody sees the difference.
    taken.quantize(256, dither=Image.Dither.NONE).save(output, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
