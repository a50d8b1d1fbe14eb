"""What several test files share."""

import hashlib
import http.server
import threading
import time

from clip_demo.models.openai_clip import import_clip

# The only reasons to skip a test that the CI accepts.
NO_WEIGHTS = "OpenAI's weights are not on this machine"
NO_GPU = "no GPU on this machine"


class Server(http.server.ThreadingHTTPServer):
    """Serves `data` on loopback.

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
    requests : list of str or None
        The range of each request.
    """

    def __init__(self, data):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.data, self.ranges, self.cut_after, self.error, self.requests = data, True, None, None, []
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
    def do_GET(self):
        server, start = self.server, 0
        requested = self.headers.get("Range")
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
        self.wfile.write(body[1 << 16 :])

    def log_message(self, *arguments):
        pass


def publish(server, monkeypatch, name="ViT-B/32"):
    """Make openai-clip's model `name` the data of `server`."""
    checksum = hashlib.sha256(server.data).hexdigest()
    url = f"http://127.0.0.1:{server.server_port}/clip/models/{checksum}/{name.replace('/', '-')}.pt"
    monkeypatch.setitem(import_clip().clip._MODELS, name, url)


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
