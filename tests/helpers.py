"""What several test files share."""

import ctypes
import hashlib
import http.server
import io
import os
import re
import struct
import sys
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from clip_demo.benchmark.server import run_server, wait_until_served
from clip_demo.datasets.base import Dataset
from clip_demo.models import sources

# The only reasons to skip a test that the CI accepts.
NO_WEIGHTS = "OpenAI's weights are not on this machine"
NO_GPU = "no GPU on this machine"


class Server(http.server.ThreadingHTTPServer):
    """Serves `data` on loopback, at every path; below ``/hub/`` it behaves like the Hugging Face Hub.

    Attributes
    ----------
    ranges : bool
        Whether range requests are supported.
    cut_after : int or None
        Close the next connection after so many bytes.
    error : int or None
        HTTP status of all responses.
    gate : threading.Event
        While it is cleared, a response stops after 64 kB.
    rate : int or None
        Bytes per second.
    hangs : bool
        Whether requests are left without an answer.
    requests : list of str or None
        The range of each request.
    paths : list of str
        Method and path of each request.
    """

    def __init__(self, data):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.data, self.ranges, self.cut_after, self.error, self.requests = data, True, None, None, []
        self.rate, self.hangs, self.paths = None, False, []
        self.gate = threading.Event()
        self.gate.set()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def server_close(self):
        self.gate.set()
        self.shutdown()
        super().server_close()

    def handle_error(self, request, client_address):
        pass


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        """Answer as the Hub does: a redirect to the file, with its checksum and its commit."""
        self.server.paths.append(f"HEAD {self.path}")
        if self.server.error:
            return self.send_error(self.server.error)
        if "/resolve/" not in self.path:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        at_file = self.path.startswith("/files")
        self.send_response(200 if at_file else 302)
        if not at_file:
            self.send_header("Location", f"/files{self.path}")
        self.send_header("X-Repo-Commit", re.search("/resolve/(.*?)/", self.path)[1])
        self.send_header("X-Linked-Etag", f'"{hashlib.sha256(self.server.data).hexdigest()}"')
        self.send_header("X-Linked-Size", str(len(self.server.data)))
        self.send_header("Content-Length", str(len(self.server.data)) if at_file else "0")
        self.end_headers()

    def do_GET(self):
        server, start = self.server, 0
        requested = self.headers.get("Range")
        server.paths.append(f"GET {self.path}")
        if server.hangs:
            return server.gate.wait(30)
        if "/resolve/" in self.path and not self.path.startswith("/files"):
            self.send_response(302)
            self.send_header("Location", f"/files{self.path}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        server.requests.append(requested)
        if server.error:
            return self.send_error(server.error)
        if requested and server.ranges:
            start = int(requested.removeprefix("bytes=").removesuffix("-"))
            if start >= len(server.data):
                return self.send_error(416)
        body = server.data[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.cut_after is not None:
            body, server.cut_after = body[: server.cut_after], None
        self.wfile.write(body[: 1 << 16])
        server.gate.wait()
        for first in range(1 << 16, len(body), server.rate or len(body)):
            self.wfile.write(body[first : first + (server.rate or len(body))])
            if server.rate:
                threading.Event().wait(1)  # tests may replace time.sleep

    def log_message(self, *arguments):
        pass


def publish(server, monkeypatch, name="ViT-B/32"):
    """Make the data of `server` OpenAI's archive of a model, and its only source."""
    monkeypatch.setitem(sources.ARCHIVES, name, (hashlib.sha256(server.data).hexdigest(), len(server.data)))
    monkeypatch.setattr(sources, "ADDRESSES", (f"http://127.0.0.1:{server.server_port}/{{sha256}}/{{file}}",))
    monkeypatch.setattr(sources, "TIMM", {})
    monkeypatch.setattr(sources, "TRANSFORMERS", {})


def wait_for(condition, seconds=30):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not hold in time"
        time.sleep(0.005)


class BusyEncoder:
    """Keeps an `EncoderQueue` busy until it is released, so that everything submitted meanwhile waits."""

    def __init__(self, queue):
        self._release, started = threading.Event(), threading.Event()
        queue.submit(lambda: started.set() or self._release.wait(30))
        assert started.wait(10)

    def release(self):
        self._release.set()


def unprivileged(function, *arguments):
    """Call a function in a thread that permissions bind, also where root runs the tests, whom they do not bind."""

    def drop():
        if sys.platform == "linux" and os.geteuid() == 0:
            libc = ctypes.CDLL(None, use_errno=True)
            header, kept = struct.pack("Ii", 0x20080522, 0), ctypes.create_string_buffer(24)
            # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, which let root pass; of this thread and those that it starts.
            if libc.capget(header, kept) == 0:
                words = [word & ~0b110 if i < 3 else word for i, word in enumerate(struct.unpack("6I", kept.raw))]
                libc.capset(header, struct.pack("6I", *words))

    with ThreadPoolExecutor(1, initializer=drop) as pool:
        return pool.submit(function, *arguments).result()


def cifar100_archive(files):
    """Return an archive like CIFAR-100's with the given contents by file name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(f"cifar-100-python/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class SmallDataset(Dataset):
    """Drawn images, class after class as in a folder, with as many images of each class and split as is asked for.

    Parameters
    ----------
    counts : dict of str to dict of str to int
        Numbers of images by split and class name; a class may have none.
    image_sizes : sequence of (int, int)
        Width and height of the images, in turn.
    groups : dict of str to str, optional
        The coarse class of each class.
    """

    def __init__(self, counts, image_sizes=((32, 32),), groups=None, name="small", title="Small"):
        self.name, self.title, self.image_sizes = name, title, image_sizes
        self.classnames = tuple(next(iter(counts.values())))
        self._labels = {split: np.repeat(np.arange(len(each)), list(each.values())) for split, each in counts.items()}
        self.sizes = {split: len(labels) for split, labels in self._labels.items()}
        if groups:
            self.coarse_names = tuple(dict.fromkeys(groups.values()))
            self.coarse_of = tuple(self.coarse_names.index(groups[name]) for name in self.classnames)

    def available(self):
        return True

    def labels(self, split="test"):
        return self._labels[split]

    def images(self, indices, split="test"):
        return [self._image(int(index), split) for index in indices]

    def _image(self, index, split):
        """Return a disc in the colour that the class is named after, or else of its own; the index places it."""
        width, height = self.image_sizes[index % len(self.image_sizes)]
        label = self.labels(split)[index]
        name, hue = self.classnames[label], 360 * label // len(self.classnames)
        image = Image.new("RGB", (width, height))
        x, y, radius = width * (index * 7 % 10) / 10, height * (index * 3 % 10) / 10, 0.4 * min(width, height)
        box = (x - radius, y - radius, x + radius, y + radius)
        ImageDraw.Draw(image).ellipse(box, fill=name if name in ImageColor.colormap else f"hsl({hue}, 90%, 50%)")
        return image


def answer_of_the_started_app(*arguments):
    """Start the app as a command, and return its prediction of test image 12 of Shapes-100."""
    import gradio_client  # takes a second, and most tests need none

    with run_server(["app.py", *arguments]) as (url, process):
        wait_until_served(url, process)
        client = gradio_client.Client(url, verbose=False)
        try:
            return client.submit(index=12, api_name="/predict").result(timeout=60)
        finally:
            client.close()
