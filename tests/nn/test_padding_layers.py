"""Borders as layers, and of convolutions, against NumPy's pad."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import minigan
from minigan import nn, tensor
from minigan.nn import functional as F

MODES = {"Zero": "constant", "Reflection": "reflect", "Replication": "edge"}
CONV_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", MODES)
def test_layers_pad_as_numpy_does(name):
    image, line = RNG.standard_normal((2, 3, 5, 6)), RNG.standard_normal((2, 3, 7))
    found = getattr(nn, f"{name}Pad2d")((1, 2, 3, 0))(tensor(image)).numpy()
    assert_allclose(found, np.pad(image, ((0, 0), (0, 0), (3, 0), (1, 2)), mode=MODES[name]))
    found = getattr(nn, f"{name}Pad1d")(2)(tensor(line)).numpy()
    assert_allclose(found, np.pad(line, ((0, 0), (0, 0), (2, 2)), mode=MODES[name]))


def test_constant_borders():
    assert nn.ConstantPad1d((1, 0), 7.0)(minigan.zeros(1, 1, 2)).tolist() == [[[7, 0, 0]]]
    assert nn.ConstantPad2d(1, 3.0)(minigan.zeros(1, 1, 1, 1)).sum().item() == 24
    assert repr(nn.ConstantPad2d(1, 3.0)) == "ConstantPad2d(padding=(1, 1, 1, 1), value=3.0)"


@pytest.mark.parametrize("mode", CONV_MODES)
@pytest.mark.parametrize("padding", [1, (2, 1), "same"])
def test_a_convolution_with_a_border_is_one_of_the_padded_image(mode, padding):
    image = RNG.standard_normal((2, 2, 5, 6))
    conv = nn.Conv2d(2, 3, 3, padding=padding, padding_mode=mode, dtype="float64")
    rows, columns = {1: (1, 1), "same": (1, 1)}.get(padding, padding)
    widths = ((0, 0), (0, 0), (rows, rows), (columns, columns))
    padded = tensor(np.pad(image, widths, mode=CONV_MODES[mode]))
    expected = F.conv2d(padded, conv.weight, conv.bias)
    assert_allclose(conv(tensor(image)).detach().numpy(), expected.detach().numpy(), rtol=1e-12)


def test_one_direction_and_wrong_modes():
    line = tensor(RNG.standard_normal((1, 1, 6)))
    conv = nn.Conv1d(1, 1, 3, padding=1, padding_mode="circular", bias=False, dtype="float64")
    around = minigan.cat([line[..., -1:], line, line[..., :1]], -1)
    expected = F.conv1d(around, conv.weight)
    assert_allclose(conv(line).detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    assert repr(conv).endswith("bias=False, padding_mode=circular)")
    with pytest.raises(ValueError, match=r"padding_mode must be one of .* got 'mirror'"):
        nn.Conv2d(1, 1, 3, padding_mode="mirror")
    with pytest.raises(ValueError, match="padding_mode must be one of"):
        nn.ConvTranspose2d(1, 1, 3, padding_mode="reflect")
