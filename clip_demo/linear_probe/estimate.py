"""How long fits will take, from one that was measured."""

from dataclasses import dataclass

from .fit import RECIPE

# More images need more iterations. With the built-in model on CIFAR-100 there were 60 for 500 images and 164 for 2,000,
# which is an exponent of 0.73; all 50,000 take the 1,000 that the recipe allows.
_EXPONENT = 0.75


@dataclass(frozen=True)
class FitSpeed:
    """A fit that was measured.

    Attributes
    ----------
    n_train, n_iter : int
        Its images and iterations.
    elapsed : float
        Its seconds.
    """

    n_train: int
    n_iter: int
    elapsed: float

    def seconds(self, n_train: int) -> float:
        """Return an estimate for a fit on `n_train` images by the default recipe."""
        iterations = min(self.n_iter * (n_train / self.n_train) ** _EXPONENT, max(RECIPE["max_iter"], self.n_iter))
        return self.elapsed * n_train / self.n_train * iterations / self.n_iter
