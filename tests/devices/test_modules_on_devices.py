"""Layers, losses, optimizers, saved states, printing and random numbers on a GPU."""

import copy

import numpy as np
import pytest
from devices.alike import assert_alike, on

import minigan
from minigan import Tensor, metrics, nn, optim
from minigan.nn import functional as F
from minigan.nn import init

FLAT, SERIES, IMAGES = (5, 6), (5, 6, 8), (5, 6, 8, 8)
LAYERS = {
    "Linear": (FLAT, lambda: nn.Linear(6, 3)),
    "Conv1d": (SERIES, lambda: nn.Conv1d(6, 4, 3, 2, 1)),
    "Conv2d": (IMAGES, lambda: nn.Conv2d(6, 4, 4, 2, 1, groups=2)),
    "Conv2d same": (IMAGES, lambda: nn.Conv2d(6, 4, 3, padding="same", padding_mode="reflect")),
    "ConvTranspose1d": (SERIES, lambda: nn.ConvTranspose1d(6, 4, 4, 2, 1)),
    "ConvTranspose2d": (IMAGES, lambda: nn.ConvTranspose2d(6, 4, 4, 2, 1)),
    "BatchNorm1d": (FLAT, lambda: nn.BatchNorm1d(6)),
    "BatchNorm2d": (IMAGES, lambda: nn.BatchNorm2d(6)),
    "BatchNorm2d LeakyReLU": (IMAGES, lambda: nn.Sequential(nn.BatchNorm2d(6), nn.LeakyReLU(0.2))),
    "InstanceNorm2d": (IMAGES, lambda: nn.InstanceNorm2d(6, affine=True)),
    "GroupNorm": (IMAGES, lambda: nn.GroupNorm(3, 6)),
    "LayerNorm": (FLAT, lambda: nn.LayerNorm(6)),
    "PReLU": (FLAT, lambda: nn.PReLU(6)),
    "MaxPool2d": (IMAGES, lambda: nn.MaxPool2d(3, 2, 1)),
    "AvgPool2d": (IMAGES, lambda: nn.AvgPool2d(3, 2, 1)),
    "AdaptiveAvgPool2d": (IMAGES, lambda: nn.AdaptiveAvgPool2d(3)),
    "Upsample": (IMAGES, lambda: nn.Upsample(scale_factor=2, mode="bilinear")),
    "PixelShuffle": ((5, 8, 4, 4), lambda: nn.PixelShuffle(2)),
    "ReflectionPad2d": (IMAGES, lambda: nn.ReflectionPad2d(2)),
    "Softmax": (FLAT, lambda: nn.Softmax(1)),
    "Flatten": (IMAGES, lambda: nn.Flatten()),
    "spectral norm": (FLAT, lambda: nn.utils.spectral_norm(nn.Linear(6, 3))),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(cuda_device, name):
    """Two training passes and one of evaluation: results, gradients and running values."""
    shape, make = LAYERS[name]
    minigan.manual_seed(3)
    layer, values = make(), np.random.default_rng(0).standard_normal((3, *shape)).astype("float32")

    def run(device):
        mine, found = copy.deepcopy(layer).to(device), []
        for training, x in zip((True, True, False), values, strict=True):
            mine.train(training)
            (x,) = on(device, [x])
            y = mine(x)
            found += [y, *minigan.grad((y * y * y).sum(), [x, *mine.parameters()])]
        return [*found, *mine.state_dict().values()]

    assert_alike(run("cpu"), run(cuda_device), cuda_device, name)


CLASSES = np.array([2, 0, 5, 5, -100])
LOSSES = {
    "l1_loss": lambda x, t: F.l1_loss(x, t),
    "mse_loss": lambda x, t: F.mse_loss(x, t),
    "smooth_l1_loss": lambda x, t: F.smooth_l1_loss(x, t, beta=0.5),
    "bce": lambda x, t: F.binary_cross_entropy(x.sigmoid(), t.sigmoid()),
    "bce logits": lambda x, t: F.binary_cross_entropy_with_logits(x, t.sigmoid(), t.abs()),
    "cross_entropy": lambda x, t: F.cross_entropy(
        x, Tensor(CLASSES).to(x.device), t[0].abs(), label_smoothing=0.1
    ),
    "nll_loss": lambda x, t: F.nll_loss(x.log_softmax(1), Tensor(CLASSES).to(x.device)),
    "kl_div": lambda x, t: F.kl_div(x.log_softmax(1), t.softmax(1), reduction="batchmean"),
    "hinge_embedding_loss": lambda x, t: F.hinge_embedding_loss(x, t.sign()),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(cuda_device, name):
    values = np.random.default_rng(1).standard_normal((2, *FLAT)).astype("float32")

    def run(device):
        x, t = on(device, values)
        loss = LOSSES[name](x, t.detach())
        return [loss, *minigan.grad(loss, x)]

    assert_alike(run("cpu"), run(cuda_device), cuda_device, name)


OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: optim.Adam(p, lr=0.01, betas=(0.5, 0.9), weight_decay=0.01),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.1),
}


def stepped(network, optimizer, device, steps, first=0):
    """The network after steps on a moving target; gradients are far from 0."""
    rng = np.random.default_rng(2)
    x = Tensor(rng.standard_normal((7, 6)).astype("float32")).to(device)
    for step in range(first, first + steps):
        optimizer.zero_grad()
        ((network(x) - step - 3) ** 2).sum().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
    return list(network.parameters())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_and_their_states_between_devices(cuda_device, name, tmp_path):
    """Five steps; and two, saved, loaded on the other device, and three more."""
    network = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 2))

    def fresh(device):
        mine = copy.deepcopy(network).to(device)
        return mine, OPTIMIZERS[name](mine.parameters())

    expected = stepped(*fresh("cpu"), "cpu", 5)
    assert_alike(expected, stepped(*fresh(cuda_device), cuda_device, 5), cuda_device, name)
    for here, there in (("cpu", cuda_device), (cuda_device, "cpu")):
        mine, optimizer = fresh(here)
        stepped(mine, optimizer, here, 2)
        file = tmp_path / f"{here}.pt"
        minigan.save({"net": mine.state_dict(), "optimizer": optimizer.state_dict()}, file)
        saved = minigan.load(file, map_location=there)
        assert {v.device.type for v in saved["net"].values()} == {there}
        other, again = fresh(there)
        other.load_state_dict(saved["net"])
        again.load_state_dict(saved["optimizer"])
        assert_alike(expected, stepped(other, again, there, 3, first=2), there, name)


def test_modules_move_and_keep_what_they_share(cuda_device):
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4))
    network[2].weight = network[0].weight
    optimizer = optim.SGD(network.parameters(), lr=0.1)
    assert network.to(cuda_device) is network
    assert {v.device.type for v in network.state_dict().values()} == {"cuda"}
    assert network[2].weight is network[0].weight
    network(minigan.ones(3, 4, device=cuda_device)).sum().backward()
    before = network[0].weight.detach().cpu()
    optimizer.step()
    assert not minigan.equal(before, network[0].weight.detach().cpu())
    assert {p.device.type for p in network.cpu().parameters()} == {"cpu"}
    assert {p.device.type for p in network.cuda().double().parameters()} == {"cuda"}


def test_tensors_print_with_their_device(cuda_device):
    x = minigan.tensor([[1.0, 2.5]], device=cuda_device, requires_grad=True)
    assert repr(x) == "tensor([[1. , 2.5]], dtype=float32, device='cuda:0', requires_grad=True)"
    assert f"{x.sum():.1f}" == "3.5" and str(x.device) == "cuda:0"
    assert x.tolist() == [[1.0, 2.5]] and float(x.detach()[0, 1]) == 2.5


def test_random_numbers_are_those_of_the_cpu(cuda_device):
    def draws(device):
        minigan.manual_seed(5)
        x = minigan.empty(2, 3, device=device)
        made = [
            minigan.randn(2, 3, device=device),
            minigan.rand(2, device=device),
            minigan.randint(0, 9, (4,), device=device),
            minigan.randperm(5, device=device),
            minigan.bernoulli(minigan.full((9,), 0.5, device=device)),
            minigan.normal(minigan.zeros(3, device=device), 2.0),
            x.clone().normal_(1.0, 2.0),
            x.clone().uniform_(-1, 1),
            F.dropout(minigan.ones(9, device=device)),
            F.dropout2d(minigan.ones(2, 9, 1, 1, device=device)),
            init.orthogonal_(x.clone()),
            init.kaiming_normal_(x.clone()),
            minigan.randn_like(x),
        ]
        return made

    assert_alike(draws("cpu"), draws(cuda_device), cuda_device)
    # a generator of one device, numbers for the other
    for here, there in (("cpu", cuda_device), (cuda_device, "cpu")):
        drawn = []
        for generator, device in ((here, there), ("cpu", "cpu")):
            rng = minigan.Generator(generator).manual_seed(1)
            x = minigan.randn(3, generator=rng, device=device)
            whole = minigan.randint(0, 9, (3,), generator=rng, device=device)
            drawn.append([x, whole, minigan.empty(2, device=device).normal_(generator=rng)])
        assert_alike(drawn[1], drawn[0], there)


def test_metrics_take_tensors(cuda_device):
    rng = np.random.default_rng(0)
    a, b = (Tensor(rng.standard_normal((40, 3)).astype("float32")) for _ in range(2))
    here = metrics.frechet_distance(a, b), metrics.kernel_distance(a, b, subset_size=20)
    there = [x.to(cuda_device) for x in (a, b)]
    assert (
        metrics.frechet_distance(*there),
        metrics.kernel_distance(*there, subset_size=20),
    ) == here
