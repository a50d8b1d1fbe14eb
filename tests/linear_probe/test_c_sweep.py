"""The sweep of C."""

import numpy as np
import pytest

from clip_demo.linear_probe.c_sweep import peak


@pytest.mark.parametrize("best", [0, 1, 37, 48, 63, 96])
def test_the_binary_search_finds_the_peak(best):
    tried = []
    assert peak(lambda step: tried.append(step) or -abs(step - best)) == best
    assert tried[:7] == [0, 16, 32, 48, 64, 80, 96] and len(tried) == len(set(tried)) <= 15


def test_among_equals_the_strongest_regularisation_wins():
    assert peak(lambda step: float(step >= 32)) == 31 + 1


def test_a_swept_head_says_so_and_is_fitted_on_all_images(toy_backend, tmp_path):
    _, head = toy_backend.fit_probe(folder=tmp_path, sweep=True, normalized=True)
    made = head.provenance
    assert (made.n_train, made.note, made.normalized) == (50, "C swept on 10 held-out training images", True)
    assert np.log10(made.C) * 8 == pytest.approx(round(np.log10(made.C) * 8))
