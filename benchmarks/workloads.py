"""Training steps written once and run on two engines: ``lib`` is minigan or torch.

Each workload is a function that builds networks and data and returns ``step()``.  Only what the
engines do not share is passed in: how an option such as a fused optimizer is asked for.

    W1, W2          DCGAN on 28×28×1 and 64×64×3 images: a critic step on a real and on a fake
                    batch, a generator step, Adam
    W1-gp, W2-gp    the same networks without BatchNorm in the critic, gradient penalty (double
                    backward), one critic step and one generator step
    cgan            the conditional GAN of Mirza & Osindero with 5×5 convolutions, 28×28
    vae             a variational autoencoder of fully connected layers, 28×28
    pix2pix-64      a U-Net and a patch critic on one pair of 64×64 images
    S28, S32, …     DCGAN on square images of so many pixels, 16 at a time, by networks that halve
                    and double

Those that begin with W or S take another number of images after an @: W1@256.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from benchmarks.options import Options
from benchmarks.workloads_more import BATCH, cgan, pix2pix, vae

WIDTH = 32  # channels of the first layer of ``square``'s critic
SIDE_BATCH = 16  # images at a time, of ``square``


def _dcgan(lib: Any, size: int, norm: bool) -> tuple[Any, Any, tuple[int, ...]]:
    """Generator, critic and the shape of a batch; ``norm``: BatchNorm in the critic."""
    nn = lib.nn

    def up(c: int, k: int, activation: Any) -> list[Any]:
        return [nn.ConvTranspose2d(c, k, 4, 2, 1), nn.BatchNorm2d(k), activation]

    def down(c: int, k: int) -> list[Any]:
        inner = [nn.BatchNorm2d(k)] if norm else []
        return [nn.Conv2d(c, k, 4, 2, 1), *inner, nn.LeakyReLU(0.2)]

    if size == 28:
        generator = nn.Sequential(
            nn.Linear(100, 128 * 49),
            nn.Unflatten(1, (128, 7, 7)),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            *up(128, 64, nn.ReLU()),
            nn.ConvTranspose2d(64, 1, 4, 2, 1),
            nn.Tanh(),
        )
        critic = nn.Sequential(
            nn.Conv2d(1, 64, 4, 2, 1),
            nn.LeakyReLU(0.2),
            *down(64, 128),
            nn.Flatten(),
            nn.Linear(128 * 49, 1),
        )
        return generator, critic, (BATCH, 1, 28, 28)
    generator = nn.Sequential(
        nn.Linear(100, 1024 * 16),
        nn.Unflatten(1, (1024, 4, 4)),
        *up(1024, 512, nn.LeakyReLU(0.2)),
        *up(512, 256, nn.LeakyReLU(0.2)),
        *up(256, 128, nn.LeakyReLU(0.2)),
        nn.ConvTranspose2d(128, 3, 4, 2, 1),
        nn.Tanh(),
    )
    critic = nn.Sequential(
        nn.Conv2d(3, 64, 4, 2, 1),
        nn.LeakyReLU(0.2),
        *down(64, 128),
        *down(128, 256),
        nn.Conv2d(256, 1, 4, 2, 1),
        nn.Flatten(),
        nn.Linear(16, 1),
    )
    return generator, critic, (BATCH, 3, 64, 64)


def square(lib: Any, side: int) -> tuple[Any, Any, tuple[int, ...]]:
    """Generator and critic with BatchNorm for RGB images, and the shape of a batch.

    Halved are sides that are even and above 4.
    """
    nn, smallest, halvings = lib.nn, side, 0
    while smallest > 4 and smallest % 2 == 0:
        smallest, halvings = smallest // 2, halvings + 1
    widths = [WIDTH << i for i in range(halvings)]
    inner = widths[-1] * smallest**2
    down: list[Any] = [nn.Conv2d(3, WIDTH, 4, 2, 1), nn.LeakyReLU(0.2)]
    for before, after in pairwise(widths):
        down += [nn.Conv2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
    down += [nn.Flatten(), nn.Linear(inner, 1)]
    up: list[Any] = [nn.Linear(100, inner), nn.Unflatten(1, (widths[-1], smallest, smallest))]
    for before, after in pairwise(widths[::-1]):
        up += [nn.BatchNorm2d(before), nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1)]
    up += [nn.BatchNorm2d(WIDTH), nn.ReLU(), nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1), nn.Tanh()]
    return nn.Sequential(*up), nn.Sequential(*down), (SIDE_BATCH, 3, side, side)


def dcgan_step(
    lib: Any, options: Options, generator: Any, critic: Any, shape: tuple[int, ...]
) -> Callable[[], Any]:
    """A step of these networks on batches of this shape."""
    generator, critic = options.prepare(generator), options.prepare(critic)
    real = options.prepare(options.data(lib, "randn", *shape).tanh())
    g_adam, d_adam = options.optimizers(lib, 2e-4, (0.5, 0.999), generator, critic)
    batch = shape[0]
    on = {"device": options.device}
    ones, zeros = lib.ones(batch, 1, **on), lib.zeros(batch, 1, **on)
    loss = lib.nn.BCEWithLogitsLoss()

    def step() -> Any:
        d_adam.zero_grad()
        fake = generator(options.noise(lib, "randn", batch, 100))
        on_real = loss(critic(real), ones)
        on_real.backward()
        on_fake = loss(critic(fake.detach()), zeros)
        on_fake.backward()
        d_adam.step()
        g_adam.zero_grad()
        with options.generator_turn(critic):
            fooled = loss(critic(fake), ones)
            fooled.backward()
        g_adam.step()
        return options.told(on_real, on_fake, fooled)

    return step


def wgan_gp(lib: Any, options: Options, size: int, batch: int) -> Callable[[], Any]:
    """W1-gp and W2-gp: the critic's loss holds the norm of its own gradient."""
    generator, critic, shape = _dcgan(lib, size, norm=False)
    generator, critic = options.prepare(generator), options.prepare(critic)
    real = options.prepare(options.data(lib, "randn", batch, *shape[1:]).tanh())
    g_adam, d_adam = options.optimizers(lib, 1e-4, (0.5, 0.9), generator, critic)

    def step() -> Any:
        d_adam.zero_grad()
        fake = generator(options.noise(lib, "randn", batch, 100))
        share = options.noise(lib, "rand", batch, 1, 1, 1)
        between = (share * real + (1 - share) * fake.detach()).requires_grad_()
        (slope,) = lib.autograd.grad(critic(between).sum(), between, create_graph=True)
        penalty = ((slope.flatten(1).norm(2, 1) - 1) ** 2).mean()
        d_loss = critic(fake.detach()).mean() - critic(real).mean() + 10 * penalty
        d_loss.backward()
        d_adam.step()
        g_adam.zero_grad()
        with options.generator_turn(critic):
            g_loss = -critic(fake).mean()
            g_loss.backward()
        g_adam.step()
        return options.told(d_loss, g_loss)

    return step


_OTHERS: dict[str, tuple[Callable[[Any, Options], Callable[[], Any]], int, int]] = {
    "cgan": (cgan, 28, BATCH),
    "vae": (vae, 28, BATCH),
    "pix2pix-64": (pix2pix, 64, 1),
}


def make(name: str, lib: Any, options: Options) -> Callable[[], Any]:
    """The step of the workload of that name."""
    kind, side, batch = parse(name)
    if kind in _OTHERS:
        return _OTHERS[kind][0](lib, options)
    if kind.endswith("-gp"):
        return wgan_gp(lib, options, side, batch)
    generator, critic, shape = square(lib, side) if kind == "S" else _dcgan(lib, side, norm=True)
    return dcgan_step(lib, options, generator, critic, (batch, *shape[1:]))


def parse(name: str) -> tuple[str, int, int]:
    """(kind, side in pixels, images in a batch); ValueError for what is no workload.

    >>> parse("W1@256"), parse("S128")
    (('W1', 28, 256), ('S', 128, 16))
    """
    if name in _OTHERS:
        return name, *_OTHERS[name][1:]
    found = re.fullmatch(r"(W1|W2|W1-gp|W2-gp|S)((?<=S)\d+)?(?:@([1-9]\d*))?", name)
    kind = found[1] if found else ""
    side = int(found[2] or 0) if kind == "S" else 28 if kind[:2] == "W1" else 64
    if not found or side < 8 or side % 4:
        raise ValueError(
            f"unknown workload {name!r}: expected W1, W2, W1-gp, W2-gp, {', '.join(_OTHERS)} or S "
            f"and a side that is a multiple of 4 from 8 on (S64); all W and S also with a batch "
            f"(W1@256)"
        )
    return kind, side, int(found[3] or (SIDE_BATCH if kind == "S" else BATCH))
