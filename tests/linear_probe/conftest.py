"""Random features of four classes, and a head fitted on them."""

import numpy as np
import pytest

from clip_demo.linear_probe.fit import fit_head

NAMES = ("ant", "bee", "cat", "dog")


@pytest.fixture(scope="session")
def data():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 4
    features = (rng.normal(size=(400, 8)) + 2 * np.eye(4, 8)[labels]).astype(np.float32)
    return features[:300], labels[:300], features[300:], labels[300:]


@pytest.fixture(scope="session")
def fit(data):
    def fit(**options):
        options = {"classnames": NAMES, "model": "toy/1", "model_sha256": "ab" * 32, "dataset": "toys"} | options
        return fit_head(*data, **options)

    return fit
