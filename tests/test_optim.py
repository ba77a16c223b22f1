"""Optimizers follow their published formulas, whatever a parameter's shape, memory and precision.

The reference below is one plain loop over whole float64 arrays, written from the papers; the
constants come from PyTorch.
"""

import numpy as np
import pytest

import minigan
from minigan import optim
from minigan.fused.blocked import BLOCK


def sgd(p, gradients, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False):
    velocity = None
    for gradient in gradients:
        g = gradient + weight_decay * p
        if momentum:
            fresh = velocity is None
            velocity = g if fresh else momentum * velocity + (1 - dampening) * g
            g = g + momentum * velocity if nesterov else velocity
        p = p - lr * g
    return p


def rmsprop(p, gradients, lr, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False):
    square, mean, velocity = np.zeros_like(p), np.zeros_like(p), np.zeros_like(p)
    for gradient in gradients:
        g = gradient + weight_decay * p
        square = alpha * square + (1 - alpha) * g**2
        mean = alpha * mean + (1 - alpha) * g
        variance = square - mean**2 if centered else square
        velocity = momentum * velocity + g / (np.sqrt(variance) + eps)
        p = p - lr * velocity
    return p


def adam(p, gradients, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, gradient in enumerate(gradients, 1):
        g = gradient + weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        p = p - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return p


CASES = [
    (optim.SGD, sgd, {"lr": 0.1}),
    (optim.SGD, sgd, {"lr": 0.1, "weight_decay": 0.2}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9, "dampening": 0.25, "weight_decay": 0.01}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    (optim.RMSprop, rmsprop, {"lr": 0.05}),
    (optim.RMSprop, rmsprop, {"lr": 0.05, "alpha": 0.9, "eps": 1e-3, "momentum": 0.5}),
    (optim.RMSprop, rmsprop, {"lr": 0.05, "centered": True, "weight_decay": 0.1}),
    (optim.RMSprop, rmsprop, {"lr": 0.05, "alpha": 0.9, "centered": True, "momentum": 0.5}),
    (optim.Adam, adam, {"lr": 0.02}),
    (optim.Adam, adam, {"lr": 0.02, "betas": (0.5, 0.9), "eps": 1e-4, "weight_decay": 0.1}),
    (optim.Adam, adam, {"lr": 0.02, "betas": (0.0, 0.9)}),
]
every_case = pytest.mark.parametrize(
    ("make", "reference", "settings"), CASES, ids=lambda x: x.__name__ if callable(x) else str(x)
)
SHAPES = [(), (0,), (0, 3), (1,), (2, 3, 4), (BLOCK,), (BLOCK + 1,), (3, BLOCK - 7)]


def draws(shape, steps=5, dtype="float64"):
    rng = np.random.default_rng([len(shape), *shape])
    numbers = rng.standard_normal((steps + 1, *shape)).astype(dtype)
    start, *gradients = [np.asarray(x) for x in numbers]
    return start, gradients


def leaf(array):
    """A parameter on this very memory."""
    return minigan.from_numpy(array).requires_grad_()


def run(optimizer, p, gradients):
    for g in gradients:
        p.grad = minigan.from_numpy(g)
        optimizer.step()
    return p.detach().numpy()


# -- the formulas


@every_case
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape_follows_the_formula_tightly_in_float64(make, reference, settings, shape):
    start, gradients = draws(shape)
    p = leaf(start.copy())
    moved = run(make([p], **settings), p, gradients)
    assert moved.shape == shape
    np.testing.assert_allclose(
        moved, reference(start, gradients, **settings), rtol=1e-11, atol=1e-12
    )


@every_case
def test_float32_follows_the_formula_and_stays_float32(make, reference, settings):
    start, gradients = draws((2, 501), dtype="float32")
    p = leaf(start.copy())
    optimizer = make([p], **settings)
    moved = run(optimizer, p, gradients)
    expected = reference(
        start.astype("float64"), [g.astype("float64") for g in gradients], **settings
    )
    np.testing.assert_allclose(moved, expected, rtol=1e-5, atol=1e-6)
    slots = [x for key, x in optimizer.state[p].items() if key != "step"]
    assert {x.dtype for x in [p, *slots]} == {np.dtype("float32")}


LAYOUTS = {
    "transposed": lambda a: a.T.copy().T,
    "every second": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "backwards": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    "contiguous": lambda a: a.copy(),
}


@every_case
@pytest.mark.parametrize("layout", ["transposed", "every second", "backwards"])
@pytest.mark.parametrize("gradient_layout", LAYOUTS)
def test_memory_order_of_parameter_and_gradient_does_not_matter(
    make, reference, settings, layout, gradient_layout
):
    start, gradients = draws((5, 4))
    p = leaf(LAYOUTS[layout](start))
    array = p.array
    assert not array.flags.c_contiguous
    moved = run(make([p], **settings), p, [LAYOUTS[gradient_layout](g) for g in gradients])
    assert p.array is array
    expected = reference(start, gradients, **settings)
    np.testing.assert_allclose(moved, expected, rtol=1e-11, atol=1e-12)


# The parameters a (2×2) and b after five steps on Σ sin(a·x) + Σ (a·b)² + b·x₁ with
# x = (1, t/2 - 1), rounded to 12 digits: PyTorch 2.13 in float64, the same settings.
PYTORCH = [
    [0.10268109621, -0.968310177017, 1.89798418803, 0.261250028595, -0.106659825895],
    [0.064243560712, -0.883646356028, 1.678128984296, 0.218969888568, -0.112097867413],
    [-0.463198831229, -0.067596654794, -0.030163654935, -0.124843823987, 0.713537202149],
    [-1.03102318922, 0.084151104513, -1.043219900933, -0.373972000279, 0.207347996458],
    [-0.993751629232, -0.489793615641, 1.22080039178, -0.742411284077, -0.125883500805],
    [-0.436661951939, -0.588593797075, 1.42383911814, -0.229107047168, -0.173370592037],
    [-0.960006320436, -0.459539737764, 1.103862376908, -0.692804007031, -0.130399015115],
    [-0.55427576206, -0.558426318325, 1.386410020079, -0.285009610871, -0.143200201677],
    [0.400902626823, -0.907190632406, 1.901801598922, 0.171249384257, -0.651641582742],
    [0.394849946127, -0.916738053748, 1.905378708166, 0.191452750229, -0.655584649099],
    [0.386712030276, -0.934531020218, 1.911907524803, 0.223998432676, -0.661190345502],
]


@pytest.mark.parametrize(
    ("make", "settings", "expected"),
    [(make, settings, row) for (make, _, settings), row in zip(CASES, PYTORCH, strict=True)],
)
def test_five_steps_end_where_pytorchs_end(make, settings, expected):
    a = minigan.tensor([[0.5, -1.0], [2.0, 0.25]], dtype="float64", requires_grad=True)
    b = minigan.tensor(-0.75, dtype="float64", requires_grad=True)
    optimizer = make([a, b], **settings)
    for t in range(5):
        optimizer.zero_grad()
        x = minigan.tensor([1.0, 0.5 * t - 1.0], dtype="float64")
        angle = (a * x).sum(1)
        # sin has the derivative cos; a tensor that carries it stands for Σ sin(a·x).
        slope = minigan.from_numpy(np.cos(angle.detach().numpy()))
        ((angle * slope).sum() + (a * b).square().sum() + b * x[1]).backward()
        optimizer.step()
    found = [*a.detach().flatten(0).tolist(), b.item()]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-12)


# -- where formulas meet rounding


def test_centered_rmsprop_survives_a_variance_that_rounds_below_zero():
    p = minigan.zeros(50, requires_grad=True)
    optimizer = optim.RMSprop([p], lr=1e-3, alpha=0.5, centered=True)
    p.grad = minigan.randn(50)
    for _ in range(60):  # a constant gradient: the variance tends to 0
        optimizer.step()
    assert np.isfinite(p.detach().numpy()).all()


def test_momentum_switched_on_later_starts_from_that_gradient():
    start, gradients = draws((3,))
    p = leaf(start.copy())
    optimizer = optim.SGD([p], lr=0.1, dampening=0.5)
    run(optimizer, p, gradients[:2])
    optimizer.param_groups[0]["momentum"] = 0.9
    moved = run(optimizer, p, gradients[2:])
    halfway = sgd(start, gradients[:2], 0.1)
    expected = sgd(halfway, gradients[2:], 0.1, momentum=0.9, dampening=0.5)
    np.testing.assert_allclose(moved, expected, rtol=1e-12)


def test_momentum_switched_off_later_leaves_plain_descent():
    start, gradients = draws((3,))
    p = leaf(start.copy())
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9, dampening=0.5)
    halfway = run(optimizer, p, gradients[:2]).copy()
    optimizer.param_groups[0]["momentum"] = 0
    moved = run(optimizer, p, gradients[2:])
    np.testing.assert_allclose(moved, sgd(halfway, gradients[2:], 0.1), rtol=1e-12)
