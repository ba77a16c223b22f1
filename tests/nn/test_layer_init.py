"""Parameters start as PyTorch starts them: U(-1/√n, 1/√n) with PyTorch's count n of inputs."""

import math

import numpy as np
import pytest

import minigan
from minigan import nn
from minigan.nn import init


def assert_uniform_on(draws, low, high):
    """Whether draws could be uniform: all inside, the outermost as near to the bounds as all but
    one in 10⁶ samples have them (ln 10⁶/n), mean and variance within 5 standard errors of theirs,
    and Kolmogorov's distance below what one in 10⁶ samples passes (√(ln(2·10⁶)/2n))."""
    n, u = draws.size, np.sort((draws.ravel().astype(np.float64) - low) / (high - low))
    assert -1e-6 < u[0] < math.log(1e6) / n
    assert -1e-6 < 1 - u[-1] < math.log(1e6) / n
    assert abs(u.mean() - 0.5) < 5 * math.sqrt(1 / 12 / n)
    assert abs(((u - 0.5) ** 2).mean() - 1 / 12) < 5 * math.sqrt(1 / 180 / n)
    steps = np.arange(n + 1) / n
    distance = max(np.abs(u - steps[1:]).max(), np.abs(u - steps[:-1]).max())
    assert distance < math.sqrt(math.log(2e6) / 2 / n)


# The inputs of one output as PyTorch 2.13 counts them: weight.shape[1] times the taps, which for a
# transposed convolution are its *out*put channels (checked by the largest |weight| it draws).
@pytest.mark.parametrize(
    ("make", "inputs"),
    [
        (lambda: nn.Linear(200, 300), 200),
        (lambda: nn.Conv2d(40, 200, 4), 40 * 16),
        (lambda: nn.Conv2d(40, 200, (3, 5), groups=4), 10 * 15),
        (lambda: nn.ConvTranspose2d(40, 200, 4), 200 * 16),
        (lambda: nn.ConvTranspose2d(80, 200, 4, groups=4), 50 * 16),
    ],
)
def test_weights_and_biases_start_uniform(make, inputs):
    minigan.manual_seed(11)
    layer = make()
    bound = 1 / math.sqrt(inputs)
    assert_uniform_on(layer.weight.detach().numpy(), -bound, bound)
    assert_uniform_on(layer.bias.detach().numpy(), -bound, bound)
    assert layer.weight.dtype == np.float32


def test_the_same_seed_starts_the_same_network_and_another_seed_another():
    def start(seed):
        minigan.manual_seed(seed)
        return nn.Conv2d(2, 3, 4).weight.tolist()

    assert start(1) == start(1)
    assert start(1) != start(2)


def test_batchnorm_starts_as_the_identity():
    layer = nn.BatchNorm2d(3)
    assert layer.weight.tolist() == layer.running_var.tolist() == [1.0] * 3
    assert layer.bias.tolist() == layer.running_mean.tolist() == [0.0] * 3
    assert layer.num_batches_tracked.item() == 0


def test_a_layer_without_inputs_can_be_made():
    layer = nn.Linear(0, 2)
    assert layer.weight.shape == (2, 0)
    assert layer.bias.tolist() == [0.0, 0.0]
    assert layer(minigan.ones(3, 0)).tolist() == [[0.0, 0.0]] * 3


def test_dtype_reaches_every_float_parameter_and_buffer():
    for layer in (
        nn.Linear(2, 2, dtype="float64"),
        nn.Conv2d(1, 1, 3, dtype="float64", device="cpu"),
        nn.ConvTranspose2d(1, 1, 3, dtype="float64"),
        nn.BatchNorm1d(2, dtype="float64"),
    ):
        kinds = {t.dtype for t in layer.state_dict().values() if t.is_floating_point()}
        assert kinds == {np.dtype("float64")}


# -- the functions of nn.init


def test_normal_has_the_asked_mean_and_spread():
    g = minigan.Generator().manual_seed(5)
    draws = init.normal_(nn.Parameter(minigan.empty(400, 500)), 1.5, 0.02, g).detach().numpy()
    z = (draws.astype(np.float64) - 1.5) / 0.02
    n = z.size
    # Standard errors of the first four moments of a normal sample: 1, 2, 15, 96 over n.
    assert abs(z.mean()) < 5 * math.sqrt(1 / n)
    assert abs((z**2).mean() - 1) < 5 * math.sqrt(2 / n)
    assert abs((z**3).mean()) < 5 * math.sqrt(15 / n)
    assert abs((z**4).mean() - 3) < 5 * math.sqrt(96 / n)


def test_uniform_fills_the_asked_interval():
    g = minigan.Generator().manual_seed(5)
    draws = init.uniform_(nn.Parameter(minigan.empty(300, 300)), -3.0, 5.0, g).detach().numpy()
    assert_uniform_on(draws, -3.0, 5.0)


def test_filling_returns_the_parameter_itself_counts_a_change_and_keeps_it_a_leaf():
    p = nn.Parameter(minigan.empty(2, 2))
    for fill in (
        lambda: init.normal_(p),
        lambda: init.uniform_(p),
        lambda: init.constant_(p, 3.0),
        lambda: init.zeros_(p),
        lambda: init.ones_(p),
    ):
        before = p.version[0]
        assert fill() is p
        assert p.version[0] > before
        assert p.is_leaf
        assert p.requires_grad
    assert p.tolist() == [[1.0, 1.0]] * 2
    assert init.constant_(p, 3.0).tolist() == [[3.0, 3.0]] * 2
    assert init.zeros_(p).tolist() == [[0.0, 0.0]] * 2
