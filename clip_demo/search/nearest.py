"""The images nearest to a query: exact, in the order of their cosines."""

import numpy as np

from ..numerics import ROWS, best, blocks


class Ranking:
    """All images in the order of their cosines with one query; images with the same cosine by their index.

    A product in float32 gives all cosines approximately. For a page, those that may be on it are computed again in
    float64, in a way that does not depend on their positions: so the order is exact, and equal images are ties.

    Parameters
    ----------
    features : numpy.ndarray, shape (n, d), float32
        Not normalised. A block of rows at a time is used, so that they may be mapped from a file.
    norms : numpy.ndarray, shape (n,), float32
        Lengths of the rows.
    query : numpy.ndarray, shape (d,)
        L2-normalised.
    leave_out : int, optional
        An image that is not ranked, such as the one that the query was made of.

    Attributes
    ----------
    n : int
        Number of ranked images.
    nbytes : int
        What is kept in memory for the query.
    """

    def __init__(self, features: np.ndarray, norms: np.ndarray, query: np.ndarray, leave_out: int | None = None):
        self._features, self._query = features, query.astype(np.float64)
        self._negated = np.empty(len(features), dtype=np.float32)  # cosines: that of the nearest is the smallest
        direction = -query.astype(np.float32)
        for part in blocks(len(features), ROWS):
            np.matmul(features[part], direction, out=self._negated[part])
        self._negated /= norms
        self.n, self.nbytes = len(features), self._negated.nbytes
        if leave_out is not None:
            self._negated[leave_out] = np.inf
            self.n -= 1
        # A sum of d products is wrong by at most d rounding errors of eps / 2 (Higham 2002, section 3.1), and so is a
        # length: a cosine by less than (d + 4) eps. Where two differ by more than twice as much, their order is right.
        self._margin = 4 * (features.shape[1] + 4) * float(np.finfo(np.float32).eps)

    def page(self, offset: int, limit: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a part of the ranking: up to `limit` images after the first `offset`.

        Returns
        -------
        indices : numpy.ndarray, shape (k,), int64
        cosines : numpy.ndarray, shape (k,), float64
            Descending.
        """
        stop = min(offset + limit, self.n)
        if offset >= stop:
            return np.empty(0, dtype=np.int64), np.empty(0)
        first, last = np.partition(self._negated, (offset, stop - 1))[[offset, stop - 1]]
        n_before = int((self._negated < first - self._margin).sum())  # these certainly come before the page
        may_be_on_it = (self._negated >= first - self._margin) & (self._negated <= last + self._margin)
        candidates = np.flatnonzero(may_be_on_it)
        cosines = np.concatenate([self._cosines(candidates[part]) for part in blocks(len(candidates), ROWS)])
        order = best(cosines, len(cosines))[offset - n_before : stop - n_before]
        return candidates[order], cosines[order]

    def _cosines(self, indices: np.ndarray) -> np.ndarray:
        """Return the cosines of some images in float64."""
        rows = self._features[indices].astype(np.float64)
        # Sums along rows, not a matrix product: that may round equal rows differently.
        return (rows * self._query).sum(axis=1) / np.sqrt((rows * rows).sum(axis=1))
