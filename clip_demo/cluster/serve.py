"""Deployment of the encoder with Ray Serve."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from logging import ERROR, getLogger

from ..errors import ModelError, OptionError
from .session import address, ray_session

APPLICATION = "encoder"
# Requests that a replica has at a time, and those for which autoscaling adds one: two full batches of single images, of
# which one is computed while the other collects.
MOST_REQUESTS, WANTED_REQUESTS = 64, 16
HEALTH = {"health_check_period_s": 10, "health_check_timeout_s": 120}  # waits behind a batch


@dataclass(frozen=True)
class Deployment:
    """How an encoder is deployed.

    Attributes
    ----------
    model : dict
        Arguments of `clip_demo.models.load.load_model`.
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

    model: dict
    replicas: tuple[int, int] = (1, 1)
    gpus: float = 0.0
    cpus: int | None = None
    host: str = "127.0.0.1"
    port: int = 8000

    @property
    def url(self) -> str:
        """The address of the encoder, for this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{host}:{self.port}"


@contextlib.contextmanager
def deployed(deployment: Deployment) -> Iterator[None]:
    """Deploy an encoder, on the cluster of ``$RAY_ADDRESS`` or on this machine, until the end of the context.

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
            yield
        finally:
            with contextlib.suppress(Exception):  # the cluster may be gone
                ray.serve.delete(APPLICATION)
                if address():
                    ray.serve.shutdown()


def _deploy(ray, deployment: Deployment) -> None:
    from ray import serve

    from ..models.load import load_model
    from .encoder_app import EncoderReplica

    getLogger("ray.serve").setLevel(ERROR)  # what Ray Serve says of itself is not for the user
    logging = {"log_level": "ERROR", "enable_access_log": False}
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
        ray_actor_options={"num_cpus": _cores(ray, deployment), "num_gpus": deployment.gpus},
        max_constructor_retry_count=2,
        logging_config=logging,
        **HEALTH,
        **({"num_replicas": most} if fewest == most else {"autoscaling_config": scaling}),
    )
    try:
        serve.run(replica.bind(partial(load_model, **deployment.model)), name=APPLICATION, logging_config=logging)
    except RuntimeError as error:
        status = serve.status().applications[APPLICATION]
        raise ModelError(f"model: the encoder cannot be deployed. {status.message or error}", private=True) from error


def _cores(ray, deployment: Deployment) -> int:
    """Return the cores of a replica, or raise an OptionError where the cluster does not have them."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cores, gpus = (sum(node.get(kind, 0) for node in nodes) for kind in ("CPU", "GPU"))
    fewest, most = deployment.replicas
    if deployment.gpus * fewest > gpus:
        raise OptionError(
            f"gpus-per-replica: {fewest} replicas with {deployment.gpus:g} GPUs each need more than the {gpus:g} of "
            "the cluster; use fewer, or add machines."
        )
    if deployment.cpus is not None:
        share = deployment.cpus
    elif deployment.gpus:
        share = 1
    else:
        share = max(min(int(cores // most), int(max(node.get("CPU", 0) for node in nodes))), 1)
    if share * fewest > cores:
        raise OptionError(
            f"cpus-per-replica: {fewest} replicas with {share} cores each need more than the {cores:g} of the "
            "cluster; use fewer, or add machines."
        )
    return share
