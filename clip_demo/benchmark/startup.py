"""Time from starting the web app until its page is served, and until a browser shows the first prediction.

Compared with a plain Gradio demo. The browser is Chromium, where it and Playwright are installed.
"""

import importlib.util
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..paths import EXAMPLES
from ..progress import Progress
from .models import network
from .random_checkpoints import write_archive
from .report import Comparison
from .sections import Settings
from .server import TIMEOUT, run_server, wait_until_served

# Most demos load the model first and build the page afterwards. This one has the classes of the article.
_PLAIN_DEMO = """
import sys
from clip_demo.models.openai_clip import import_clip  # works around recent versions of setuptools
clip = import_clip()
import torch, gradio
from clip_demo.datasets.cifar100_classes import CIFAR100_CLASSNAMES as names
model, preprocess = clip.load(sys.argv[1], device="cpu")
def predict(image):
    with torch.no_grad():
        logits, _ = model(preprocess(image)[None], clip.tokenize([f"a photo of a {name}" for name in names]))
    return dict(zip(names, logits.softmax(dim=-1)[0].tolist()))
gradio.Interface(predict, gradio.Image(type="pil"), gradio.Label(num_top_classes=5)).launch(quiet=True)
"""


def measure(settings: Settings, progress: Progress) -> list[Comparison]:
    """Start the web app and a plain demo alternately, with the same random ViT-B/32."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder, _browser() as open_page:
        archive = str(write_archive(network(), Path(folder) / "ViT-B-32.pt"))
        for done in range(settings.rounds):
            ours.append(_seconds(["app.py", "--model", archive, "--dataset", "shapes100"], open_page, _see_ours))
            theirs.append(_seconds(["-c", _PLAIN_DEMO, archive], open_page, _see_theirs))
            progress("starts", done + 1, settings.rounds)
    name = "gradio.Interface after clip.load"
    whats = ("python app.py until the page is served", "python app.py until the first bars are drawn")
    targets = ("at most 4 s", "")
    # Without a browser, there is one time of each start.
    times = zip(whats, targets, zip(*ours, strict=True), zip(*theirs, strict=True), strict=False)
    return [Comparison(what, "s", name, own, other, target) for what, target, own, other in times]


def _seconds(
    arguments: Sequence[str], open_page: Callable[[str], Any] | None, see: Callable[[Any], None]
) -> tuple[float, ...]:
    """Return the seconds until the page is served, and until a browser shows a prediction."""
    start = time.perf_counter()
    with run_server(arguments) as (url, process):
        wait_until_served(url, process)
        times = [time.perf_counter() - start]
        if open_page is not None:
            page = open_page(url)
            see(page)
            times.append(time.perf_counter() - start)
            page.context.close()
    return tuple(times)


def _see_ours(page: Any) -> None:
    page.wait_for_selector("#results .bar", timeout=1000 * TIMEOUT)


def _see_theirs(page: Any) -> None:
    page.locator("input[type=file]").set_input_files(EXAMPLES / "cat.jpg")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_selector("[data-testid=label-output-value]", timeout=1000 * TIMEOUT)


@contextmanager
def _browser() -> Iterator[Callable[[str], Any] | None]:
    """Yield a function that opens an address in a new Chromium profile and returns the page; None without Chromium."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or importlib.util.find_spec("playwright") is None:
        yield None
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--headless=new", "--no-sandbox"])

        def open_page(url: str) -> Any:
            page = browser.new_context().new_page()
            page.goto(url)
            return page

        yield open_page
        browser.close()
