"""Record the page for the README: ``python tests/browser/recording.py``.

It is an animated WebP with an example photo and a test image of Shapes-100: no image of CIFAR-100 is committed.
"""

import io
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from conftest import ARGUMENTS, chromium, servers  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from clip_demo.backend import Backend  # noqa: E402

SIZE = {"width": 1280, "height": 720}
WORD = "dark "  # goes into "a photo of a {}", where every letter leaves a prompt that is allowed
_ARROW = [(0, 0), (0, 24), (6, 19), (10, 28), (14, 26), (10, 18), (18, 18)]


class Recorder:
    """Screenshots of a page with the time, in milliseconds, that each is shown, and a drawn mouse pointer."""

    def __init__(self, page):
        self.page = page
        self.pointer = (640, 690)
        self.frames: list[Image.Image] = []
        self.durations: list[int] = []
        self.motion = page.context.new_cdp_session(page)
        self.motion.send("Animation.enable")

    def hold(self, duration: int) -> None:
        """Show the page as it is."""
        self._add(self._screenshot(), duration)

    def click(self, locator, then: str = "") -> None:
        """Move the pointer to an element, click it, and wait until a selector, if given, is on the page."""
        box = locator.bounding_box()
        target = (round(box["x"] + box["width"] * 0.6), round(box["y"] + box["height"] * 0.6))
        start, image = self.pointer, self._screenshot()
        for part in (0.3, 0.6, 0.85, 1):
            self.pointer = tuple(round(a + (b - a) * part) for a, b in zip(start, target, strict=True))
            self._add(image, 60 if part < 1 else 200)
        self._add(image, 120, pressed=True)
        locator.click()
        if then:
            self.wait(then)

    def type(self, locator, text: str) -> None:
        """Type at the cursor."""
        for letter in text:
            locator.press_sequentially(letter)
            self._add(self._screenshot(), 130)

    def watch_the_bars(self, act, then: str) -> None:
        """Do something, wait for a selector, and show the bars while they move, much slower than screenshots take."""
        self.motion.send("Animation.setPlaybackRate", {"playbackRate": 0.02})
        act()
        self.page.wait_for_selector(then, state="attached")
        for _ in range(7):
            self.hold(60)
            self.page.wait_for_timeout(1200)
        self.motion.send("Animation.setPlaybackRate", {"playbackRate": 1})
        self.wait(then)

    def wait(self, selector: str) -> None:
        """Wait until a selector is on the page and nothing is being computed."""
        self.page.wait_for_selector(selector, state="attached")
        self.page.wait_for_selector("html:not(.clip-waiting)")
        self.page.wait_for_timeout(700)

    def save(self, path: Path) -> None:
        """Write the recording."""
        first, *others = self.frames
        options = {"save_all": True, "append_images": others, "duration": self.durations, "loop": 0}
        first.save(path, **options, quality=80, method=6, minimize_size=True)
        size, seconds = path.stat().st_size / 1000, sum(self.durations) / 1000
        print(f"{path}: {size:.0f} kB, {seconds:.1f} s")

    def _screenshot(self) -> Image.Image:
        return Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")

    def _add(self, image: Image.Image, duration: int, pressed: bool = False) -> None:
        frame = image.copy()
        draw, (x, y) = ImageDraw.Draw(frame), self.pointer
        if pressed:
            draw.ellipse((x - 18, y - 18, x + 18, y + 18), outline="#4f46e5", width=4)
        draw.polygon([(x + dx, y + dy) for dx, dy in _ARROW], fill="#0f172a", outline="white", width=2)
        self.frames.append(frame)
        self.durations.append(duration)


def main():
    """Record the story: ten words, nine words, another prompt, a test image, a class."""
    with tempfile.TemporaryDirectory() as empty, servers() as start, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        page = browser.new_page(viewport=SIZE)
        page.goto(start(Backend.open("tiny", data_root=empty)))
        page.wait_for_selector("#results .card", timeout=60_000)
        page.wait_for_timeout(1500)
        record = Recorder(page)
        tell(record, page)
        record.save(ROOT / "assets" / "recording.webp")
        browser.close()


def tell(record: Recorder, page) -> None:
    """Act and record."""
    guide, templates = page.locator("#guide"), page.locator("#templates textarea")
    record.hold(2000)
    record.click(guide.get_by_role("button", name="Hide the answer"), "#guide .answer")
    record.hold(1800)
    record.watch_the_bars(lambda: record.click(guide.locator(".answer")), "#results .zero-shot .beyond")
    record.hold(2400)
    record.click(page.locator("#own-list"), "#results .zero-shot .bar.right")
    record.hold(1200)
    record.click(templates, "#templates textarea:focus")
    templates.evaluate("(field) => field.setSelectionRange(2, 2)")  # after "a "
    record.type(templates, WORD[:-2])
    record.watch_the_bars(lambda: record.type(templates, WORD[-2:]), "#results .zero-shot .change")
    record.hold(2400)
    # Without a pause between the two clicks: CIFAR-100 comes first, and its images are not on this page.
    page.locator("#source").get_by_label("Dataset").check()
    page.locator("#dataset").get_by_label("Shapes-100").check()
    record.wait("#image img[alt*=Shapes-100]")
    record.hold(2000)
    record.click(page.locator("#present button"), ".presenting")
    record.hold(1500)
    record.click(page.locator('#presentation [data-present="guess"]'), ".guessing")
    record.hold(2000)


if __name__ == "__main__":
    main()
