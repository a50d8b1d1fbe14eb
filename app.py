"""Start the web app: ``python app.py``, then open the address that it prints."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Sequence

from clip_demo.backend import Backend
from clip_demo.errors import ClipDemoError
from clip_demo.models.catalog import AUTO
from clip_demo.ui.page import build_ui, launch_options

EXAMPLE = """example:
  python app.py --model ViT-B/32 --dataset cifar100 --data-root ~/data --port 8000

Without arguments everything works offline: the built-in model, and CIFAR-100 where it is on disk, else Shapes-100.
The environment variables of Gradio, such as GRADIO_SERVER_NAME, GRADIO_SERVER_PORT and GRADIO_SHARE, work too."""


def main(argv: Sequence[str] | None = None) -> int:
    """Start the web app and serve until it is interrupted.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; default those of the command line.

    Returns
    -------
    int
        Exit status: 2 after an argument that is not allowed, with one line on stderr.
    """
    args = parser().parse_args(argv)
    serving = threading.Event()
    try:
        backend = Backend.open(
            args.model,
            dataset=args.dataset,
            data_root=args.data_root,
            weights_root=args.weights_root,
            device=args.device,
            hold=serving,
        )
        if args.build_head:
            backend.build(model=backend.preferred_model, if_missing=True)
    except ClipDemoError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 2
    # None leaves the choice to Gradio's own environment variables, which Hugging Face Spaces sets.
    where = {"server_name": args.host, "server_port": args.port, "share": args.share or None}
    demo = build_ui(backend)
    demo.launch(prevent_thread_lock=True, **where, **launch_options())
    serving.set()
    demo.block_thread()
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    result = argparse.ArgumentParser(
        prog="app.py",
        description="CLIP Explorer: zero-shot prediction beside a linear probe, in the browser.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add("--model", default=AUTO, metavar="M", help="auto (the default: tiny at once, and ViT-B/32 as soon as it is "
        "downloaded and loaded); tiny (built in); a name such as RN50, which is downloaded once; or the path of a "
        "checkpoint")  # fmt: skip
    add("--dataset", metavar="SET", help="the dataset to start on: cifar100 or shapes100; default cifar100 where it "
        "is on disk, else shapes100, which is drawn by code")  # fmt: skip
    add("--data-root", metavar="DIR", help="the folder that holds cifar-100-python; default $CLIP_DEMO_DATA, else "
        "~/.cache")  # fmt: skip
    add("--weights-root", metavar="DIR", help="the folder of OpenAI's weights; default $CLIP_DEMO_WEIGHTS, else "
        "~/.cache/clip, where openai-clip puts them")  # fmt: skip
    add("--device", metavar="D", help="cpu, cuda or mps; default cuda where there is one, else cpu")
    add("--build-head", action="store_true", help="where there is no head on all training images, make one in the "
        "background: of ViT-B/32 with --model auto, else of --model, on the dataset to start on")  # fmt: skip
    add("--host", metavar="H", help="the address to listen on; default $GRADIO_SERVER_NAME, else 127.0.0.1 (this "
        "computer only); 0.0.0.0 lets a whole classroom in")  # fmt: skip
    add("--port", type=int, metavar="P", help="the port to listen on; default $GRADIO_SERVER_PORT, else the first "
        "free one from 7860")  # fmt: skip
    add("--share", action="store_true", help="also make a public gradio.live link")
    return result


if __name__ == "__main__":
    sys.exit(main())
