"""Gradient penalties: pure functions of a critic and images that say how wrong its slope is.

The slope is the norm of the gradient of f(x) with respect to the image x, over all its pixels and
channels.  A penalty is differentiated in its turn to train the critic, so it keeps its graph.
"""

from __future__ import annotations

from collections.abc import Callable

from .._tensor import Tensor
from ..array import array_module
from ..autograd import grad
from ..generators import Generator
from ..ops.creation import rand, rand_like
from .ranks import of_all_ranks

Critic = Callable[[Tensor], Tensor]


def slopes(critic: Critic, x: Tensor) -> Tensor:
    """‖∇f(x)‖₂ of every image (N,), differentiable; where it is 0 its own gradient is taken as 0.

    >>> import minigan
    >>> slopes(lambda x: 3 * x[:, 0, 0, 0] + 4 * x[:, 0, 1, 1], minigan.randn(2, 1, 5, 5))
    tensor([5., 5.], dtype=float32)
    """
    return gradients(critic, x).norm(dim=1)


def gradients(critic: Critic, x: Tensor) -> Tensor:
    """∇f(x) of every image in a row (N, C·H·W), differentiable."""
    x = x.detach().requires_grad_()
    (g,) = grad(critic(x).sum(), x, create_graph=True)
    return g.reshape(len(g), -1)


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, rng: Generator) -> Tensor:
    """E(‖∇f(x̂)‖ - 1)² at x̂ = ε·x + (1 - ε)·G(z), with one ε ~ U[0, 1) for each image.

    Source: Gulrajani et al. 2017, arXiv 1704.00028.
    """
    size = (len(real),) + (1,) * (real.ndim - 1)
    eps = rand(size, generator=rng, dtype=real.dtype, device=real.device)
    between = eps * real.detach() + (1 - eps) * fake.detach()
    return ((slopes(critic, between) - 1) ** 2).mean()


def dragan_penalty(critic: Critic, real: Tensor, rng: Generator) -> Tensor:
    """E(‖∇f(x + δ)‖ - 1)² around the real images: δ = ½·std(x)·U[0, 1), std over the whole batch.

    Where several processes train together that is the batch of all.

    Source: Kodali et al. 2017, arXiv 1705.07215.
    """
    return ((slopes(critic, perturbed(real, rng)) - 1) ** 2).mean()


def perturbed(real: Tensor, rng: Generator) -> Tensor:
    """x + ½·std(x)·U[0, 1), another U for every number of x."""
    x = real.detach()
    return x + rand_like(x, generator=rng) * (deviation(x) * 0.5)


def deviation(x: Tensor) -> Tensor:
    """The standard deviation of all numbers of the batch, of all ranks' batches together.

    Of ranks with means m and variances v, as many numbers in each: σ² = mean v + var m.
    """
    own = Tensor(array_module(x.array).asarray(x.array.std()))
    deviations = of_all_ranks(own.reshape(1))
    if len(deviations) == 1:
        return own
    means = of_all_ranks(x.mean().reshape(1))
    return ((deviations**2).mean() + means.var(correction=0)).sqrt()


def r1_penalty(critic: Critic, real: Tensor) -> Tensor:
    """½·E‖∇f(x)‖² on real images: at the equilibrium the critic is flat there.

    Without a root, so that it is smooth where the critic is flat, as it is at the end.

    Source: Mescheder, Geiger & Nowozin 2018, arXiv 1801.04406.
    """
    return (gradients(critic, real) ** 2).sum(1).mean() / 2
