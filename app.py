"""Start the web app: ``python app.py``, then open the printed address."""

import argparse
import contextlib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial

from clip_demo.backend import Backend
from clip_demo.cli.terminal import run
from clip_demo.datasets.catalog import NAMES
from clip_demo.errors import ClipDemoError, OptionError
from clip_demo.models.catalog import ACTIVATIONS, AUTO
from clip_demo.open_files import allow_many_connections
from clip_demo.serving import zero_gpu
from clip_demo.serving.host_rules import HostRules
from clip_demo.serving.preparation import PATIENCE, News
from clip_demo.serving.probe_job import Plan
from clip_demo.switches import is_offline, is_on
from clip_demo.ui.address import check_address, is_loopback, without_proxy
from clip_demo.ui.bounded_log import bounded_log
from clip_demo.ui.event_errors import Page
from clip_demo.ui.page import build_ui, launch_options
from clip_demo.ui.shutdown import shut_down
from clip_demo.ui.upload_folder import UploadFolder

EXAMPLE = """example:
  python app.py --model ViT-B/32 --dataset cifar100 --data-root ~/data --port 8000

The page opens at once with the built-in model. Meanwhile, ViT-B/32 (354 MB) and CIFAR-100 (169 MB) are downloaded, and
a first linear probe is fitted; the one on all training images follows if that takes less than half an hour, otherwise
the page asks. It all can be stopped on the page, and goes on at the next start. --offline and --no-build switch it off.

Gradio's environment variables, such as GRADIO_SERVER_NAME, GRADIO_SERVER_PORT and GRADIO_SHARE, work as well."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the web app and serve until it is interrupted.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the command line.

    Returns
    -------
    int
        Exit status: 2 after an argument that is not allowed, with one line on stderr.
    """
    options = make_parser().parse_args(arguments)
    serving = threading.Event()
    try:
        check_address(options.host, options.port)
        is_shared = options.share or os.environ.get("GRADIO_SHARE", "").lower() == "true"
        rules = _rules(options, is_shared)
        _set_switches(options)
        options.device = _device(options.device)
        backend = Backend.open(
            options.model,
            dataset=options.dataset,
            data_root=options.data_root,
            weights_root=options.weights_root,
            device=options.device,
            hold=serving,
            rules=rules,
            activation=options.activation,
            heads=options.heads,
            encoder=options.encoder,
        )
        uploads = UploadFolder()
    except ClipDemoError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 2
    with bounded_log(), uploads:
        demo = build_ui(backend)
        # Only the tunnel of a public link may need a proxy.
        with contextlib.nullcontext() if is_shared else without_proxy():
            demo.launch(
                server_name=options.host,
                server_port=options.port,
                share=options.share or None,  # None leaves the choice to Gradio's environment variable
                prevent_thread_lock=True,
                **launch_options(),
            )
        if rules.public:
            offered = ", ".join(sorted(rules.offered)) or "nothing"
            print(f"* Visitors use what is on this machine, and may download: {offered} (--offer).")
        serving.set()  # models are loaded from now on
        if plan := _plan(options, backend):
            backend.preparation.start(plan)
        with contextlib.suppress(KeyboardInterrupt):
            _wait(demo, backend)
        shut_down(demo)
    return 0


def _set_switches(options: argparse.Namespace) -> None:
    if options.build_head and options.no_build:
        raise OptionError("build-head: got it together with no-build, which forbids it; omit one of them.")
    if options.offline:
        os.environ["CLIP_DEMO_OFFLINE"] = "1"


def _rules(options: argparse.Namespace, is_shared: bool) -> HostRules:
    offered = frozenset(re.split(r"[\s,]+", " ".join(options.offer))) - {""}
    return HostRules(options.public or is_shared or not is_loopback(options.host), offered)


def _wait(demo: Page, backend: Backend) -> None:
    """Wait until the server stops, and say how the preparation goes."""
    news = News(partial(print, flush=True))
    while demo.is_running:
        with contextlib.suppress(OSError):  # nobody reads it any more
            news.tell(backend.preparation.status, time.monotonic())
        time.sleep(0.1)


def _plan(options: argparse.Namespace, backend: Backend) -> Plan | None:
    """Return what to get ready without a click; None for nothing."""
    if options.build_head:
        return Plan(head_only=True)
    if backend.preferred_model == backend.models[0]:  # nothing is preferred to what is there
        return None
    if is_offline() and not backend.preparation.dataset.available():
        return None
    return Plan(fit=not options.no_build, head_only=True, patience=PATIENCE)


def _device(device: str | None) -> str | None:
    if zero_gpu.start():
        return "cpu"  # the GPU is there only within the calls that need it
    if device is not None:
        from clip_demo.models.load import check_device  # imports torch, which takes seconds

        check_device(device)
    return device


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="app.py",
        description="CLIP Explorer: zero-shot prediction beside a linear probe, in the browser.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", default=AUTO, metavar="M", help="auto (default: starts with tiny and gets ViT-B/32 ready with "
        "CIFAR-100 and a linear probe), tiny (built in, fetches nothing), a CLIP model such as RN50, which is "
        "downloaded once, or the path of a checkpoint")  # fmt: skip
    add("--activation", type=str.lower, choices=ACTIVATIONS, help="of a checkpoint: gelu for most models of open_clip "
        "(default: what the file says, otherwise quickgelu, as in OpenAI's models)")  # fmt: skip
    add("--heads", type=int, metavar="N", help="attention heads of a checkpoint's image encoder, such as 16 in "
        "open_clip's ViT-H-14 (default: what the file says, otherwise its width / 64)")  # fmt: skip
    add("--encoder", metavar="URL", help="address of an encoder on other machines, such as http://10.0.0.5:8000, see "
        "`python -m clip_demo serve-encoder --help`; with --model, the page starts only if it is that one")  # fmt: skip
    add("--dataset", metavar="SET", action="append", help=f"the dataset at the start: {', '.join(NAMES)}, or the "
        "path of a folder with one folder of images for each class, or of a zip of one; give it several times to offer "
        "more (default: cifar100 if it is on disk, otherwise shapes100, which needs no download)")  # fmt: skip
    add("--data-root", metavar="DIR", help="folder that contains cifar-100-python (default: $CLIP_DEMO_DATA, otherwise "
        "~/.cache, data, ~/data or ~/datasets)")  # fmt: skip
    add("--weights-root", metavar="DIR", help="folder of OpenAI's weights (default: $CLIP_DEMO_WEIGHTS, otherwise "
        "~/.cache/clip, which openai-clip uses, too)")  # fmt: skip
    add("--device", metavar="D", help="cpu, cuda or mps (default: cuda if it is available, otherwise cpu)")
    add("--build-head", action="store_true", help="fit a linear probe on all training images of the dataset in the "
        "background, unless there is one, however long it takes: for ViT-B/32 with --model auto, otherwise for "
        "--model")  # fmt: skip
    add("--no-build", action="store_true", default=is_on("CLIP_DEMO_NO_BUILD"), help="fit nothing without a click; "
        "models and datasets are downloaded (default: $CLIP_DEMO_NO_BUILD)")  # fmt: skip
    add("--offline", action="store_true", default=is_on("CLIP_DEMO_OFFLINE"), help="fetch nothing and try no "
        "address: use what is on this machine (default: $CLIP_DEMO_OFFLINE)")  # fmt: skip
    add("--host", metavar="H", help="address to listen on (default: $GRADIO_SERVER_NAME, otherwise 127.0.0.1, this "
        "computer only); 0.0.0.0 accepts other computers, for example in a classroom")  # fmt: skip
    add("--port", type=int, metavar="P", help="port to listen on (default: $GRADIO_SERVER_PORT, otherwise the first "
        "free port from 7860)")  # fmt: skip
    add("--share", action="store_true", help="also create a public gradio.live link")
    add("--public", action="store_true", help="treat all visitors as strangers, who start no download and no job; so "
        "it is anyway with --share and with a --host that accepts other computers, and it is needed behind a proxy on "
        "this computer")  # fmt: skip
    add("--offer", nargs="+", metavar="NAME", default=os.environ.get("CLIP_DEMO_OFFER", "").split(),
        help="models and datasets that strangers may download, such as ViT-B/32 cifar100 (default: those in "
        "$CLIP_DEMO_OFFER)")  # fmt: skip
    return parser


if __name__ == "__main__":
    # A process manager or a container stops the page as Ctrl+C does.
    signal.signal(signal.SIGTERM, _interrupt)
    allow_many_connections()
    try:
        status = run(main, "app.py")
    except KeyboardInterrupt:  # while it was starting
        status = 0
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    # Not sys.exit, which waits for threads that still compute, and then takes seconds to take everything apart.
    os._exit(status)
