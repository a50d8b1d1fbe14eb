"""Take the screenshots of the README: ``python tests/browser/screenshot.py``.

They show an image of Shapes-100, because no image of CIFAR-100 is committed.
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
from clip_demo.ui.page import build_ui, launch_options  # noqa: E402


def main():
    demo = build_ui(Backend.open("tiny", dataset="shapes100"))
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            page.goto(f"{url}?dataset=shapes100&index=9")
            page.wait_for_selector("#results .card", timeout=60_000)
            page.wait_for_timeout(800)  # the bars are animated
            save(page, "screenshot.png")
            # Numbers of CIFAR-100, from stored features; none of its images is visible.
            page.goto(f"{url}?dataset=cifar100&template=a+blurry+photo+of+a+%7B%7D.")
            page.wait_for_selector("#results .card", timeout=60_000)
            page.get_by_role("tab", name="Prompt Lab").click()
            page.get_by_text("images became correct").wait_for(timeout=60_000)
            page.wait_for_timeout(3000)
            save(page, "prompt-lab.png")
            browser.close()
    finally:
        demo.close()


def save(page, name):
    taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    # A palette of 256 colours makes the file three times smaller without a visible difference.
    taken.quantize(256, dither=Image.Dither.NONE).save(ROOT / "assets" / name, optimize=True)


if __name__ == "__main__":
    main()
