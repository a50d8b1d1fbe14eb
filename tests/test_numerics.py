"""Numerical functions that several packages share."""

from threadpoolctl import ThreadpoolController

from clip_demo.numerics import blas_threads


def test_the_last_of_callers_that_overlap_restores_the_threads_that_the_first_found():
    blas = ThreadpoolController().select(user_api="blas")

    def threads():
        return {each["num_threads"] for each in blas.info()}

    with blas.limit(limits=2):
        before = threads()
        first, second = blas_threads(1), blas_threads(1)
        first.__enter__()
        second.__enter__()
        assert threads() == {1}
        first.__exit__(None, None, None)
        second.__exit__(None, None, None)
        assert threads() == before
        with blas_threads(None):
            assert threads() == before
        assert threads() == before
