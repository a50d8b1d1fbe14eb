from clip_demo.benchmark.encoder import _best_product, _operations
from clip_demo.benchmark.random_checkpoints import SMALL_VIT, random_clip


def test_the_operations_of_a_vision_transformer_are_those_of_its_products():
    width, tokens, patch = 64, 17, 3 * 8 * 8
    products = 16 * patch * width  # the patches
    products += tokens * 12 * width**2 + 2 * tokens**2 * width  # a block, and its attention
    products += (1 + 2 * tokens + 9) * width**2 + 2 * tokens * width  # the last block, for one token
    assert _operations(random_clip(SMALL_VIT)) == 2 * (products + width * 32)


def test_the_limit_is_the_rate_of_the_fastest_library():
    library, limit = _best_product(1)
    assert library in ("torch", "numpy", "oneDNN") and 1 < limit < 100_000  # GFLOP/s
