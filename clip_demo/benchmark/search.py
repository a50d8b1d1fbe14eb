"""Time of a search among the features of many images."""

import tempfile
from types import SimpleNamespace

import numpy as np

from ..features.feature_store import TestFeatures, load_features, save_features
from ..numerics import blocks
from ..progress import Progress
from ..search.nearest import Ranking
from ..search.query import combine
from .report import Comparison, Fact, interleaved
from .sections import Settings

DIMENSIONS, PAGE = 512, 24  # as ViT-B/32 has, and as the page shows
TARGETS = {10_000: "at most 20 ms", 1_000_000: "at most 1000 ms"}


def measure(settings: Settings, progress: Progress) -> list[Comparison | Fact]:
    """Rank random features, mapped from a file, by a query whose features are known, and take the first page.

    The file of a million images takes 2 GB, for a moment twice that in memory.
    """
    rng, rows = np.random.default_rng(0), []
    for done, (n, target) in enumerate(TARGETS.items()):
        with tempfile.TemporaryDirectory() as folder:
            data = _stored(folder, rng, n)
            query = combine(rng.normal(size=DIMENSIONS))
            Ranking(data.features, data.norms, query).page(0, PAGE)  # reads the file
            first, brute = interleaved(
                5 * settings.rounds,
                lambda data=data, query=query: Ranking(data.features, data.norms, query).page(0, PAGE),
                lambda data=data, query=query: np.argsort(data.features @ -query.astype(np.float32) / data.norms),
            )
            ranking = Ranking(data.features, data.norms, query)
            (later,) = interleaved(5 * settings.rounds, lambda ranking=ranking: ranking.page(PAGE, PAGE))
            first, brute, later = (tuple(1000 * each for each in seconds) for seconds in (first, brute, later))
            rows.append(Comparison(f"search among {n:,} images", "ms", "numpy, in float32", first, brute, target))
            rows.append(Fact("its next page", float(np.median(later)), "ms"))
            del data, ranking  # an open file cannot be removed on Windows
        progress("searches", done + 1, len(TARGETS))
    return rows


def _stored(folder: str, rng: np.random.Generator, n: int) -> TestFeatures:
    """Return random features that stay in a file, as those of a test set do."""
    features = np.empty((n, DIMENSIONS), dtype=np.float32)
    for part in blocks(n, 100_000):
        rng.standard_normal(dtype=np.float32, out=features[part])
    features += 0.3  # a common direction, as CLIP's features have
    encoder, dataset = SimpleNamespace(name="random", sha256=""), SimpleNamespace(key="random", classnames=("a", "b"))
    path = save_features(TestFeatures(features, np.zeros(n, dtype=np.int64)), folder, encoder, dataset)
    return load_features(path)[0]
