"""The profile counts what is copied only to lie in another order."""

import numpy as np
import pytest

import minigan
from minigan import nn
from minigan.conv import Geometry
from minigan.conv.cpu import ALGORITHMS
from minigan.cpu import copies


def images(*shape):
    """Channels last in memory."""
    n, c, h, w = shape
    memory = np.random.default_rng(0).normal(size=(n, h, w, c)).astype("float32")
    return minigan.from_numpy(memory.transpose(0, 3, 1, 2))


def test_a_chain_of_layers_copies_nothing_where_channels_lie_last():
    net = nn.Sequential(
        nn.Conv2d(8, 16, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(16, 32, 4, 2, 1),
        nn.BatchNorm2d(32),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(32, 16, 4, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 8, 1),
    )
    optimizer = minigan.optim.Adam(net.parameters())
    x = images(32, 8, 32, 32).requires_grad_()
    for _ in range(2):  # the first step sets up the optimizer's state
        with minigan.debug.profile() as prof:
            y = net(x)
            y.backward(images(*y.shape))
            optimizer.step()
    assert (prof.copies, prof.copied_bytes) == (0, 0)


@pytest.mark.parametrize(
    ("name", "kernel"), [("im2col", 3), ("winograd", 3), ("residues", 3), ("pointwise", 1)]
)
def test_a_convolution_counts_the_bytes_of_images_whose_channels_lie_first(name, kernel):
    """So the zeros above are not those of a counter that stands still."""
    g = Geometry(16, 16, kernel, kernel, pad=(kernel // 2,) * 4)
    x, w, y = (
        np.ones(s, np.float32) for s in ((40, 8, 16, 16), (6, 8, kernel, kernel), (40, 6, 16, 16))
    )
    calls = {
        "dgrad": ((y, w), y.nbytes),
        "fprop": ((x, w), x.nbytes),
        "wgrad": ((x, y), x.nbytes + y.nbytes),
    }
    for routine in ("dgrad",) if name == "residues" else calls:
        operands, turned = calls[routine]
        before = copies.counted()[1]
        getattr(ALGORITHMS[name], routine)(g, *operands)
        assert copies.counted()[1] - before == turned


def test_flattening_copies_once_on_the_way_and_once_back():
    x = images(64, 16, 16, 16).requires_grad_()
    g = minigan.ones(64, 16 * 16 * 16)
    with minigan.debug.profile() as prof:
        y = nn.functional.leaky_relu(x, 0.2).flatten(1)
    assert (prof.copies, prof.copied_bytes) == (1, x.numel() * 4)
    with minigan.debug.profile() as prof:
        y.backward(g)
    assert (prof.copies, prof.copied_bytes) == (1, x.numel() * 4)
    assert "1 copies into another memory order, 1.00 MiB" in str(prof)


def test_a_dcgan_step_copies_where_images_become_vectors_and_nowhere_else():
    """Critic: flattened three times and back three times; generator: its noise made an image.

    The generator's first BatchNorm takes the image as the linear layer leaves it, channels first,
    so it and its backward pass copy the input, and the gradient goes back to a vector.
    """
    from minigan.data import load
    from minigan.gan import Trainer, recipe

    chosen = recipe("dcgan")
    trainer = Trainer(
        chosen, chosen.configure({}), load("glyphs", count=200), batch_size=64, seed=0
    )
    trainer.train_step()
    with minigan.debug.profile() as prof:
        trainer.train_step()
    image = 64 * 128 * 7 * 7 * 4
    assert prof.copies == 9 and prof.copied_bytes == 9 * image
