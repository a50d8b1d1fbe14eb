"""Packed weights against torch's own functions, and the memory of the weights that they replace."""

import os

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from clip_demo.models import packing
from clip_demo.models.packing import PackedConvolution, PackedLinear, give_back, packs

RANDOM = torch.Generator().manual_seed(0)
X = torch.randn(7, 50, 96, generator=RANDOM)
WEIGHT, BIAS = torch.randn(200, 96, generator=RANDOM), torch.randn(200, generator=RANDOM)


@pytest.mark.parametrize("rows", [1, 2, 50, 7 * 50])
@pytest.mark.parametrize(
    ("activation", "function"),
    [("none", lambda x: x), ("swish", lambda x: x * torch.sigmoid(x)), ("gelu", functional.gelu)],
)
def test_packed_products_equal_torchs(activation, function, rows):
    x = X.flatten(0, 1)[:rows]
    expected = function(functional.linear(x, WEIGHT, BIAS))
    torch.testing.assert_close(PackedLinear(WEIGHT, BIAS, activation)(x), expected, rtol=0, atol=2e-5)


def test_packed_products_take_what_is_not_contiguous():
    x, weight = X.transpose(0, 1), WEIGHT.T.contiguous().T
    torch.testing.assert_close(PackedLinear(weight, None)(x), functional.linear(x, weight), rtol=0, atol=2e-5)


def test_packed_products_take_what_autocast_makes():
    x = X.bfloat16()
    torch.testing.assert_close(
        PackedLinear(WEIGHT, BIAS)(x), functional.linear(x.float(), WEIGHT, BIAS), rtol=0, atol=2e-5
    )


def test_what_is_faster_is_measured_whatever_the_defaults_are():
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            assert [len(each) for each in packing.seconds_of_both(1)] == [1, 1]
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 2, 1), (3, 1, 1), (1, 1, 0)])
@pytest.mark.parametrize(
    ("n", "side"), [(1, 14), (5, 14), (1, 9)], ids=["as packed for", "more images", "another size"]
)
def test_packed_convolutions_equal_torchs(kernel, stride, padding, n, side):
    weight, bias = torch.randn(48, 32, kernel, kernel, generator=RANDOM), torch.randn(48, generator=RANDOM)
    x = torch.randn(n, 32, side, side, generator=RANDOM).contiguous(memory_format=torch.channels_last)
    packed = PackedConvolution(weight, bias, stride=[stride] * 2, padding=[padding] * 2, side=14)
    expected = functional.conv2d(x, weight, bias, stride, padding)
    torch.testing.assert_close(packed(x, relu=False), expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(packed(x, relu=True), expected.relu(), rtol=0, atol=1e-4)
    other = torch.randn(expected.shape, generator=RANDOM).contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(packed.add_relu(x, other.clone()), (expected + other).relu(), rtol=0, atol=1e-4)


def test_what_is_trained_or_in_half_precision_is_not_packed(monkeypatch):
    monkeypatch.setattr(packing, "is_faster", lambda: True)
    assert packs(WEIGHT) and not packs(WEIGHT.half()) and not packs(WEIGHT.clone().requires_grad_())
    monkeypatch.setattr(packing, "is_faster", lambda: False)
    assert not packs(WEIGHT)


def test_without_the_operators_nothing_is_packed(monkeypatch):
    monkeypatch.setattr(packing, "_OPERATORS", ("_an_operator_of_another_version",))
    assert not packing.is_faster.__wrapped__()


def resident(name):
    """Return how many kB of a mapped file are in this process's memory."""
    total, inside = 0, False
    for line in open("/proc/self/smaps"):
        if "-" in line.split()[0]:
            inside = name in line
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1])
    return total


@pytest.mark.skipif(not os.path.exists("/proc/self/pagemap"), reason="this system has no /proc/self/pagemap")
def test_mapped_weights_are_given_back_and_read_again(tmp_path):
    values = torch.arange(2_000_000, dtype=torch.float32).reshape(1000, 2000)
    save_file({"weight": values, "other": torch.ones(3)}, tmp_path / "weights.safetensors")
    weight = load_file(tmp_path / "weights.safetensors")["weight"]
    assert torch.equal(weight, values)
    before = resident("weights.safetensors")
    give_back(weight)
    after = resident("weights.safetensors")
    assert before >= 7800 and after <= 200
    assert torch.equal(weight, values)


def test_mapped_weights_that_were_changed_keep_the_change(tmp_path):
    save_file({"weight": torch.ones(1000, 2000)}, tmp_path / "weights.safetensors")
    weight = load_file(tmp_path / "weights.safetensors")["weight"]
    weight[500] = 2  # as `load_state_dict` does
    give_back(weight)
    assert weight.sum() == 1001 * 2000


def test_weights_in_memory_are_not_touched():
    values = np.arange(2_000_000, dtype=np.float32)
    weight = torch.from_numpy(values.copy())
    give_back(weight)
    np.testing.assert_array_equal(weight.numpy(), values)
