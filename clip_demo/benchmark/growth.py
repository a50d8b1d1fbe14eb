"""A model of how an encoder on several machines grows; a model, not a measurement."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Growth:
    """What limits the images per second of an encoder behind one HTTP proxy.

    Attributes
    ----------
    batch_seconds, item_seconds : float
        A replica takes ``batch_seconds + n * item_seconds`` for a batch of n images.
    batch : int
        Images of a batch.
    request_images : int
        Images of a request.
    proxy_seconds : float
        Seconds of a processor core that the proxy takes for a request.
    image_bytes : int
        Size of an image in a request.
    network : float
        Bytes per second that reach the proxy.
    """

    batch_seconds: float
    item_seconds: float
    batch: int
    request_images: int
    proxy_seconds: float
    image_bytes: int
    network: float

    def limits(self, replicas: int) -> dict[str, float]:
        """Return the images per second that each part could do alone."""
        return {
            "replicas": replicas * self.batch / (self.batch_seconds + self.batch * self.item_seconds),
            "proxy": self.request_images / self.proxy_seconds,
            "network": self.network / self.image_bytes,
        }

    def rate(self, replicas: int) -> tuple[float, str]:
        """Return the images per second of all together, and the part that limits them."""
        limits = self.limits(replicas)
        part = min(limits, key=limits.get)
        return limits[part], part


def fit_service_time(one: float, many: float, n: int) -> tuple[float, float]:
    """Return `batch_seconds` and `item_seconds` from the seconds of a batch of 1 and of n images."""
    item = max((many - one) / (n - 1), 0.0)
    return max(one - item, 0.0), item
