"""The command ``serve-encoder``: a model for many pages, on as many machines as it takes."""

import argparse
import contextlib
import signal
import socket
import time

from ..cluster.serve import Deployment, deployed
from ..errors import OptionError
from ..models.catalog import check_model, check_network_options, title_of
from .options import add_device, add_network_options, add_weights_root
from .ray_option import model_loader


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add = command.add_argument
    add("--model", required=True, metavar="M", help="tiny, a CLIP model such as ViT-B/32, or the path of a checkpoint; "
        "each machine loads it, and downloads it where it must")  # fmt: skip
    number = command.add_mutually_exclusive_group()
    number.add_argument("--replicas", type=int, default=1, metavar="N", help="copies of the model (default: 1)")
    number.add_argument("--autoscale", type=int, nargs=2, metavar=("MIN", "MAX"), help="as many as the load needs")
    add("--gpus-per-replica", type=float, default=0.0, metavar="G", help="GPUs of a copy, such as 1, or 0.5 for two on "
        "each (default: 0)")  # fmt: skip
    add("--cpus-per-replica", type=int, metavar="C", help="processor cores of a copy (default: 1 with a GPU, "
        "otherwise an equal share of all)")  # fmt: skip
    add("--host", default="127.0.0.1", metavar="H", help="address to listen on (default: 127.0.0.1, this computer "
        "only); 0.0.0.0 accepts all computers that reach this one")  # fmt: skip
    add("--port", type=int, default=8000, metavar="P", help="port to listen on (default: 8000)")
    add_network_options(command)
    add_device(command)
    add_weights_root(command)


def run_serve_encoder(options: argparse.Namespace) -> None:
    """Serve until it is interrupted."""
    deployment = _deployment(options)
    with contextlib.suppress(KeyboardInterrupt), deployed(deployment) as url:
        # A process manager or a container stops it as Ctrl+C does. Not earlier, because Ray sets a handler of its own.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        print(f"{title_of(options.model)} is served at {url}. Ctrl+C ends it.", flush=True)
        print(f"The page with it: python app.py --encoder {url}", flush=True)
        while True:
            time.sleep(1)


def _deployment(options: argparse.Namespace) -> Deployment:
    check_model(options.model)
    check_network_options(options.model, options.activation, options.heads)
    fewest, most = options.autoscale or (options.replicas, options.replicas)
    if not 1 <= fewest <= most:
        given = "--autoscale" if options.autoscale else "--replicas"
        raise OptionError(f"{given}: got {fewest} to {most}; use numbers of at least 1, the smaller one first.")
    if not 0 <= options.gpus_per_replica < float("inf"):
        raise OptionError(f"--gpus-per-replica: got {options.gpus_per_replica}; use 0 or more.")
    if options.cpus_per_replica is not None and options.cpus_per_replica < 1:
        raise OptionError(f"--cpus-per-replica: got {options.cpus_per_replica}; use at least 1.")
    device = options.device or (None if options.gpus_per_replica else "cpu")
    _check_port(options.host, options.port)
    load, number = model_loader(options, device), (fewest, most)
    return Deployment(load, number, options.gpus_per_replica, options.cpus_per_replica, options.host, options.port)


def _check_port(host: str, port: int) -> None:
    """Try to listen for a moment, before anything is started."""
    try:
        with socket.create_server((host, port)):
            pass
    except (OSError, OverflowError) as error:
        raise OptionError(f"--host, --port: {host}:{port} cannot be used ({error}); choose others.") from error
