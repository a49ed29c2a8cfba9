"""Classical methods over z-scored rows, each as its library makes it, with no setting chosen by looking at results."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version

from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor

from agentad.bench.case import Case, Fitted
from agentad.detectors.base import Floats, Ints, Scores
from agentad.detectors.memory_bank import MemoryBank
from agentad.detectors.robust import scalings

PYOD = "pyod.models.knn"
LOF_NEIGHBOURS = 20
GMM_COMPONENTS = 5
GMM_RIDGE = 1e-3
"""Added to variances of z-scored columns, so that columns that repeat each other leave the covariance invertible."""

Learn = Callable[[Floats, Ints, int], Fitted]
"""From z-scored rows (n, d), their groups (n,) and a seed."""


def knn(neighbours: int) -> Learn:
    """Mean distance to the nearest rows, all rows remembered."""

    def learn(z: Floats, groups: Ints, seed: int) -> Fitted:
        bank = MemoryBank(neighbours=neighbours, size=len(z)).fit(z, groups=groups, seed=seed)
        return Fitted(bank.held_out, bank.score)

    return learn


def isolation_forest(z: Floats, groups: Ints, seed: int) -> Fitted:
    """scikit-learn's, 100 trees."""
    forest = IsolationForest(random_state=seed).fit(z)
    return Fitted(Scores(-forest.score_samples(z)), lambda u: Scores(-forest.score_samples(u)))


def lof(z: Floats, groups: Ints, seed: int) -> Fitted:
    """Local outlier factor, scikit-learn's, with 20 neighbours."""
    found = LocalOutlierFactor(n_neighbors=min(LOF_NEIGHBOURS, len(z) - 1), novelty=True).fit(z)
    return Fitted(Scores(-found.negative_outlier_factor_), lambda u: Scores(-found.score_samples(u)))


def gmm(z: Floats, groups: Ints, seed: int) -> Fitted:
    """Negative log-likelihood of a Gaussian mixture with full covariances, scikit-learn's."""
    mixture = GaussianMixture(min(GMM_COMPONENTS, len(z)), reg_covar=GMM_RIDGE, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a mixture that still moves is a density all the same
        mixture.fit(z)
    return Fitted(Scores(-mixture.score_samples(z)), lambda u: Scores(-mixture.score_samples(u)))


def pyod_knn(z: Floats, groups: Ints, seed: int) -> Fitted:
    """PyOD's KNN as it comes: distance to the fifth neighbour."""
    model = import_module(PYOD).KNN().fit(z)
    return Fitted(Scores(model.decision_scores_), lambda u: Scores(model.decision_function(u)))


BASELINES: dict[str, Learn] = {
    "knn1": knn(1),
    "knn5": knn(5),
    "isolation-forest": isolation_forest,
    "lof": lof,
    "gmm": gmm,
    "pyod-knn": pyod_knn,
}


def installed() -> tuple[str, ...]:
    """Names of the baselines that can run here: PyOD's needs the extra `bench`.

    PyOD is imported here, so that the second this takes is not counted as fitting.
    """
    with suppress(ModuleNotFoundError):
        import_module(PYOD)
    return tuple(name for name in BASELINES if name != "pyod-knn" or PYOD in sys.modules)


def pyod_version() -> str | None:
    """Of the PyOD that `installed` found."""
    return version("pyod") if PYOD in sys.modules else None


def learn(name: str, case: Case) -> Fitted:
    """The baseline `name`, fitted on z-scores of the case's encoded rows."""
    scaling, _ = scalings(case.x)
    fitted = BASELINES[name](scaling.apply(case.x), case.items.group, case.plan.seed)
    return Fitted(fitted.held_out, lambda x: fitted.score(scaling.apply(x)))
