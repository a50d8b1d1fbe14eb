"""An encoder on loopback that fails as it is told, for tests of its client."""

import contextlib
import http.server
import socket
import threading

import numpy as np

from clip_demo.models import encoder_protocol as protocol
from clip_demo.models.encoder import Anatomy
from clip_demo.models.encoder_protocol import ModelCard


class MeanEncoder:
    """Its image features are the mean colours, and its text features the lengths of the prompts."""

    name, note, sha256, logit_scale = "toy", "a toy", "70" * 32, 10.0
    anatomy, heat_map_method = Anatomy("ViT", 4, 2, 2, 3, 77), "Grad-ECLIP"

    def encode_images(self, inputs):
        return np.stack(inputs).mean(axis=(1, 2), dtype=np.float32)

    def encode_texts(self, prompts):
        return np.repeat(np.float32([len(prompt) for prompt in prompts])[:, None], 3, axis=1)


class EncoderServer(http.server.ThreadingHTTPServer):
    """Serves an encoder on loopback.

    Attributes
    ----------
    encoder : InspectableEncoder
    card : ModelCard
    faults : list
        What the next requests get: a status, "drop" (the connection is closed), "garbage" (other bytes), "no tag", or
        an error of this program.
    requests : list of (str, int)
        Path and length of each request.
    sockets : list of socket.socket
        Of the connections that were opened.
    most : int
        How many requests were there at the same time.
    gate : threading.Event
        While it is cleared, requests wait.
    """

    request_queue_size = 64

    def __init__(self, encoder=None, port=0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.encoder = encoder or MeanEncoder()
        self.card = ModelCard.of(self.encoder)
        self.faults, self.requests, self.sockets = [], [], []
        self.gate = threading.Event()
        self.gate.set()
        self.most, self.running, self.lock = 0, 0, threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def stop(self):
        """Stop, and close all connections as a process that dies."""
        self.shutdown()
        self.server_close()
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.sockets.append(self.connection)

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._handle()

    def do_POST(self):
        self._handle()

    def _handle(self):
        server, content = self.server, self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with server.lock:
            server.requests.append((self.path, len(content)))
            server.running += 1
            server.most = max(server.most, server.running)
            fault = server.faults.pop(0) if server.faults else None
        server.gate.wait(10)
        with server.lock:
            server.running -= 1
        if fault == "drop":
            self.close_connection = True
            return None
        if self.headers.get("If-Match") not in (None, server.card.tag):
            return self._answer(protocol.OTHER_MODEL, b"")
        if fault == "no tag":
            return self._answer(200, b"", tag=None)
        if isinstance(fault, int):
            return self._answer(fault, b"it failed", tag=None)
        if fault == "garbage":
            return self._answer(200, b"garbage")
        if isinstance(fault, Exception):
            return self._answer(protocol.REFUSED, protocol.error_to_json(fault).encode())
        return self._answer(200, self._result(content))

    def _result(self, content):
        card, encoder = self.server.card, self.server.encoder
        if self.path == protocol.MODEL:
            return card.to_json().encode()
        if self.path == protocol.IMAGES:
            return protocol.features_to_bytes(encoder.encode_images(card.images_of(content)))
        return protocol.features_to_bytes(encoder.encode_texts(protocol.prompts_of(content)))

    def _answer(self, status, content, tag=True):
        self.send_response(status)
        if tag:
            self.send_header("ETag", self.server.card.tag)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
