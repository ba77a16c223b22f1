"""Instance, layer and group normalisation as layers: state, modes, print, as in PyTorch."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import minigan
from minigan import gradcheck, nn, tensor
from minigan.nn import functional as F


def draws(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape) * 2 + 1


def filled(layer):
    """In float64, with parameters drawn at random."""
    layer.double()
    with minigan.no_grad():
        for i, p in enumerate(layer.parameters()):
            p.copy_(draws(*p.shape, seed=i + 1))
    return layer


INSTANCES = [(nn.InstanceNorm1d, (2, 3, 4)), (nn.InstanceNorm2d, (2, 3, 2, 4))]
every_instance = pytest.mark.parametrize(("kind", "shape"), INSTANCES)
RUNNING = ["running_mean", "running_var", "num_batches_tracked"]


def standard(x, eps):
    """Every channel of every sample with mean 0 and variance 1."""
    axes = tuple(range(2, x.ndim))
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(var + eps)


@every_instance
@pytest.mark.parametrize("affine", [True, False])
def test_instance_norm_is_the_same_in_training_and_evaluation(kind, shape, affine):
    layer, x = filled(kind(3, eps=1e-3, affine=affine)), draws(*shape)
    expected = standard(x, 1e-3)
    if affine:
        w, b = (p.detach().numpy().reshape(1, 3, *(1,) * (x.ndim - 2)) for p in layer.parameters())
        expected = expected * w + b
    for _ in range(2):
        y = layer(tensor(x))
        assert_allclose(y.detach().numpy(), expected, rtol=1e-12, atol=1e-12)
        layer.eval()
    single = layer(tensor(x[1])).detach().numpy()  # without the batch dimension
    assert_allclose(single, expected[1], rtol=1e-12, atol=1e-12)
    assert list(layer.state_dict()) == (["weight", "bias"] if affine else [])


@every_instance
@pytest.mark.parametrize("momentum", [0.3, 0.0, None])
def test_instance_norm_with_running_statistics(kind, shape, momentum):
    layer = kind(3, momentum=momentum, track_running_stats=True).double()
    assert list(layer.state_dict()) == RUNNING
    mean, var, axes = np.zeros(3), np.ones(3), tuple(range(2, len(shape)))
    m = momentum or 0.0  # with None PyTorch's instance norm keeps them as they are
    for seed in range(3):
        x = draws(*shape, seed=seed)
        assert_allclose(layer(tensor(x)).numpy(), standard(x, 1e-5), rtol=1e-12, atol=1e-12)
        mean = (1 - m) * mean + m * x.mean(axes).mean(0)
        var = (1 - m) * var + m * x.var(axes, ddof=1).mean(0)
    assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12)
    assert_allclose(layer.running_var.numpy(), var, rtol=1e-12)
    assert layer.num_batches_tracked.item() == 0  # as in PyTorch
    y = layer.eval()(tensor(x)).numpy()
    mean, var = (v.reshape(1, 3, *(1,) * len(axes)) for v in (mean, var))
    assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5), rtol=1e-12, atol=1e-12)


@every_instance
def test_instance_norm_refuses_other_ranks_and_channels(kind, shape):
    for wrong in ((3,), (2, 3, 4, 5, 6)):
        with pytest.raises(ValueError, match=rf"^{kind.__name__}: expected .*-D or .*-D input"):
            kind(3)(minigan.ones(*wrong))
    for layer in (kind(4, affine=True), kind(4, track_running_stats=True)):
        with pytest.raises(RuntimeError, match=r"^instance_norm: .* expects shape \(3,\)"):
            layer(minigan.ones(*shape))
    with pytest.raises(ValueError, match="more than 1 pixel per channel"):
        kind(3)(minigan.ones(*(n if i < 2 else 1 for i, n in enumerate(shape))))


# -- layer and group


@pytest.mark.parametrize("size", [4, (4,), [3, 4], (2, 3, 4)])
def test_layer_norm_starts_as_the_plain_normalisation_and_scales(size):
    layer, x = nn.LayerNorm(size, eps=1e-3), draws(5, 2, 3, 4)
    sizes = layer.normalized_shape
    assert isinstance(sizes, tuple)
    axes = tuple(range(-len(sizes), 0))
    plain = x - x.mean(axes, keepdims=True)
    plain /= np.sqrt(x.var(axes, keepdims=True) + 1e-3)
    assert_allclose(layer.double()(tensor(x)).detach().numpy(), plain, rtol=1e-12, atol=1e-12)
    w, b = (p.detach().numpy() for p in filled(layer).parameters())
    assert_allclose(layer(tensor(x)).detach().numpy(), plain * w + b, rtol=1e-12, atol=1e-12)


def test_group_norm_is_its_function_with_the_layers_parameters():
    layer, x = filled(nn.GroupNorm(2, 4, eps=1e-3)), tensor(draws(3, 4, 2, 2))
    expected = F.group_norm(x, 2, layer.weight, layer.bias, 1e-3)
    assert layer(x).tolist() == expected.tolist()
    for channels in (3, 6):
        with pytest.raises(RuntimeError, match=r"^group_norm: "):
            layer(minigan.ones(2, channels, 2))


@pytest.mark.parametrize("groups", [3, 0, -1])
def test_groups_that_do_not_divide_the_channels_are_refused(groups):
    with pytest.raises(ValueError, match=rf"^GroupNorm: num_groups \({groups}\) must divide"):
        nn.GroupNorm(groups, 4)


# -- all

LAYERS = [
    # A layer, a shape it takes, its state, and what PyTorch 2.13 prints (without its bias=).
    (
        nn.InstanceNorm1d(3),
        (2, 3, 4),
        [],
        "InstanceNorm1d(3, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False)",
    ),
    (
        nn.InstanceNorm2d(3, 1e-3, None, True, True),
        (2, 3, 4, 2),
        ["weight", "bias", *RUNNING],
        "InstanceNorm2d(3, eps=0.001, momentum=None, affine=True, track_running_stats=True)",
    ),
    (
        nn.LayerNorm(4),
        (2, 4),
        ["weight", "bias"],
        "LayerNorm((4,), eps=1e-05, elementwise_affine=True)",
    ),
    (
        nn.LayerNorm((3, 4), bias=False),
        (2, 3, 4),
        ["weight"],
        "LayerNorm((3, 4), eps=1e-05, elementwise_affine=True)",
    ),
    (
        nn.LayerNorm(4, 0.1, False),
        (2, 4),
        [],
        "LayerNorm((4,), eps=0.1, elementwise_affine=False)",
    ),
    (
        nn.GroupNorm(2, 4),
        (2, 4, 3),
        ["weight", "bias"],
        "GroupNorm(2, 4, eps=1e-05, affine=True)",
    ),
    (nn.GroupNorm(4, 4, affine=False), (2, 4, 3), [], "GroupNorm(4, 4, eps=1e-05, affine=False)"),
]
every_layer = pytest.mark.parametrize(("layer", "shape", "keys", "text"), LAYERS)


@every_layer
def test_print_and_state_are_pytorchs(layer, shape, keys, text):
    assert repr(layer) == text
    assert list(layer.state_dict()) == keys


@every_layer
def test_float32_stays_float32_in_outputs_gradients_and_state(layer, shape, keys, text):
    x = tensor(draws(*shape).astype("float32"), requires_grad=True)
    y = layer(x)
    inputs = [x, *layer.parameters()]
    first = minigan.grad((y**3).sum(), inputs, create_graph=True)
    second = minigan.grad(sum((g * g).sum() for g in first), x)
    values = [y, *first, *second, *(b for b in layer.buffers() if b.ndim)]
    assert {v.dtype for v in values} == {np.dtype("float32")}


@every_layer
def test_derivatives_are_right_to_order_3(layer, shape, keys, text):
    gradcheck(lambda x: layer(x), draws(*shape), order=3)


@every_layer
def test_no_samples_give_none_and_leave_the_state(layer, shape, keys, text):
    before = {name: value.numpy().copy() for name, value in layer.state_dict().items()}
    assert layer(minigan.zeros(0, *shape[1:])).shape == (0, *shape[1:])
    for name, value in layer.state_dict().items():
        assert np.array_equal(value.numpy(), before[name])


def test_dtype_of_parameters_can_be_chosen():
    for layer in (nn.LayerNorm(4, dtype="float64"), nn.GroupNorm(2, 4, dtype="float64")):
        assert {p.dtype.name for p in layer.parameters()} == {"float64"}
