"""Pooling, borders, patches and 1-D convolutions as layers: what they pass on, state and print."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import minigan
from minigan import gradcheck, nn, tensor


def draws(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def windows(x, kernel, stride, padding, dilation, reduce, fill):
    """``reduce`` of every window of (N, C, H, W), one after the other."""
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = kernel, stride, padding, dilation
    wide = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=fill)
    p = (wide.shape[2] - dh * (kh - 1) - 1) // sh + 1
    q = (wide.shape[3] - dw * (kw - 1) - 1) // sw + 1
    y = np.zeros((*x.shape[:2], p, q))
    for n, c, i, j in np.ndindex(y.shape):
        rows = slice(i * sh, i * sh + dh * (kh - 1) + 1, dh)
        columns = slice(j * sw, j * sw + dw * (kw - 1) + 1, dw)
        y[n, c, i, j] = reduce(wide[n, c, rows, columns])
    return y


@pytest.mark.parametrize(
    ("arguments", "kernel", "stride", "padding", "dilation"),
    [
        ((2,), (2, 2), (2, 2), (0, 0), (1, 1)),
        ((3, 1, 1), (3, 3), (1, 1), (1, 1), (1, 1)),
        (((2, 3), (1, 2), (1, 0)), (2, 3), (1, 2), (1, 0), (1, 1)),
        ((2, 1, 0, (2, 3)), (2, 2), (1, 1), (0, 0), (2, 3)),
    ],
)
def test_pooling_layers_take_the_windows_their_arguments_say(
    arguments, kernel, stride, padding, dilation
):
    x = draws(2, 3, 6, 7)
    expected = windows(x, kernel, stride, padding, dilation, np.max, -np.inf)
    assert_allclose(nn.MaxPool2d(*arguments)(tensor(x)).numpy(), expected, rtol=0)
    if dilation == (1, 1):
        expected = windows(x, kernel, stride, padding, dilation, np.mean, 0)
        assert_allclose(nn.AvgPool2d(*arguments)(tensor(x)).numpy(), expected, rtol=1e-12)


def test_the_other_options_of_pooling_reach_their_functions():
    x = tensor(draws(1, 1, 5, 5))
    values, indices = nn.MaxPool2d(2, return_indices=True)(x)
    assert values.flatten().tolist() == x.flatten()[indices.flatten()].tolist()
    assert nn.MaxPool2d(2, 2, 0, 1, True, True)(x)[1].shape == (1, 1, 3, 3)
    assert nn.MaxPool2d(2, ceil_mode=True)(x).shape == nn.AvgPool2d(2, None, 0, True)(x).shape
    assert nn.MaxPool2d(2, ceil_mode=True)(x).shape == (1, 1, 3, 3)
    ones = minigan.ones(1, 1, 2, 2)
    assert nn.AvgPool2d(2, 1, 1)(ones)[0, 0, 0].tolist() == [0.25, 0.5, 0.25]
    assert nn.AvgPool2d(2, 1, 1, count_include_pad=False)(ones).numpy().min() == 1
    assert nn.AvgPool2d(2, divisor_override=8)(ones).item() == 0.5


@pytest.mark.parametrize("size", [1, (2, 3), (None, 2), [4, 7], (5, 4)])
def test_adaptive_pooling_averages_between_proportional_borders(size):
    x = draws(2, 3, 5, 4)
    pair = (size, size) if isinstance(size, int) else size
    p, q = (old if new is None else new for new, old in zip(pair, (5, 4), strict=True))
    expected = np.zeros((2, 3, p, q))
    for i, j in np.ndindex(p, q):
        rows = slice(i * 5 // p, -(-(i + 1) * 5 // p))
        columns = slice(j * 4 // q, -(-(j + 1) * 4 // q))
        expected[:, :, i, j] = x[:, :, rows, columns].mean((2, 3))
    found = nn.AdaptiveAvgPool2d(size)(tensor(x)).numpy()
    assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("padding", [2, (1, 2, 0, 1), [0, 1, 2, 0]])
@pytest.mark.parametrize(
    ("layer", "mode"),
    [(nn.ZeroPad2d, "constant"), (nn.ReflectionPad2d, "reflect"), (nn.ReplicationPad2d, "edge")],
)
def test_borders_are_left_right_top_bottom(layer, mode, padding):
    x = draws(2, 3, 4, 5)
    left, right, top, bottom = (padding,) * 4 if isinstance(padding, int) else padding
    expected = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), mode)
    assert np.array_equal(layer(padding)(tensor(x)).numpy(), expected)
    assert repr(layer(padding)) == f"{layer.__name__}({(left, right, top, bottom)})"


def test_pixel_shuffle_lays_channels_out_as_pixels_and_unshuffle_takes_them_back():
    x = draws(2, 8, 3, 2)
    y = nn.PixelShuffle(2)(tensor(x))
    for n, c, i, j in np.ndindex(y.shape):
        assert y[n, c, i, j].item() == x[n, c * 4 + i % 2 * 2 + j % 2, i // 2, j // 2]
    assert np.array_equal(nn.PixelUnshuffle(2)(y).numpy(), x)


def test_unfold_and_fold_are_each_others_adjoint():
    settings = {"kernel_size": (2, 3), "dilation": (2, 1), "padding": (1, 0), "stride": (1, 2)}
    x = tensor(draws(2, 3, 5, 6))
    columns = nn.Unfold(**settings)(x)
    other = tensor(draws(*columns.shape, seed=1))
    image = nn.Fold((5, 6), **settings)(other)
    assert_allclose((columns * other).sum().item(), (x * image).sum().item(), rtol=1e-12)
    patch = x[1, :, 0:4:2, 2:5]  # padding 1: the second row of windows starts at row 0
    q = (6 - 3) // 2 + 1
    assert columns[1, :, q + 1].tolist() == patch.reshape(18).tolist()


def test_cosine_similarity_along_its_dim():
    a, b = draws(3, 4), draws(3, 4, seed=1)
    lengths = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    found = nn.CosineSimilarity(dim=0)(tensor(a), tensor(b)).numpy()
    assert_allclose(found, (a * b).sum(0) / lengths, rtol=1e-12)
    assert nn.CosineSimilarity(eps=10.0)(minigan.ones(1, 4), minigan.ones(1, 4)).item() < 0.05


# -- all

LAYERS = [
    # A layer, a shape it takes, and what PyTorch 2.13 prints.
    (
        nn.MaxPool2d(3, 2, 1),
        (2, 4, 6, 6),
        "MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=False)",
    ),
    (nn.AvgPool2d((2, 3)), (2, 4, 6, 6), "AvgPool2d(kernel_size=(2, 3), stride=(2, 3), padding=0)"),
    (nn.AdaptiveAvgPool2d((2, None)), (2, 4, 5, 3), "AdaptiveAvgPool2d(output_size=(2, None))"),
    (nn.ZeroPad2d(1), (2, 4, 3, 3), "ZeroPad2d((1, 1, 1, 1))"),
    (nn.ReflectionPad2d((1, 0, 2, 1)), (2, 4, 3, 3), "ReflectionPad2d((1, 0, 2, 1))"),
    (nn.ReplicationPad2d(1), (2, 4, 3, 3), "ReplicationPad2d((1, 1, 1, 1))"),
    (nn.PixelShuffle(2), (2, 4, 3, 3), "PixelShuffle(upscale_factor=2)"),
    (nn.PixelUnshuffle(3), (2, 1, 3, 3), "PixelUnshuffle(downscale_factor=3)"),
    (nn.Unfold(2), (2, 1, 3, 3), "Unfold(kernel_size=2, dilation=1, padding=0, stride=1)"),
    (
        nn.Fold((3, 4), 2),
        (2, 8, 6),
        "Fold(output_size=(3, 4), kernel_size=2, dilation=1, padding=0, stride=1)",
    ),
    (
        nn.Upsample(scale_factor=1.5, mode="bilinear", align_corners=True),
        (1, 2, 3, 3),
        "Upsample(scale_factor=1.5, mode='bilinear')",
    ),
    (nn.Identity(3, unused=True), (2, 3), "Identity()"),
    (
        nn.Conv1d(4, 6, 3, 2, 1, 2, 2, False),
        (2, 4, 9),
        "Conv1d(4, 6, kernel_size=(3,), stride=(2,), padding=(1,), dilation=(2,), groups=2, "
        "bias=False)",
    ),
    (
        nn.ConvTranspose1d(4, 6, 3, 2, 1, 1),
        (2, 4, 5),
        "ConvTranspose1d(4, 6, kernel_size=(3,), stride=(2,), padding=(1,), output_padding=(1,))",
    ),
]
every_layer = pytest.mark.parametrize(
    ("layer", "shape", "text"), LAYERS, ids=[type(layer).__name__ for layer, *_ in LAYERS]
)


@every_layer
def test_print_and_state_are_pytorchs(layer, shape, text):
    assert repr(layer) == text
    bias = ["bias"] if isinstance(layer, nn.ConvTranspose1d) else []
    assert list(layer.state_dict()) == (["weight", *bias] if "Conv" in text else [])


@every_layer
def test_float32_stays_float32_and_no_samples_give_none(layer, shape, text):
    x = tensor(draws(*shape).astype("float32"), requires_grad=True)
    y = layer(x)
    (g,) = minigan.grad((y * y).sum(), x)
    assert (y.dtype, g.dtype, g.shape) == (np.float32, np.float32, shape)
    assert layer(minigan.zeros(0, *shape[1:])).shape == (0, *y.shape[1:])


@every_layer
def test_derivatives_are_right_to_order_3(layer, shape, text):
    gradcheck(lambda x: layer(x).tanh(), draws(*shape), order=3, probes=1)


def test_conv1d_layers_pass_their_settings_on():
    layer = nn.Conv1d(4, 6, (3,), padding="same", dilation=2)
    x = tensor(draws(2, 4, 9).astype("float32"))
    assert layer.weight.shape == (6, 4, 3)
    assert layer(x).shape == (2, 6, 9)
    assert layer(x[0]).tolist() == layer(x)[0].tolist()
    up = nn.ConvTranspose1d(4, 6, 3, stride=3, groups=2)
    assert up.weight.shape == (4, 3, 3)
    assert up(x).shape == (2, 6, 27)
    for size in ((28,), (2, 6, 28)):
        assert up(x, output_size=size).shape == (2, 6, 28)
    bound = 1 / np.sqrt(4 * 3)
    assert 0.8 * bound < abs(layer.weight.detach().numpy()).max() <= bound


def test_convolutions_refuse_what_they_cannot_be():
    with pytest.raises(ValueError, match=r'^Conv1d: padding expects .* got "x"'):
        nn.Conv1d(1, 1, 1, padding="x")
    with pytest.raises(ValueError, match=r"^Conv1d: groups \(3\) must divide"):
        nn.Conv1d(4, 6, 3, groups=3)


def test_upsample_without_a_size_prints_as_in_pytorch_and_refuses_images():
    layer = nn.Upsample()
    assert repr(layer) == "Upsample(size=None, mode='nearest')"
    with pytest.raises(ValueError, match="give either size or scale_factor"):
        layer(minigan.ones(1, 1, 2, 2))
