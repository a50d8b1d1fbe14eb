"""Exact search: against a plain computation, and in features on disk."""

import numpy as np
import pytest

from clip_demo.errors import ArtifactError
from clip_demo.features import feature_store
from clip_demo.features.feature_store import FeatureStore, TestFeatures, load_features, save_features
from clip_demo.features.nearest import blocks, cosines, lengths, ranking


def test_search_is_exact_also_in_mapped_features(tmp_path):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200_000, 16)).astype(np.float32) * rng.uniform(0.1, 9, (200_000, 1)).astype(np.float32)
    features[[70_000, 150_000]] = features[5]  # ties, in different blocks
    np.save(tmp_path / "features.npy", features)
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    query = features[5] / np.linalg.norm(features[5])
    scores = cosines(mapped, lengths(mapped), query)
    exact = features.astype(np.float64) @ query / np.linalg.norm(features.astype(np.float64), axis=1)
    np.testing.assert_allclose(scores, exact, atol=1e-6)
    assert ranking(scores)[:3].tolist() == [5, 70_000, 150_000]
    assert ranking(scores)[:500].tolist() == np.argsort(-scores, kind="stable")[:500].tolist()
    assert sum(len(block) for block in blocks(mapped)) == 200_000 and max(map(len, blocks(mapped))) < 100_000


def test_large_features_stay_on_disk(toy_encoder, toy_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(feature_store, "_MAPPED", 100)
    data = TestFeatures(np.arange(1, 61, dtype=np.float32).reshape(20, 3), toy_dataset.labels())
    path = save_features(data, tmp_path, toy_encoder, toy_dataset)
    found, sha256, name = load_features(path)
    assert isinstance(found.features, np.memmap) and (sha256, name) == (toy_encoder.sha256, "toys")
    np.testing.assert_array_equal(found.features, data.features)
    assert FeatureStore([tmp_path]).get(toy_encoder.sha256, "toys").labels.tolist() == data.labels.tolist()
    (large,) = tmp_path.glob("*.npy")
    np.save(large, data.features[:5])
    with pytest.raises(ArtifactError, match="the features have the shape .5, 3."):
        load_features(path)
    np.save(large, np.zeros((20, 3), dtype=np.float32))
    with pytest.raises(ArtifactError, match="some are infinite, zero or no numbers"):
        load_features(path)
    large.unlink()
    assert FeatureStore([tmp_path]).get(toy_encoder.sha256, "toys") is None
