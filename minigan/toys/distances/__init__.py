"""Distances between distributions: exact, with entropy, and as a critic learns them.

>>> em([0.0], [-1.0, 1.0])                                  # all the mass moves by 1
1.0
>>> tv([0.5, 0.5, 0.0], [0.0, 0.5, 0.5]), kl([0.5, 0.5], [1.0, 0.0])
(0.5, inf)
"""

from ...metrics import em
from .cases import unit_cases
from .divergences import Divergences, Grid, binned, js, kl, of_densities, tv
from .entropic import Sinkhorn, sinkhorn, sinkhorn_divergence
from .gaussians import gaussian_divergences, gaussian_em, gaussian_kl, gaussian_w2, log_gaussian
from .kantorovich import Estimate, dual

__all__ = [
    "Divergences",
    "Estimate",
    "Grid",
    "Sinkhorn",
    "binned",
    "dual",
    "em",
    "gaussian_divergences",
    "gaussian_em",
    "gaussian_kl",
    "gaussian_w2",
    "js",
    "kl",
    "log_gaussian",
    "of_densities",
    "sinkhorn",
    "sinkhorn_divergence",
    "tv",
    "unit_cases",
]
