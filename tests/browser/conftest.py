"""One real server and one real browser for all tests of this folder."""

import contextlib
import shutil
import socket
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")

from clip_demo.backend import Backend  # noqa: E402
from clip_demo.paths import BUILT_IN_CHECKPOINT  # noqa: E402
from clip_demo.ui.page import build_ui, launch_options  # noqa: E402

ARGUMENTS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
    "--host-resolver-rules=MAP classroom.test 127.0.0.1",  # a name that is not this machine's own, and leads to it
]


def chromium():
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), "/usr/bin/chromium")


@pytest.fixture(scope="session")
def browser():
    if not Path(chromium()).exists():
        pytest.skip("no Chromium: install Debian's package chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def browser_with_webcam(browser):
    """Another browser, whose webcam shows a moving test image and needs no permission."""
    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with browser.browser_type.launch(executable_path=chromium(), args=[*ARGUMENTS, *fake]) as launched:
        yield launched


@pytest.fixture(scope="session")
def backend():
    """The real built-in model with Shapes-100 as the default dataset, and CIFAR-100 if it is on this machine."""
    if not BUILT_IN_CHECKPOINT.exists():
        pytest.skip(f"{BUILT_IN_CHECKPOINT} is missing")
    return Backend.open("tiny", dataset="shapes100")


@contextlib.contextmanager
def servers():
    """Yield a function that serves the page of a backend and returns its address; close all servers at the end."""
    demos = []

    def start(backend):
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        demos.append(build_ui(backend))
        options = {"server_name": "127.0.0.1", "server_port": port, "prevent_thread_lock": True, "quiet": True}
        return demos[-1].launch(**options, **launch_options())[1]

    try:
        yield start
    finally:
        for demo in demos:
            demo.close(verbose=False)


@pytest.fixture
def serve():
    """Serve the page of a test's own backend. A server that stayed open would slow down all later tests."""
    with servers() as start:
        yield start


@pytest.fixture(scope="session")
def url(backend):
    """The address of the page of the built-in model."""
    with servers() as start:
        address = start(backend)
        assert backend.encoder().name  # waits until the model is loaded
        yield address


@pytest.fixture(scope="session")
def contexts(browser):
    """Browser contexts by their options. Pages of one context share a cache and open faster."""
    made = {}

    def get(**options):
        key = repr(sorted(options.items()))
        if key not in made:
            made[key] = browser.new_context(**options)
        return made[key]

    yield get
    for context in made.values():
        context.close()


@pytest.fixture
def open_page(contexts, request, serve):  # with `serve`, so that pages are closed before their servers
    """Open the page. An error in the browser, or a request to another machine, fails the test."""
    pages, errors = [], []

    def watch(request):
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            errors.append(f"a request to {request.url}")

    def start(query="", *, url=None, ready="#results .card", **options):
        url = url or request.getfixturevalue("url")
        page = contexts(**{"viewport": {"width": 1280, "height": 800}, **options}).new_page()
        pages.append(page)
        page.set_default_timeout(15_000)
        page.on("request", watch)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url + query)
        page.wait_for_selector(ready)
        return page

    yield start
    for page in pages:
        page.close()
    assert errors == []
