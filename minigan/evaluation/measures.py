"""Every metric of a set of samples, each with what real images score in their place."""

from __future__ import annotations

import numpy as np

from ..data import ImageData
from ..data.images import centred
from ..metrics import (
    class_histogram,
    conditional_accuracy,
    copied_share,
    density_coverage,
    frechet_distance,
    kernel_distance,
    kl_divergence,
    memorisation_from_distances,
    precision_recall,
    sliced_wasserstein_distance,
    total_variation,
)
from .features import FeatureNetwork, Progress, silent
from .halves import Halves
from .neighbours import Neighbours, to_training_images

_PROJECTIONS = 500
_SUBSET = 1000  # samples in a subset of the kernel distance
_STEPS = 6  # of which progress is told
_MEMORISATION = ("neighbour_distance_ratio", "closer_than_real", "copied_share")

Metrics = dict[str, dict[str, float]]


def measure(
    samples: np.ndarray,
    train: ImageData,
    real: Halves,
    network: FeatureNetwork,
    *,
    labels: np.ndarray | None = None,
    progress: Progress = silent,
) -> tuple[Metrics, Neighbours]:
    """Every metric by name, as ``{"value": of the samples, "real": of real images}``.

    Args:
        samples: generated images, float32 (n, C, H, W) in [-1, 1], as many as in a half.
        train: the images that the generator was trained on.
        real: what samples are compared with, and what stands in for them.
        network: whose features are compared.
        labels: the class that each sample was generated for, int64 (n,); adds the conditional
            accuracy.
        progress: told of each of the steps.

    Returns:
        metrics: "frechet_KIND_distance" and "kernel_KIND_distance" ("std": of a subset), with the
            network's kind; "precision", "recall", "density", "coverage";
            "sliced_wasserstein_distance"; "neighbour_distance_ratio", "closer_than_real" and
            "copied_share"; from a classifier "class_total_variation", "class_kl_divergence" and,
            given labels, "conditional_accuracy".
        neighbours: the nearest training images of the first samples.
    """
    steps = iter(range(1, _STEPS + 1))

    def done() -> None:
        progress("measuring", next(steps), _STEPS)

    (first, first_classes), (second, second_classes) = network(real.first), network(real.second)
    fake, fake_classes = network(samples)
    done()
    metrics: Metrics = {
        f"frechet_{network.kind}_distance": {
            "value": frechet_distance(first, fake),
            "real": frechet_distance(first, second),
        }
    }
    size = min(_SUBSET, max(2, len(real) // 2))
    (mean, std), (real_mean, real_std) = (
        kernel_distance(first, other, subset_size=size) for other in (fake, second)
    )
    metrics[f"kernel_{network.kind}_distance"] = {
        "value": mean,
        "real": real_mean,
        "std": std,
        "real_std": real_std,
    }
    done()
    for names, function in (
        (("precision", "recall"), precision_recall),
        (("density", "coverage"), density_coverage),
    ):
        pairs = zip(names, function(first, fake), function(first, second), strict=True)
        metrics |= {name: {"value": value, "real": floor} for name, value, floor in pairs}
        done()
    if first_classes is not None:
        shares, real_shares, wanted = (
            class_histogram(classes, train.classes)
            for classes in (fake_classes, second_classes, first_classes)
        )
        for name, difference in (
            ("class_total_variation", total_variation),
            ("class_kl_divergence", kl_divergence),
        ):
            metrics[name] = {
                "value": difference(shares, wanted),
                "real": difference(real_shares, wanted),
            }
        if labels is not None:
            metrics["conditional_accuracy"] = {
                "value": conditional_accuracy(fake_classes, labels),
                "real": conditional_accuracy(second_classes, real.labels),
            }
    pixels = centred(real.first)
    metrics["sliced_wasserstein_distance"] = {
        key: sliced_wasserstein_distance(pixels, other, n_projections=_PROJECTIONS)
        for key, other in (("value", samples), ("real", centred(real.second)))
    }
    done()
    neighbours = to_training_images(samples, train, real)
    compared = [
        (*memorisation_from_distances(near[:, 0], neighbours.first[:, 0]), copied_share(near))
        for near in (neighbours.distances, neighbours.second)
    ]
    for name, value, floor in zip(_MEMORISATION, *compared, strict=True):
        metrics[name] = {"value": value, "real": floor}
    done()
    return metrics, neighbours
