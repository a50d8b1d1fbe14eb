import numpy as np
import pytest

from clip_demo.numerics import normalize
from clip_demo.own_classes.classifiers import Examples


@pytest.fixture
def examples():
    """Three classes with 7, 4 and 5 photos around directions of their own, whose texts point elsewhere."""
    rng = np.random.default_rng(0)
    text = normalize(rng.normal(size=(3, 8))).astype(np.float32)
    centres = normalize(rng.normal(size=(3, 8)))
    labels = np.array([0] * 7 + [1] * 4 + [2] * 5)
    photos = 3 * (centres[labels] + 0.35 * rng.normal(size=(16, 8)) + 1).astype(np.float32)
    shuffled = rng.permutation(16)
    return Examples(("cup", "pen", "key"), text, photos[shuffled], labels[shuffled], 20.0)
