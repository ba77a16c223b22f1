"""How far apart two sets of samples are: pure functions of arrays, computed in float64.

What they are fed decides what they mean: pixels for the sliced Wasserstein distance and the
neighbours, a network's features for the rest; ``em`` and ``mode_score`` are of points in the plane.
``minigan.evaluation`` does all of it for a trained run.

>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> real, fake = rng.normal(size=(500, 4)), rng.normal(size=(500, 4)) + 1
>>> f"{frechet_distance(real, fake):.1f}"  # the squared shift, and the noise of 500 samples
'4.2'
"""

from .classes import class_histogram, conditional_accuracy, kl_divergence, total_variation
from .frechet import frechet_distance, frechet_from_moments
from .kernel import kernel_distance
from .manifold import density_coverage, precision_recall
from .modes import ModeScore, mode_score
from .neighbours import (
    Memorisation,
    copied_share,
    memorisation,
    memorisation_from_distances,
    nearest_neighbours,
)
from .sliced import quick_metrics, sliced_wasserstein_distance
from .spectrum import checkerboard_energy, high_frequency_energy
from .transport import em

__all__ = [
    "Memorisation",
    "ModeScore",
    "checkerboard_energy",
    "class_histogram",
    "conditional_accuracy",
    "copied_share",
    "density_coverage",
    "em",
    "frechet_distance",
    "frechet_from_moments",
    "high_frequency_energy",
    "kernel_distance",
    "kl_divergence",
    "memorisation",
    "memorisation_from_distances",
    "mode_score",
    "nearest_neighbours",
    "precision_recall",
    "quick_metrics",
    "sliced_wasserstein_distance",
    "total_variation",
]
