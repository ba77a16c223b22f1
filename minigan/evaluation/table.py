"""An evaluation as text."""

from __future__ import annotations

from typing import Any

from .points import MOST_MOVED

_ROWS = {
    "frechet_classifier_distance": ("Fréchet classifier distance (FCD)", "lower is better"),
    "frechet_autoencoder_distance": ("Fréchet autoencoder distance", "lower is better"),
    "kernel_classifier_distance": ("kernel classifier distance", "lower is better"),
    "kernel_autoencoder_distance": ("kernel autoencoder distance", "lower is better"),
    "modes_captured": ("modes captured", "higher is better"),
    "high_quality_share": ("within 3 std of a mode, share", "higher is better"),
    "earth_movers_distance": ("earth mover's distance, exact", "lower is better"),
    "precision": ("precision", "higher is better"),
    "recall": ("recall", "higher is better"),
    "density": ("density", "higher is better"),
    "coverage": ("coverage", "higher is better"),
    "class_total_variation": ("classes, total variation", "lower is better"),
    "class_kl_divergence": ("classes, KL divergence (nats)", "lower is better"),
    "conditional_accuracy": ("conditional accuracy", "higher is better"),
    "sliced_wasserstein_distance": ("sliced Wasserstein distance", "lower is better"),
    "neighbour_distance_ratio": ("nearest training image, distance", "below real: copies or blur"),
    "closer_than_real": ("nearer to training than real", "above real: copies or blur"),
    "copied_share": ("copies of training images", "lower is better"),
}
_FEW = 500


def table(result: dict[str, Any]) -> str:
    """A line for each metric: its name, of the samples, of real images in their place, its sense.

    Args:
        result: of ``Evaluation``.
    """
    count, network = result["count"], result["network"]
    lines = [
        f"{result['recipe']} on {result['data']}, step {result['step']}: {count} samples"
        + (f" {result['samples']}" if result["samples"] else "")
        + f" (seed {result['seed']})",
        f"against {result['real']}; real: as many others of them in the samples' place",
    ]
    if network is not None:
        lines.append(f"features of {_network(network, result['data'])}")
    elif count > MOST_MOVED:
        lines.append(f"earth mover's distance of {MOST_MOVED} of them")
    if count < _FEW:
        lines.append(f"only {count} samples: small differences mean nothing")
    lines += ["", f"{'':34}{'samples':>17}{'real':>17}"]
    for name, values in result["metrics"].items():
        label, sense = _ROWS[name]
        cells = _number(values["value"]), _number(values["real"])
        if "std" in values:
            spreads = f"{values['std']:.2g}", f"{values['real_std']:.2g}"
            cells = tuple(f"{cell} ± {std}" for cell, std in zip(cells, spreads, strict=True))
        lines.append(f"{label:34}{cells[0]:>17} {cells[1]:>16}  {sense}")
    return "\n".join(lines)


def _network(network: dict[str, Any], data: str) -> str:
    if network["kind"] == "autoencoder":
        return (
            f"an autoencoder's code, trained on {data} (root mean squared error of its pixels "
            f"{network['error']:.3f}, of 2)"
        )
    trained = f"a classifier trained on {data}"
    return f"{trained} ({network['accuracy']:.2%} of these images right)"


def _number(value: float | None) -> str:
    """Four digits, without an exponent where that is readable.

    >>> _number(1234.5), _number(0.012345), _number(-0.0000012), _number(None)
    ('1234', '0.01235', '-1.2e-06', 'infinite')
    """
    return "infinite" if value is None else f"{value:.4g}"
