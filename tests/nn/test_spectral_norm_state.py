"""spectral_norm: names and state, copies, removal, memory, mistakes."""

import copy
import gc
import weakref

import numpy as np
import pytest
from spectral import batch, every_layer, matrix, normalized, vectors

import minigan
from minigan import nn, optim
from minigan.nn.utils import remove_spectral_norm, spectral_norm
from minigan.saving import load, save

# -- parameters, buffers and state


def test_names_and_order_of_the_state_are_pytorchs():
    net = nn.Sequential(normalized("conv"), nn.ReLU(), normalized("transposed"))
    assert list(net.state_dict()) == [
        *("0.bias", "0.weight_orig", "0.weight_u", "0.weight_v"),
        *("2.bias", "2.weight_orig", "2.weight_u", "2.weight_v"),
    ]
    assert [name for name, _ in net[0].named_parameters()] == ["bias", "weight_orig"]
    assert [name for name, _ in net[0].named_buffers()] == ["weight_u", "weight_v"]


def test_another_parameter_gets_names_of_its_own():
    layer = spectral_norm(nn.Linear(3, 2), name="bias")
    assert list(layer.state_dict()) == ["weight", "bias_orig", "bias_u", "bias_v"]
    layer(minigan.ones(1, 3))
    assert np.linalg.norm(layer.bias.detach().numpy()) == pytest.approx(1, rel=1e-6)


@every_layer
def test_a_layer_that_loads_the_state_goes_on_alike(kind, tmp_path):
    layer, x = normalized(kind), batch(kind)
    layer(x)
    save(layer.state_dict(), tmp_path / "layer.npz")
    other = normalized(kind, seed=5)
    assert other.load_state_dict(load(tmp_path / "layer.npz")) == ([], [])
    for _ in range(3):
        np.testing.assert_array_equal(layer(x).detach().numpy(), other(x).detach().numpy())


def test_the_parameter_stays_the_object_that_an_optimizer_may_hold():
    layer = nn.Linear(3, 2)
    weight = layer.weight
    optimizer = optim.SGD(layer.parameters(), lr=0.1)
    assert spectral_norm(layer) is layer
    assert layer.weight_orig is weight
    before = weight.detach().numpy().copy()
    layer(minigan.randn(4, 3)).square().sum().backward()
    optimizer.step()
    assert (weight.detach().numpy() != before).any()


def test_initialising_the_weight_before_the_first_pass_has_an_effect():
    layer = spectral_norm(nn.Linear(3, 2))
    assert not layer.weight.requires_grad
    layer.weight.data.normal_(5.0, 0.1)
    np.testing.assert_array_equal(layer.weight_orig.detach().numpy(), layer.weight.numpy())


def test_state_dict_stays_on_the_layers_own_memory_through_passes():
    layer = normalized("linear")
    state = layer.state_dict()
    layer(batch("linear"))
    np.testing.assert_array_equal(state["weight_u"].numpy(), layer.weight_u.numpy())


def test_another_dtype_takes_all_of_it_along():
    layer = spectral_norm(nn.Linear(5, 4))
    layer(minigan.randn(2, 5))
    layer.to("float64")
    y = layer(minigan.randn(2, 5, dtype="float64"))
    y.sum().backward()
    tensors = (y, layer.weight, layer.weight_u, layer.weight_v, layer.weight_orig.grad)
    assert {t.dtype for t in tensors} == {np.dtype("float64")}
    w = layer.weight_orig.detach().numpy()
    u, v = vectors(layer)
    np.testing.assert_allclose(layer.weight.detach().numpy(), w / (u @ w @ v), rtol=1e-12)


# -- copies, removal, memory


@every_layer
def test_a_deep_copy_lives_a_life_of_its_own(kind):
    net, x = nn.Sequential(normalized(kind)), batch(kind)
    net(x).square().sum().backward(create_graph=True)
    state = {k: t.numpy().copy() for k, t in net.state_dict().items()}
    twin = copy.deepcopy(net)
    np.testing.assert_array_equal(twin[0].weight.numpy(), net[0].weight.detach().numpy())
    assert not twin[0].weight.requires_grad
    twin[0].weight.zero_()
    assert (net[0].weight.detach().numpy() != 0).all()
    with minigan.no_grad():
        twin[0].weight_orig.mul_(-3.0)
        twin[0].weight_orig.add_(0.1)
    for _ in range(2):
        twin(x).square().sum().backward()
    for name, before in state.items():  # the original has noticed nothing
        np.testing.assert_array_equal(net.state_dict()[name].numpy(), before)
    assert net[0].weight_orig.grad is not twin[0].weight_orig.grad
    w, (u, v) = matrix(kind, twin[0].weight_orig), vectors(twin[0])
    np.testing.assert_allclose(matrix(kind, twin[0].weight), w / (u @ w @ v), rtol=1e-12)
    remove_spectral_norm(twin[0])
    assert list(twin.state_dict()) == ["0.bias", "0.weight"]
    net(x)
    assert "0.weight_u" in net.state_dict()


@every_layer
def test_removing_leaves_a_plain_layer_of_the_same_function(kind):
    layer, x = normalized(kind), batch(kind)
    layer(x)
    layer.eval()
    y = layer(x).detach().numpy()
    u = layer.weight_u.numpy().copy()
    layer.train()
    assert remove_spectral_norm(layer) is layer
    assert not hasattr(layer, "weight_u")
    assert not hasattr(layer, "weight_orig")
    assert list(layer.state_dict()) == ["bias", "weight"]
    assert isinstance(layer.weight, nn.Parameter)
    assert layer.weight.is_leaf
    for _ in range(2):
        np.testing.assert_array_equal(layer(x).detach().numpy(), y)
    with pytest.raises(ValueError, match=r"'weight' of this .* is not normalised"):
        remove_spectral_norm(layer)
    spectral_norm(layer)  # and again
    assert layer.weight_u.shape == u.shape


def test_nothing_is_left_to_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        net = nn.Sequential(normalized("linear"))
        x = batch("linear").requires_grad_()
        (g,) = minigan.grad(net(x).tanh().sum(), x, create_graph=True)
        (g * g).sum().backward()
        net(x)
        gone = [weakref.ref(thing) for thing in (net[0], net[0].weight_orig, net[0].weight)]
        del net, g
        assert [ref() for ref in gone] == [None, None, None]
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_mistakes_are_named():
    layer = nn.Linear(3, 2, bias=False)
    for name in ("bias", "kernel"):  # None, and unknown
        with pytest.raises(ValueError, match=f"Linear has no parameter '{name}'"):
            spectral_norm(layer, name)
    with pytest.raises(ValueError, match="n_power_iterations must be positive, got 0"):
        spectral_norm(layer, n_power_iterations=0)
    assert list(layer.state_dict()) == ["weight"]
    spectral_norm(layer)
    with pytest.raises(RuntimeError, match="'weight' of this Linear is normalised already"):
        spectral_norm(layer)
