"""The toy ``stacked-mnist``: of 1000 kinds of images, how many does a DCGAN make?

An image is three random digits, one in each colour: red, green, blue.  That makes 10³ modes, all
equally frequent, which a classifier of single digits can count in generated images too.  It is
trained by this engine on the single digits (``minigan.evaluation``) and kept; it looks at them on
the CPU, wherever the DCGAN is trained.

Source: Metz et al. 2016, arXiv 1611.02163, section 3.3.1; the counts as in Srivastava et al. 2017
(VEEGAN), arXiv 1705.07761.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from math import exp, log1p
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import data as datasets
from .._tensor import Tensor
from ..array import get_default_device
from ..data import DataError, ImageData
from ..data.images import centred
from ..evaluation.features import feature_network
from ..figures import save_rows
from ..gan import Trainer, recipe
from ..gan.latents import sampled_latents
from ..gan.streams import stream
from ..metrics import class_histogram, kl_divergence
from ..report import image_grid, save_animation
from .canvas import EXACT, drawing, label, measured, save
from .output import ToyError, progress, row

MODES = 1000
PUBLISHED = {  # VEEGAN's set-up: modes, KL
    "DCGAN": (99, 3.40),
    "unrolled GAN": (48.7, 4.32),
    "VEEGAN": (150, 2.95),
    "PacDCGAN2": (1000, 0.06),
}
MOMENTS, SHOWN, PER_ROW = 20, 64, 16
Classify = Callable[[np.ndarray], np.ndarray]  # digits (N, 1, H, W) → their classes (N,)


class Plan(NamedTuple):
    """What is to be done.

    Attributes:
        data, data_dir: of the single digits.
        stacks: images that are trained on.
        steps: of the generator.
        samples: that are counted.
        classifier: steps of its training, None for as many as it usually takes.
    """

    data: str
    data_dir: str | None
    stacks: int
    steps: int
    samples: int
    classifier: int | None


class Count(NamedTuple):
    """Modes that occur, and KL(their frequencies ‖ uniform) in nats."""

    modes: int
    kl: float


def check(
    seed: int = 0,
    quick: bool = False,
    data: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    steps: str | int | None = None,
) -> Plan:
    """The plan that the options ask for.

    Args:
        data: mnist or glyphs; None: mnist where its files are found, else glyphs.
        data_dir: the folder with MNIST's files; None: the folder mnist in $MINIGAN_DATA.
        steps: of the generator.

    Raises:
        ToyError: another data set, a folder that is not one of MNIST's files, steps below 1.

    >>> check(quick=True, data="glyphs", steps="5").steps
    5
    """
    plan = Plan("glyphs", None, 5000, 150, 6500, 500)
    if not quick:
        plan = Plan("glyphs", None, 50_000, 1500, 26_000, None)
    home = _home() if data_dir is None else data_dir
    name = data or ("glyphs" if home is None else "mnist")
    if name not in ("glyphs", "mnist"):
        raise ToyError(f"stacked-mnist: --data expects glyphs or mnist, got {name!r}")
    if name == "glyphs" and data_dir is not None:
        raise ToyError("stacked-mnist: --data-dir is of --data mnist; glyphs are drawn")
    if steps is not None:
        if not (str(steps).isdecimal() and 1 <= int(steps) <= 10**9):
            raise ToyError(f"stacked-mnist: --steps expects a number from 1 on, got {steps!r}")
        plan = plan._replace(steps=int(steps))
    if name == "glyphs":
        return plan
    try:
        datasets.count(name, data_dir=home)
    except DataError as error:
        raise ToyError(f"stacked-mnist: {error}") from error
    return plan._replace(data=name, data_dir=str(home))


def _home() -> Path | None:
    """The folder mnist in $MINIGAN_DATA, where there is one."""
    folder = Path(os.environ.get("MINIGAN_DATA") or "no-data") / "mnist"
    return folder if folder.is_dir() else None


def stack(digits: ImageData, count: int, seed: int) -> ImageData:
    """``count`` images of three digits each; every channel's class is drawn evenly of ten.

    The label is 100·red + 10·green + blue.

    Raises:
        DataError: other images than grey ones of ten classes, or a class without images.

    >>> from minigan.data import load
    >>> images = stack(load("glyphs", count=200), 5, seed=0)
    >>> images.images.shape, images.classes
    ((5, 3, 28, 28), 1000)
    """
    if digits.labels is None or digits.classes != 10 or digits.images.shape[1] != 1:
        raise DataError(
            f"stack: expects grey images of 10 classes, got {digits.images.shape[1]} channels and "
            f"{digits.classes} classes"
        )
    members = [np.flatnonzero(digits.labels == c) for c in range(10)]
    if not all(map(len, members)):
        raise DataError("stack: expects images of all 10 classes")
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 10, (count, 3))
    places = rng.random((count, 3))
    chosen = np.empty((count, 3), np.int64)
    for c, those in enumerate(members):
        here = classes == c
        chosen[here] = those[(places[here] * len(those)).astype(np.int64)]
    labels = classes @ np.array([100, 10, 1])
    return ImageData(f"stacked {digits.name}", digits.images[chosen, 0], labels, MODES)


def kinds(images: np.ndarray, classify: Classify) -> np.ndarray:
    """Which mode each image is of, by its three channels: int64 (N,), 0 to 999.

    Args:
        images: (N, 3, H, W), as ``classify`` takes single digits.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise DataError(f"kinds: images expects shape (N, 3, H, W), got {images.shape}")
    digits = [classify(np.ascontiguousarray(images[:, c : c + 1])) for c in range(3)]
    return np.stack(digits, 1).astype(np.int64) @ np.array([100, 10, 1])


def counted(labels: np.ndarray) -> Count:
    """Of labels from 0 to 999.

    >>> counted(np.arange(1000)), counted(np.zeros(50, int)).modes
    (Count(modes=1000, kl=0.0), 1)
    """
    shares = class_histogram(labels, MODES)
    return Count(int((shares > 0).sum()), kl_divergence(shares))


def perfect(samples: int) -> tuple[float, float]:
    """What a perfect sampler is expected to score: modes, and KL by its leading term.

    Modes: 1000·(1 - (1 - 1/1000)ⁿ), exactly.  2n·KL tends to χ² of 999 degrees of freedom (Wilks
    1938), so KL is about 999/2n.

    >>> modes, kl = perfect(26_000)
    >>> f"{modes:.3f} {kl:.4f}"
    '1000.000 0.0192'
    """
    return MODES * (1 - exp(samples * log1p(-1 / MODES))), (MODES - 1) / (2 * samples)


def run(folder: Path, seed: int, quick: bool, **options: Any) -> dict[str, Any]:
    """Leave the figures in ``folder``; returns the numbers.

    Args:
        options: see ``check``.
    """
    plan = check(seed, quick, **options)
    digits, unseen = (
        datasets.load(plan.data, data_dir=plan.data_dir, split=s) for s in ("train", "test")
    )
    network = feature_network(digits, steps=plan.classifier)

    def classify(images: np.ndarray) -> np.ndarray:
        return network(images)[1]

    accuracy = float((classify(unseen.images) == unseen.labels).mean())
    real = stack(unseen, plan.samples, stream(seed, "real stacks"))
    trainer, looks = _train(stack(digits, plan.stacks, stream(seed, "stacks")), plan, seed)
    made = trainer.generate(_noise(trainer, plan.samples, seed))
    labels = {
        "perfect sampler, its own labels": real.labels,
        f"real stacks of {digits.name}, by the classifier": kinds(real.images, classify),
        f"dcgan on {digits.name}, {plan.steps} steps": kinds(made, classify),
    }
    counts = {name: counted(found) for name, found in labels.items()}
    _draw_stacks(folder / "stacks.png", real, looks, digits.name)
    save_animation(
        folder / "training.gif",
        [image_grid(images, 8, scale=2) for images in looks.values()],
        labels=list(looks),
    )
    _draw_modes(folder / "modes.png", labels, counts, plan.samples, digits.name)
    modes, kl = perfect(plan.samples)
    rows = [row(f"classifier, share of {digits.name}'s test digits named rightly", accuracy, 1.0)]
    for name, count in counts.items():
        rows.append(row(f"{name}: modes", count.modes, modes))
        rows.append(row(f"{name}: KL to uniform (nats)", count.kl, kl))
    return {
        "rows": rows,
        "data": digits.name,
        "stacks": plan.stacks,
        "steps": plan.steps,
        "samples": plan.samples,
        "published": {name: {"modes": m, "kl": k} for name, (m, k) in PUBLISHED.items()},
        "published in": "VEEGAN's set-up: its networks, 26,000 samples",
    }


def _train(data: ImageData, plan: Plan, seed: int) -> tuple[Trainer, dict[int, np.ndarray]]:
    """DCGAN, and what it makes of the same noise at some steps."""
    chosen = recipe("dcgan")
    unlabelled = ImageData(data.name, data.images, None, 0)
    trainer = Trainer(
        chosen,
        chosen.configure({}),
        unlabelled,
        batch_size=chosen.batch_size,
        seed=seed,
        device=get_default_device().type,
    )
    moments = set(np.linspace(0, plan.steps, MOMENTS + 1).round().astype(int).tolist())
    looks = {0: trainer.generate(_noise(trainer, SHOWN, seed))}
    for step in progress(range(1, plan.steps + 1), "dcgan"):
        trainer.train_step()
        if step in moments:
            looks[step] = trainer.generate(_noise(trainer, SHOWN, seed))
    return trainer, looks


def _noise(trainer: Trainer, count: int, seed: int) -> Tensor:
    return Tensor(sampled_latents(trainer.networks, count, seed))


def _draw_stacks(path: Path, real: ImageData, looks: dict[int, np.ndarray], name: str) -> None:
    steps = list(looks)
    shown = [steps[i] for i in np.linspace(0, len(steps) - 1, 5).round().astype(int)]
    rows = {"real": centred(real.images[:PER_ROW])}
    rows |= {f"generated, step {step}": looks[step][:PER_ROW] for step in dict.fromkeys(shown)}
    save_rows(path, rows, f"Stacked {name}: a digit each in red, green and blue")


def _draw_modes(
    path: Path, labels: dict[str, np.ndarray], counts: dict[str, Count], samples: int, name: str
) -> None:
    """How often the modes occur, the frequent ones first.

    A good classifier's curve of real stacks lies on that of their own labels, hence markers, few
    and apart.
    """
    title = f"Stacked {name}: how often each of {MODES} modes occurs in {samples} samples"
    with drawing(title, size=(9.5, 4.6)) as (figure, axes):
        each = axes[0, 0]
        each.axhline(samples / MODES, **EXACT, label="uniform: KL 0")
        for i, (whose, found) in enumerate(labels.items()):
            often = np.sort(np.bincount(found, minlength=MODES))[::-1]
            often = often[often > 0]
            count = counts[whose]
            look = measured(i, markevery=((2 * i + 1) * MODES // 30, MODES // 5))
            words = f"{whose}: {count.modes} modes, KL {count.kl:.3f}"
            each.plot(np.arange(1, len(often) + 1), often, **look, label=words)
        each.set_yscale("log")
        label(each, "rank of the mode, frequent ones first", "samples of it", loc="upper right")
        save(figure, path)
