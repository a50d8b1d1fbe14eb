"""Deployment of the encoder with Ray Serve."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from logging import getLogger

from ..errors import ModelError, OptionError
from ..models.encoder import InspectableEncoder
from .remote_errors import error_in
from .session import address, ray_session

logger = getLogger(__name__)

APPLICATION = "encoder"
# Requests that a replica has at a time, and those for which autoscaling adds one: two full batches of single images, of
# which one is computed while the other collects.
MOST_REQUESTS, WANTED_REQUESTS = 64, 16
WAITING = 1_000  # requests at the proxy, each of up to 5 MB; clients try those again that are refused
HEALTH = {"health_check_period_s": 10, "health_check_timeout_s": 120}  # waits behind a batch


@dataclass(frozen=True)
class Deployment:
    """How an encoder is deployed.

    Attributes
    ----------
    load : callable
        Returns the model, on the machine of each replica. Must be importable there, like a partial of `load_model`.
    replicas : tuple of (int, int)
        The fewest and the most. Between them Ray Serve decides by the load.
    gpus : float
        GPUs of a replica, such as 1, or 0.5 for two on each.
    cpus : int, optional
        Processor cores of a replica; default 1 with a GPU, otherwise an equal share of those of the cluster.
    host : str
        Address to listen on.
    port : int
    """

    load: Callable[[], InspectableEncoder]
    replicas: tuple[int, int] = (1, 1)
    gpus: float = 0.0
    cpus: int | None = None
    host: str = "127.0.0.1"
    port: int = 8000


@contextlib.contextmanager
def deployed(deployment: Deployment) -> Iterator[str]:
    """Deploy an encoder, on the cluster of ``$RAY_ADDRESS`` or on this machine, until the end of the context.

    On a cluster, HTTP is served by its head node.

    Yields
    ------
    str
        The address of the encoder.

    Raises
    ------
    OptionError
        When ray is not installed, there is no cluster, or it does not have what the replicas need.
    ModelError
        When the replicas cannot load the model.
    """
    with ray_session() as ray:
        _deploy(ray, deployment)
        try:
            yield _url(ray, deployment)
        finally:
            with contextlib.suppress(Exception):  # the cluster may be gone
                ray.serve.delete(APPLICATION)
                if address() and not ray.serve.status().applications:  # it may serve others, too
                    ray.serve.shutdown()


def _url(ray, deployment: Deployment) -> str:
    from ..models.remote_encoder import RemoteEncoder  # imports httpx, which other commands do not need

    head = next(node for node in ray.nodes() if "node:__internal_head__" in node["Resources"])
    host = head["NodeManagerAddress"] if deployment.host in ("0.0.0.0", "::") else deployment.host
    url = f"http://{f'[{host}]' if ':' in host else host}:{deployment.port}"
    try:
        RemoteEncoder.connect(url).close()
    except ModelError as error:
        logger.warning(
            "%s\nPerhaps 127.0.0.1 is that of the head node, for which --host 0.0.0.0 helps, or Ray Serve was "
            "running there already, with another --host or --port.", error
        )  # fmt: skip
    return url


def _deploy(ray, deployment: Deployment) -> None:
    from .encoder_app import EncoderReplica

    serve, logging = ray.serve, {"log_level": "ERROR", "enable_access_log": False}
    serve.start(
        proxy_location="HeadOnly",
        http_options={"host": deployment.host, "port": deployment.port},
        logging_config=logging,
    )
    fewest, most = deployment.replicas
    scaling = {"min_replicas": fewest, "max_replicas": most, "target_ongoing_requests": WANTED_REQUESTS}
    replica = serve.deployment(
        EncoderReplica,
        name=APPLICATION,
        max_ongoing_requests=MOST_REQUESTS,
        max_queued_requests=WAITING,
        ray_actor_options={"num_cpus": _cores(ray, deployment), "num_gpus": deployment.gpus},
        max_constructor_retry_count=2,
        logging_config=logging,
        **HEALTH,
        **({"num_replicas": most} if fewest == most else {"autoscaling_config": scaling}),
    )
    try:
        serve.run(replica.bind(deployment.load), name=APPLICATION, logging_config=logging)
    except RuntimeError as error:
        told = serve.status().applications[APPLICATION].deployments[APPLICATION].message
        reason = error_in(told) or told or error
        raise ModelError(f"encoder: it cannot be deployed. {reason}", private=True) from error


def _cores(ray, deployment: Deployment) -> int:
    """Return the cores of a replica, or raise an OptionError where the cluster does not have them."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cores, gpus = (sum(node.get(kind, 0) for node in nodes) for kind in ("CPU", "GPU"))
    fewest, most = deployment.replicas
    if deployment.gpus * fewest > gpus:
        raise OptionError(
            f"gpus-per-replica: got {deployment.gpus:g}; replicas: {fewest}. Ray has {gpus:g} GPUs here; use fewer, or "
            "add machines."
        )
    if deployment.cpus is not None:
        share = deployment.cpus
    elif deployment.gpus:
        share = 1
    else:
        share = max(min(int(cores // most), int(max(node.get("CPU", 0) for node in nodes))), 1)
    if share * fewest > cores:
        raise OptionError(
            f"cpus-per-replica: got {share}; replicas: {fewest}. Ray has {cores:g} cores here; use fewer, or add "
            "machines."
        )
    return share
