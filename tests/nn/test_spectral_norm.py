"""spectral_norm: the operator norm becomes 1, and the gradient knows it."""

import numpy as np
import pytest
from spectral import LAYERS, batch, every_layer, matrix, normalized, vectors

import minigan
from minigan import nn, optim
from minigan.nn.utils import spectral_norm


def iterated(w, u, v, times):
    for _ in range(times):
        v = w.T @ u
        v /= np.sqrt(np.dot(v, v))
        u = w @ v
        u /= np.sqrt(np.dot(u, u))
    return u, v


# -- the value


@every_layer
def test_the_largest_singular_value_of_the_weight_in_use_becomes_one(kind):
    layer, x = normalized(kind, n_power_iterations=20), batch(kind)
    for _ in range(40):
        layer(x)
    singular = np.linalg.svd(matrix(kind, layer.weight), compute_uv=False)
    assert singular[0] == pytest.approx(1, abs=1e-6)
    original = np.linalg.svd(matrix(kind, layer.weight_orig), compute_uv=False)
    np.testing.assert_allclose(singular, original / original[0], rtol=1e-6)


@every_layer
@pytest.mark.parametrize("iterations", [1, 3])
def test_every_training_pass_iterates_and_nothing_else_does(kind, iterations):
    layer, x = normalized(kind, n_power_iterations=iterations), batch(kind)
    u, v = vectors(layer)
    assert u.shape == (4,)
    assert v.shape == ((5,) if kind == "linear" else (48,))
    assert np.dot(u, u) == pytest.approx(1)
    assert np.dot(v, v) == pytest.approx(1)
    w = matrix(kind, layer.weight_orig)
    layer.eval()
    layer(x)
    np.testing.assert_array_equal(np.concatenate(vectors(layer)), np.concatenate([u, v]))
    np.testing.assert_allclose(matrix(kind, layer.weight), w / (u @ w @ v), rtol=1e-12)
    layer.train()
    for _ in range(3):
        with minigan.no_grad():  # makes no difference
            layer(x)
        u, v = iterated(w, u, v, iterations)
        np.testing.assert_allclose(layer.weight_u.numpy(), u, rtol=1e-12)
        np.testing.assert_allclose(layer.weight_v.numpy(), v, rtol=1e-12)
        np.testing.assert_allclose(matrix(kind, layer.weight), w / (u @ w @ v), rtol=1e-12)


@every_layer
def test_the_layer_computes_with_the_normalized_weight(kind):
    layer, x = normalized(kind), batch(kind)
    y = layer(x)
    plain = LAYERS[kind]()
    plain.load_state_dict({"weight": layer.weight.detach(), "bias": layer.bias.detach()})
    np.testing.assert_array_equal(y.detach().numpy(), plain(x).detach().numpy())


def test_the_rows_of_the_matrix_can_be_chosen():
    layer = spectral_norm(nn.Conv2d(2, 3, 4, dtype="float64"), dim=2, n_power_iterations=200)
    layer(minigan.randn(1, 2, 4, 4, dtype="float64"))
    assert layer.weight_u.shape == (4,)
    rows = layer.weight.detach().numpy().transpose(2, 0, 1, 3).reshape(4, 24)
    assert np.linalg.norm(rows, 2) == pytest.approx(1, abs=1e-6)


def test_vectors_are_divided_by_eps_where_their_norm_is_smaller():
    layer = normalized("linear", eps=100.0)
    w, u = matrix("linear", layer.weight_orig), layer.weight_u.numpy().copy()
    layer(batch("linear"))
    np.testing.assert_allclose(layer.weight_v.numpy(), w.T @ u / 100, rtol=1e-12)
    np.testing.assert_allclose(layer.weight_u.numpy(), w @ layer.weight_v.numpy() / 100, rtol=1e-12)


def test_values_and_gradient_of_pytorch():
    # torch.nn.utils.spectral_norm of PyTorch 2.13 from the same numbers, after two passes.
    layer = spectral_norm(nn.Linear(2, 2, bias=False, dtype="float64"))
    start = {"weight_orig": [[2.0, 1.0], [0.5, -1.0]], "weight_u": [0.6, 0.8], "weight_v": [1, 0]}
    layer.load_state_dict({name: np.array(values) for name, values in start.items()})
    for _ in range(2):
        y = layer(minigan.tensor([[1.0, 2.0]], dtype="float64"))
    y.square().sum().backward()
    weight = [[0.9036325160915419, 0.451816258045771], [0.2259081290228855, -0.451816258045771]]
    gradient = [[-1.573410701545778, 2.279587158145065], [-0.879623305588585, -1.307045897740784]]
    for tensor, expected in (
        (layer.weight, weight),
        (layer.weight_u, [0.9965457582448797, 0.08304547985374]),
        (layer.weight_v, [0.9557790087219501, 0.29408584883752303]),
        (layer.weight_orig.grad, gradient),
    ):
        np.testing.assert_allclose(tensor.detach().numpy(), expected, rtol=1e-12)


# -- the gradient


def closed_form(kind, layer, g, u, v):
    """(g - ⟨g, W/σ⟩·u·vᵀ)/σ as a matrix, from the gradient g of the weight in use."""
    w = matrix(kind, layer.weight_orig)
    sigma = u @ w @ v
    g = matrix(kind, g)
    return (g - (g * w / sigma).sum() * np.outer(u, v)) / sigma


def upstream(kind, layer, x):
    """The gradient of Σ y² with respect to the weight in use, from a plain layer."""
    plain = LAYERS[kind]()
    plain.load_state_dict({"weight": layer.weight.detach(), "bias": layer.bias.detach()})
    plain(x).square().sum().backward()
    return plain.weight.grad.numpy()


@every_layer
@pytest.mark.parametrize("iterations", [1, 500])
def test_the_gradient_goes_through_sigma_with_constant_vectors(kind, iterations):
    layer, x = normalized(kind, n_power_iterations=iterations), batch(kind)
    layer(x).square().sum().backward()
    u, v = vectors(layer)
    if iterations == 500:  # converged: the true singular vectors, and the true gradient
        left, _, right = np.linalg.svd(matrix(kind, layer.weight_orig))
        assert abs(u @ left[:, 0]) == pytest.approx(1, abs=1e-9)
        u, v = left[:, 0], right[0]
    expected = closed_form(kind, layer, upstream(kind, layer, x), u, v)
    np.testing.assert_allclose(
        matrix(kind, layer.weight_orig.grad), expected, rtol=1e-6, atol=1e-6 * abs(expected).max()
    )


@every_layer
def test_passes_of_a_real_and_a_fake_batch_each_keep_their_own_vectors(kind):
    layer = normalized(kind)
    total, expected = 0, 0
    for seed, training in ((1, True), (2, False), (3, True), (4, True)):
        x = batch(kind, seed)
        layer.train(training)
        total = total + layer(x).square().sum()
        expected = expected + closed_form(kind, layer, upstream(kind, layer, x), *vectors(layer))
    layer.weight_u.zero_()
    total.backward()
    np.testing.assert_allclose(matrix(kind, layer.weight_orig.grad), expected, rtol=1e-9)


@every_layer
def test_the_gradient_of_a_gradient_penalty_is_the_difference_quotient(kind):
    layer = normalized(kind)
    layer(batch(kind))
    layer.eval()  # the vectors stay

    def penalty():
        x = batch(kind).requires_grad_()
        (g,) = minigan.grad(layer(x).tanh().sum(), x, create_graph=True)
        return (g.flatten(1).square().sum(1).sqrt() - 1).square().mean()

    penalty().backward()
    rng = np.random.default_rng(0)
    for _ in range(3):
        direction = rng.standard_normal(layer.weight_orig.shape)
        slope = (layer.weight_orig.grad.numpy() * direction).sum()
        values = []
        for step in (-2e-4, -1e-4, 1e-4, 2e-4):
            with minigan.no_grad():
                layer.weight_orig.add_(minigan.tensor(step * direction))
            values.append(penalty().item())
            with minigan.no_grad():
                layer.weight_orig.sub_(minigan.tensor(step * direction))
        quotient = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / 12e-4
        assert slope == pytest.approx(quotient, rel=1e-8)


def test_training_against_it_leaves_a_norm_of_one():
    minigan.manual_seed(0)
    critic = nn.Sequential(
        spectral_norm(nn.Linear(2, 16)), nn.LeakyReLU(0.2), spectral_norm(nn.Linear(16, 1))
    )
    optimizer = optim.Adam(critic.parameters(), lr=0.02)
    real, fake = minigan.randn(64, 2) + 2, minigan.randn(64, 2)
    for _ in range(100):
        optimizer.zero_grad()
        loss = critic(fake).mean() - critic(real).mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < -0.5  # it has learnt to tell them apart …
    critic(real)
    for layer in (critic[0], critic[2]):
        assert np.linalg.norm(layer.weight.detach().numpy(), 2) < 1.01
    a, b = minigan.randn(200, 2), minigan.randn(200, 2)
    change = abs((critic(a) - critic(b)).detach().numpy()[:, 0])
    distance = np.linalg.norm((a - b).numpy(), axis=1)
    assert (change <= 1.02 * distance).all()  # … with a Lipschitz constant of 1
