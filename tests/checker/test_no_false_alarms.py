"""Right functions pass to the third order by complex step and by central differences, all of them.

Kinks, flat places, cancelling gradients, badly scaled and broadcast inputs among them.
"""

import numpy as np
import pytest
from strategies import numbers

import minigan
from minigan import gradcheck
from minigan.nn import functional as F

X, Y, ROW, POSITIVE = (
    numbers(0, (3, 4)),
    numbers(1, (3, 4)),
    numbers(2, (4,)),
    np.abs(numbers(3, (3, 4))) + 0.2,
)
IMAGE, FILTER, BATCH = numbers(4, (2, 2, 4, 4)), numbers(5, (3, 2, 3, 3)), numbers(6, (6, 3))
BIAS = numbers(7, (3,))


def bias_before_norm(x, w, b):
    """The bias has no effect: its gradient is 0 but for rounding."""
    return minigan.batch_norm(minigan.conv2d(x, w, b), training=True).tanh()


def gradient_penalty(w, x):
    x = x.requires_grad_()
    (g,) = minigan.grad(((x @ w).tanh() ** 2).sum(), x, create_graph=True)
    return ((g * g).sum(1).sqrt() - 1) ** 2


RIGHT = {
    "x": (lambda x: x, X),
    "zero": (lambda x: x * 0, X),
    "constant": (lambda x: minigan.ones(2, dtype="float64"), X),
    "linear": (lambda x: 3 * x.sum(0) - 1, X),
    "square": (lambda x: x * x, X),
    "cube": (lambda x: x**3, X),
    "tenth power": (lambda x: x**10, X),
    "reciprocal": (lambda x: 1 / x, POSITIVE),
    "root": (minigan.sqrt, POSITIVE),
    "logarithm": (minigan.log, POSITIVE),
    "x to the y": (lambda x, y: x**y, POSITIVE, Y),
    "quotient": (lambda x, y: y / (1 + x * x), X, Y),
    "exponential": (minigan.exp, X),
    "steep": (lambda x: (x * 20).tanh(), X),
    "oscillating": (lambda x: (x * 15).sin(), X),
    "saturated": (lambda x: (x * 30).sigmoid(), X),
    "gaussian": (lambda x: (-x * x).exp(), X),
    "erf": (minigan.erf, X),
    "tiny": (lambda x: x.sin() * 1e-8, X),
    "very tiny": (lambda x: x.sin() * 1e-200, X),
    "huge": (lambda x: (x * x).tanh() * 1e12, X),
    "large inputs": (lambda x: (x / 1e6).tanh(), X * 1e6),
    "small inputs": (lambda x: (x * 1e6).tanh(), X * 1e-6),
    "mixed sizes": (lambda x, y: (x * 1e-3).tanh() * y, X * 1e3, Y),
    "relu": (lambda x: minigan.relu(x) * x, X),
    "relu at its kink": (lambda x: minigan.relu(x) * x.exp() + minigan.abs(x), X * 0),
    "leaky relu": (lambda x: F.leaky_relu(x, 0.2) * x, X),
    "absolute": (lambda x: minigan.abs(x) ** 3, X),
    "clamp": (lambda x: minigan.clamp(x, -0.5, 0.5) * x, X),
    "clamp at its edge": (lambda x: minigan.clamp(x, -0.5, 0.5) * x.exp(), X * 0 + 0.5),
    "maximum": (lambda x, y: minigan.maximum(x, y) ** 3, X, Y),
    "tied maximum": (lambda x, y: minigan.maximum(x, y) * x.exp(), X, X),
    "amax": (lambda x: minigan.amax(x, 1) ** 3, X),
    "max pooling": (lambda x: F.max_pool2d(x, 2) ** 3, IMAGE),
    "sign": (lambda x: minigan.sign(x) * x, X),
    "broadcast": (lambda x, r: (x * r).tanh() + r, X, ROW),
    "0-d": (lambda a, x: (a * x).sin(), np.array(0.7), X),
    "empty": (lambda x: x.tanh(), np.zeros((0, 4))),
    "one element": (lambda x: x.exp(), np.ones((1, 1))),
    "matrix product": (lambda x, y: (x @ y.t()).tanh(), X, Y),
    "einsum": (lambda x, y: minigan.einsum("ij,kj->ik", x, y) ** 2, X, Y),
    "softmax": (lambda x: minigan.softmax(x, 1), X),
    "sum of a softmax": (lambda x: minigan.softmax(x, 1).sum(1), X),
    "log softmax": (lambda x: minigan.log_softmax(x, 1), X),
    "variance": (lambda x: x.var(0), X),
    "deviation": (lambda x: x.std(0), X),
    "norm": (lambda x: minigan.norm(x, dim=1), X),
    "cosine": (lambda x, y: F.cosine_similarity(x, y), X, Y),
    "batch norm": (lambda x: minigan.batch_norm(x, training=True), BATCH),
    "sum of a batch norm": (lambda x: minigan.batch_norm(x, training=True).sum(), BATCH),
    "layer norm": (lambda x, r: F.layer_norm(x, (4,), r), X, ROW),
    "convolution": (lambda x, w: minigan.conv2d(x, w, padding=1) ** 2, IMAGE, FILTER),
    "transposed": (lambda x, w: minigan.conv_transpose2d(x, w, stride=2), IMAGE, FILTER[:2]),
    "bias before norm": (bias_before_norm, IMAGE, FILTER, BIAS),
    "cross entropy": (lambda x: F.cross_entropy(x, minigan.tensor([0, 2, 1])), X),
    "logits": (lambda x: F.binary_cross_entropy_with_logits(x, minigan.ones(3, 4)), X),
    "gradient penalty": (gradient_penalty, numbers(8, (4, 2)), X),
    "several outputs": (lambda x: (x.sin(), x > 0, x.sum(1) ** 2), X),
    "unused input": (lambda x, y: x.tanh(), X, Y),
    "one unused output": (lambda x, y: (x.tanh(), y.detach() * 0), X, Y),
    "integers beside": (lambda x, i, n: x[i] ** n, X, minigan.tensor([2, 0]), 3),
}


@pytest.mark.parametrize("method", ["auto", "central"])
@pytest.mark.parametrize("name", RIGHT)
def test_right_functions_pass_to_the_third_order(name, method):
    f, *inputs = RIGHT[name]
    with np.errstate(under="ignore"):
        report = gradcheck(f, *inputs, order=3, method=method)
    assert report.ok and {row.order for row in report.rows} == {1, 2, 3}
