"""Gradients averaged over the ranks in buckets, while backward goes on.

Parameters are put into buckets of some MiB from the last to the first, about the order in which
their gradients are complete.  A hook on each copies the gradient into its bucket, and a bucket that
is full sets out at once; what the hook returns is a view of the bucket, which holds the average
when the pass is over.

All ranks send all buckets in the same order in every pass that reaches any of the parameters.  A
parameter that a pass does not reach on this rank sends zeros, and at the bucket's end there is a
number for each that tells whether any rank's pass did.

Source: Li et al. 2020, arXiv 2006.15704.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from .._hooks import GradientHooks, RemovableHandle, at_the_end
from .._mode import thread
from .._tensor import Tensor
from ..array import Array, array_module
from ..cpu import memory
from .nn import AllReduce
from .process_group import current
from .work import Work

MIB = 1 << 20
FIRST = 1.0  # MiB in the first bucket, so that something is on its way soon


class Reducer:
    """Averages the gradients of ``parameters`` over all ranks in every backward pass.

    With one rank it does nothing at all.

    Args:
        parameters: those that require grad; on every rank the same shapes in the same order.
        bucket_cap_mb: MiB in a bucket; the first is at most 1.

    Attributes:
        enabled: False leaves each rank its own gradients, which the next pass with True averages
            together with its own.
    """

    def __init__(self, parameters: Iterable[Tensor], bucket_cap_mb: float = 25.0):
        self.enabled, self.size = True, current().size
        self._walk: Any = None  # what was to be done at the end of the pass under way
        self._own = False  # whether gradients were left to the ranks
        self._handles: list[RemovableHandle] = []
        self.buckets: list[_Bucket] = []
        if self.size == 1:
            return
        wanted = [p for p in parameters if p.requires_grad]
        for part in _parts(wanted[::-1], bucket_cap_mb):
            bucket = _Bucket(part, self.size)
            self.buckets.append(bucket)
            for i, p in enumerate(part):
                hook = partial(self._arrived, bucket, i)
                self._handles.append(RemovableHandle(GradientHooks.of(p).functions, hook))

    def _arrived(self, bucket: _Bucket, i: int, g: Tensor) -> Tensor | None:
        """The hook: the gradient of parameter i of the bucket is complete."""
        if current().size == 1:
            return None
        if not self.enabled:
            self._own = True
            return None
        if thread.state.recording:  # to be differentiated: each on its own, by an operation
            return AllReduce()(g) / self.size
        if self._walk is not thread.state.after:
            self._walk, self._sent = thread.state.after, 0
            for one in self.buckets:
                one.empty()
            at_the_end(self._finish)
        average = bucket.put(i, g.array)
        bucket.missing[i] = False
        if self._own:
            bucket.add_own(i)
        while self._sent < len(self.buckets) and not any(self.buckets[self._sent].missing):
            self._send()
        for one in self.buckets[: self._sent]:
            one.work.is_completed()  # asking moves it on
        return Tensor(average)

    def _send(self) -> None:
        self.buckets[self._sent].send()
        self._sent += 1

    def _finish(self) -> None:
        for bucket in self.buckets[self._sent :]:
            for i, missing in enumerate(bucket.missing):
                if missing and self._own:
                    bucket.add_own(i)
        while self._sent < len(self.buckets):
            self._send()
        for bucket in self.buckets:
            bucket.arrive()
        self._walk, self._own = None, False

    def close(self) -> None:
        """Leave the gradients to the ranks from now on."""
        for handle in self._handles:
            handle.remove()


class _Bucket:
    """Gradients of ``parameters`` end to end, each in the memory order of its parameter."""

    work: Work
    flat: Array  # the gradients, and behind them a number for each: whether it was put there
    views: list[Array]
    missing: list[bool]  # which this rank's pass has not reached
    blank: list[bool]  # for which nothing was put there

    def __init__(self, parameters: list[Tensor], size: int):
        self.parameters, self.share = parameters, 1 / size
        ends = accumulate((p.array.size for p in parameters), initial=0)
        self.parts = [slice(*bounds) for bounds in pairwise(ends)]

    def empty(self) -> None:
        """A new pass: nothing has come yet."""
        like = self.parameters[0].array
        empty = memory.empty if isinstance(like, np.ndarray) else array_module(like).empty
        self.flat = empty((self.parts[-1].stop + len(self.parts),), like.dtype)
        self.flat[self.parts[-1].stop :] = 0
        self.views = [self._view(i) for i in range(len(self.parts))]
        self.missing, self.blank = ([True] * len(self.parts) for _ in range(2))

    def _view(self, i: int) -> Array:
        like = self.parameters[i].array
        order = memory.memory_order(like)
        ordered = self.flat[self.parts[i]].reshape([like.shape[d] for d in order])
        return ordered.transpose(memory.inverse(order))

    def put(self, i: int, gradient: Array) -> Array:
        """This rank's share of the average; returns the view that the average will be in."""
        xp = array_module(gradient)
        xp.multiply(gradient, self.share, out=self.views[i])
        self.flat[self.parts[-1].stop + i] = self.share
        self.blank[i] = False
        return self.views[i]

    def add_own(self, i: int) -> None:
        """With what passes before this one left in ``.grad``, which the average replaces."""
        p = self.parameters[i]
        if p.grad is None:
            return
        if self.blank[i]:
            self.put(i, p.grad.array)
        else:
            self.views[i] += p.grad.array * self.share
        p.grad = None

    def send(self) -> None:
        """Begin the sum over the ranks; what is missing is zero."""
        for view, blank in zip(self.views, self.blank, strict=True):
            if blank:
                view[...] = 0
        self.work = current().all_reduce(self.flat, "sum")

    def arrive(self) -> None:
        """Wait; parameters that other ranks' passes reached get their gradient here too."""
        self.work.wait()
        if not any(self.missing):
            return
        reached = self.flat[self.parts[-1].stop :].tolist()
        for p, view, missing, number in zip(
            self.parameters, self.views, self.missing, reached, strict=True
        ):
            if missing and number:
                p.grad = Tensor(view.copy() if p.grad is None else p.grad.array + view)


def _parts(parameters: list[Tensor], cap: float) -> list[list[Tensor]]:
    """The parameters in buckets, each of one dtype and device."""
    parts: list[list[Tensor]] = []
    room, kind = 0.0, None
    for p in parameters:
        need = p.array.nbytes / MIB
        if kind != (p.dtype, p.device) or need > room:
            room, kind = (min(FIRST, cap) if not parts else cap), (p.dtype, p.device)
            parts.append([])
        parts[-1].append(p)
        room -= need
    return parts
