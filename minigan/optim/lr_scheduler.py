"""Learning-rate schedules.

A scheduler changes ``lr`` in the optimizer's groups every time its ``step()`` is called, normally
once an epoch, after the optimizer's own ``step()``.  The rates are closed formulas of the count
and of the initial rates: a rate that something else changes in between is overwritten, and of two
schedulers on one optimizer the last to step counts.  (PyTorch multiplies the rate it finds; from
untouched rates both give the same, up to rounding.)
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from math import cos, pi
from typing import Any


class LRScheduler:
    """The base: remembers the initial rates and counts.  A subclass defines ``rate``.

    Args:
        optimizer: whose groups' ``lr`` is changed, at once to that of epoch ``last_epoch + 1``.
        last_epoch: the count to go on from; -1 begins.

    Raises:
        KeyError: going on, and a group has no ``initial_lr`` (``load_state_dict`` of the
            optimizer brings it back).
    """

    def __init__(self, optimizer: Any, last_epoch: int = -1):
        name = type(self).__name__
        if not hasattr(optimizer, "param_groups"):
            raise TypeError(f"{name}: expected an optimizer, got {type(optimizer).__name__}")
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{name}: going on from epoch {last_epoch} needs 'initial_lr' in parameter "
                    f"group {i}"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.step()

    def rate(self, base: float, epoch: int, group: int) -> float:
        """The learning rate of a group that began with ``base``, after ``epoch`` steps."""
        raise NotImplementedError(f"{type(self).__name__} defines no rate")

    def step(self, epoch: int | None = None) -> None:
        """Count one step (or go to ``epoch``) and set the rates."""
        groups = self.optimizer.param_groups
        if len(groups) != len(self.base_lrs):
            raise ValueError(
                f"{type(self).__name__}: knows {len(self.base_lrs)} parameter groups, the "
                f"optimizer has {len(groups)}"
            )
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        for i, (group, base) in enumerate(zip(groups, self.base_lrs, strict=True)):
            group["lr"] = self.rate(base, self.last_epoch, i)

    def get_last_lr(self) -> list[float]:
        """The rates now in force, one for each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """What a scheduler made with the same arguments needs to go on."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a ``state_dict``, with the rates of that moment (PyTorch leaves the rates)."""
        base_lrs = list(state_dict["base_lrs"])
        if len(base_lrs) != len(self.base_lrs):
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: expected {len(self.base_lrs)} base_lrs, "
                f"got {len(base_lrs)}"
            )
        self.base_lrs = base_lrs
        self.step(state_dict["last_epoch"])


class StepLR(LRScheduler):
    """lr = base·γ^⌊epoch/step_size⌋: a drop every ``step_size`` epochs.

    >>> import minigan
    >>> p = minigan.zeros(1, requires_grad=True)
    >>> schedule = StepLR(minigan.optim.SGD([p], lr=1.0), step_size=2, gamma=0.5)
    >>> rates = []
    >>> for _ in range(4):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> rates
    [1.0, 1.0, 0.5, 0.5]
    """

    def __init__(self, optimizer: Any, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        if step_size < 1:
            raise ValueError(f"StepLR: step_size must be at least 1, got {step_size}")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int, group: int) -> float:
        return base * self.gamma ** (epoch // self.step_size)


class MultiStepLR(LRScheduler):
    """lr = base·γ^(how many milestones have been reached); one given twice counts twice.

    >>> import minigan
    >>> p = minigan.zeros(1, requires_grad=True)
    >>> schedule = MultiStepLR(minigan.optim.SGD([p], lr=1.0), milestones=[1, 3], gamma=0.5)
    >>> rates = []
    >>> for _ in range(4):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> rates
    [1.0, 0.5, 0.5, 0.25]
    """

    def __init__(
        self,
        optimizer: Any,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ):
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int, group: int) -> float:
        return base * self.gamma ** bisect_right(self.milestones, epoch)


class ExponentialLR(LRScheduler):
    """lr = base·γ^epoch."""

    def __init__(self, optimizer: Any, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int, group: int) -> float:
        return base * self.gamma**epoch


class LinearLR(LRScheduler):
    """lr = base·(a + (b - a)·min(epoch/total_iters, 1)), from start_factor a to end_factor b."""

    def __init__(
        self,
        optimizer: Any,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ):
        if not 0 < start_factor <= 1:
            raise ValueError(f"LinearLR: start_factor must be in (0, 1], got {start_factor}")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: end_factor must be in [0, 1], got {end_factor}")
        if total_iters < 1:
            raise ValueError(f"LinearLR: total_iters must be at least 1, got {total_iters}")
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int, group: int) -> float:
        done = min(epoch, self.total_iters) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * done)


class LambdaLR(LRScheduler):
    """lr = base·f(epoch), one function for all groups or a list of them."""

    def __init__(
        self,
        optimizer: Any,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ):
        groups = len(optimizer.param_groups)
        self.lr_lambdas = [lr_lambda] * groups if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != groups:
            raise ValueError(
                f"LambdaLR: expected one function for each of {groups} parameter groups, got "
                f"{len(self.lr_lambdas)}"
            )
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int, group: int) -> float:
        return base * self.lr_lambdas[group](epoch)


class CosineAnnealingLR(LRScheduler):
    """lr = η_min + (base - η_min)·(1 + cos(π·epoch/T_max))/2.

    After ``T_max`` epochs the rate goes up again, as the cosine does and as PyTorch's.

    Source: Loshchilov & Hutter 2016, arXiv 1608.03983 (without restarts).
    """

    def __init__(self, optimizer: Any, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        if T_max < 1:
            raise ValueError(f"CosineAnnealingLR: T_max must be at least 1, got {T_max}")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int, group: int) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + cos(pi * epoch / self.T_max)) / 2
