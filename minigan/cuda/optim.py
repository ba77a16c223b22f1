"""Plans of ``kernels/optim.cu``: one step of Adam, RMSprop or SGD over many arrays at once.

Names, defaults and formulas are those of ``minigan.optim``.  A step takes its numbers from settings
in the GPU's memory, a ``rule``, to which ``send`` brings them when they change:

    rule = cupy.empty(WORDS, "uint32")
    launcher.run([send(rule, adam_settings(lr=1e-3))])
    launcher.run(adam(rule, parameters, gradients, exp_avg, exp_avg_sq))      every step

Adam's rule counts the steps itself, so every step is made of the same launches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .launch import Launch, LaunchError
from .segments import launches, tables
from .streams import Configuration, launcher

FILE = "optim.cu"
WORDS = 32  # 32-bit words that a rule takes, at most
Arrays = Sequence[Any]

_D, _F = np.float64, np.float32
ADAM = np.dtype(
    [
        *((name, _D) for name in ("lr", "beta1", "beta2", "apart")),
        ("step", np.int64),
        *((name, _F) for name in ("eps", "sign", "decay")),
        *((name, _F) for name in ("now1", "share1", "now2", "share2", "rate", "root", "shrink")),
    ],
    align=True,
)
RMSPROP = np.dtype(
    [(name, _F) for name in ("lr", "alpha", "share", "eps", "momentum", "sign", "decay")]
)
SGD = np.dtype(
    [
        *((name, _F) for name in ("lr", "momentum", "share", "sign", "decay")),
        ("nesterov", np.int32),
    ]
)


def configurations() -> list[Configuration]:
    """Every way in which these plans compile the file."""
    return [(FILE, (), 75)]


def _record(dtype: np.dtype, **fields: Any) -> np.void:
    record = np.zeros((), dtype)
    for name, value in fields.items():
        record[name] = value
    return record[()]


def adam_settings(
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    maximize: bool = False,
    decoupled: bool = False,
    step: int = 0,
) -> np.void:
    """Adam's rule, AdamW's if ``decoupled``, after ``step`` steps."""
    return _record(
        ADAM,
        lr=lr,
        beta1=betas[0],
        beta2=betas[1],
        eps=eps,
        apart=weight_decay if decoupled else 0,
        decay=0 if decoupled else weight_decay,
        sign=-1 if maximize else 1,
        step=step,
    )


def rmsprop_settings(
    *,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    maximize: bool = False,
) -> np.void:
    """RMSprop's rule."""
    return _record(
        RMSPROP,
        lr=lr,
        alpha=alpha,
        share=1 - alpha,
        eps=eps,
        momentum=momentum,
        decay=weight_decay,
        sign=-1 if maximize else 1,
    )


def sgd_settings(
    *,
    lr: float = 1e-3,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> np.void:
    """SGD's rule; in a first step, with velocities of zero, dampening is to be 0."""
    return _record(
        SGD,
        lr=lr,
        momentum=momentum,
        share=1 - dampening,
        nesterov=nesterov,
        decay=weight_decay,
        sign=-1 if maximize else 1,
    )


def send(rule: Any, settings: np.void) -> Launch:
    """Bring settings to ``rule``, an array of 32-bit words; the launch carries them.

    >>> send(np.zeros(WORDS, np.uint32), sgd_settings(lr=0.1)).name
    'settings'
    """
    given = np.frombuffer(settings.tobytes(), np.uint32)
    if rule.dtype != np.uint32 or rule.size < len(given):
        raise LaunchError(
            f"settings: rule expects {WORDS} words of uint32, got {rule.size} of {rule.dtype}"
        )
    return _words(rule, given)


def bring(numbers: np.ndarray, to: Any) -> list[Launch]:
    """Write the host's numbers to an array of their shape and dtype; the launches carry them.

    >>> [launch.name for launch in bring(np.zeros((3, 20)), np.zeros((3, 20)))]
    ['settings', 'settings', 'settings', 'settings']
    """
    if to.shape != numbers.shape or to.dtype != numbers.dtype or to.dtype.itemsize % 4:
        raise LaunchError(
            f"bring: expected an array of shape {numbers.shape}, {numbers.dtype}, of whole words, "
            f"got shape {to.shape}, {to.dtype}"
        )
    given = np.frombuffer(numbers.tobytes(), np.uint32)
    place = to.reshape(-1).view(np.uint32)
    return [_words(place[i : i + WORDS], given[i : i + WORDS]) for i in range(0, len(given), WORDS)]


def _words(to: Any, given: np.ndarray) -> Launch:
    words = np.zeros((), [("at", np.uint32, WORDS)])
    words["at"][: len(given)] = given
    return launcher(FILE)("settings", (1, 1, 1), to, words[()], np.int32(len(given)))


def adam(
    rule: Any,
    p: Arrays,
    g: Arrays,
    exp_avg: Arrays,
    exp_avg_sq: Arrays,
    max_exp_avg_sq: Arrays | None = None,
) -> list[Launch]:
    """Count the step, and take it; ``max_exp_avg_sq`` makes it AMSGrad.

    >>> p, g, m, v = np.zeros((4, 1, 10), np.float32)
    >>> [launch.name for launch in adam(np.zeros(WORDS, np.uint32), p, g, m, v)]
    ['adam_step', 'adam']
    """
    state = {"exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq, "max_exp_avg_sq": max_exp_avg_sq}
    count = launcher(FILE)("adam_step", (1, 1, 1), rule)
    return [count, *launches(FILE, "adam", tables("adam", p=p, g=g, **state), rule)]


def rmsprop(
    rule: Any,
    p: Arrays,
    g: Arrays,
    square_avg: Arrays,
    grad_avg: Arrays | None = None,
    momentum_buffer: Arrays | None = None,
) -> list[Launch]:
    """Take a step: ``grad_avg`` makes it the centred form, ``momentum_buffer`` adds momentum."""
    state = {"square_avg": square_avg, "grad_avg": grad_avg, "momentum_buffer": momentum_buffer}
    return launches(FILE, "rmsprop", tables("rmsprop", p=p, g=g, **state), rule)


def sgd(rule: Any, p: Arrays, g: Arrays, momentum_buffer: Arrays | None = None) -> list[Launch]:
    """Take a step, with momentum if there is a ``momentum_buffer``."""
    rows = tables("sgd", p=p, g=g, momentum_buffer=momentum_buffer)
    return launches(FILE, "sgd", rows, rule)
