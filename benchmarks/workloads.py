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
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

BATCH = 64


class Options:
    """How an engine is used.

    Attributes:
        frozen: the critic asks for no weight gradients during the generator's step.
        prepare: what is done to a network or a batch once, such as another memory order.
        adam: keywords for the optimizer.
    """

    def __init__(
        self,
        frozen: bool = False,
        prepare: Callable[[Any], Any] = lambda value: value,
        adam: dict[str, Any] | None = None,
    ):
        self.frozen, self.prepare, self.adam = frozen, prepare, adam or {}

    def optimizers(self, lib: Any, lr: float, betas: tuple, *networks: Any) -> list[Any]:
        """An Adam for each of the networks."""
        settings = {"lr": lr, "betas": betas, **self.adam}
        return [lib.optim.Adam(network.parameters(), **settings) for network in networks]

    @contextmanager
    def generator_turn(self, critic: Any) -> Iterator[None]:
        """A block of the generator's step: with ``frozen``, the critic is held still in it."""
        if self.frozen:
            critic.requires_grad_(False)
        yield
        if self.frozen:
            critic.requires_grad_(True)


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


def dcgan(lib: Any, options: Options, size: int) -> Callable[[], float]:
    """W1 and W2."""
    return dcgan_step(lib, options, *_dcgan(lib, size, norm=True))


def dcgan_step(
    lib: Any, options: Options, generator: Any, critic: Any, shape: tuple[int, ...]
) -> Callable[[], float]:
    """A step of these networks on batches of this shape."""
    generator, critic = options.prepare(generator), options.prepare(critic)
    real = options.prepare(lib.randn(*shape).tanh())
    g_adam, d_adam = options.optimizers(lib, 2e-4, (0.5, 0.999), generator, critic)
    batch = shape[0]
    ones, zeros = lib.ones(batch, 1), lib.zeros(batch, 1)
    loss = lib.nn.BCEWithLogitsLoss()

    def step() -> float:
        d_adam.zero_grad()
        fake = generator(lib.randn(batch, 100))
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
        return on_real.item() + on_fake.item() + fooled.item()

    return step


def wgan_gp(lib: Any, options: Options, size: int) -> Callable[[], float]:
    """W1-gp and W2-gp: the critic's loss holds the norm of its own gradient."""
    generator, critic, shape = _dcgan(lib, size, norm=False)
    generator, critic = options.prepare(generator), options.prepare(critic)
    real = options.prepare(lib.randn(*shape).tanh())
    g_adam, d_adam = options.optimizers(lib, 1e-4, (0.5, 0.9), generator, critic)

    def step() -> float:
        d_adam.zero_grad()
        fake = generator(lib.randn(BATCH, 100))
        share = lib.rand(BATCH, 1, 1, 1)
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
        return d_loss.item() + g_loss.item()

    return step


def cgan(lib: Any, options: Options) -> Callable[[], float]:
    """Noise and label in, image out; the critic sees the label as planes."""
    nn = lib.nn
    generator = nn.Sequential(
        nn.Linear(110, 1024),
        nn.BatchNorm1d(1024),
        nn.ReLU(),
        nn.Linear(1024, 128 * 49),
        nn.BatchNorm1d(128 * 49),
        nn.ReLU(),
        nn.Unflatten(1, (128, 7, 7)),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(128, 64, 5, padding=2),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(64, 1, 5, padding=2),
        nn.Tanh(),
    )
    critic = nn.Sequential(
        nn.Conv2d(11, 64, 5, 2, 2),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 5, 2),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(128 * 25, 256),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.5),
        nn.Linear(256, 1),
    )
    generator, critic = options.prepare(generator), options.prepare(critic)
    real = lib.randn(BATCH, 1, 28, 28).tanh()
    labels = lib.eye(10)[lib.arange(10).repeat(7)[:BATCH]]
    planes = labels.reshape(BATCH, 10, 1, 1).expand(BATCH, 10, 28, 28)
    g_adam, d_adam = options.optimizers(lib, 2e-4, (0.5, 0.999), generator, critic)
    ones, zeros = lib.ones(BATCH, 1), lib.zeros(BATCH, 1)
    loss = nn.BCEWithLogitsLoss()

    def judge(images: Any) -> Any:
        return critic(lib.cat([images, planes], 1))

    def step() -> float:
        d_adam.zero_grad()
        fake = generator(lib.cat([lib.randn(BATCH, 100), labels], 1))
        d_loss = loss(judge(real), ones) + loss(judge(fake.detach()), zeros)
        d_loss.backward()
        d_adam.step()
        g_adam.zero_grad()
        with options.generator_turn(critic):
            g_loss = loss(judge(fake), ones)
            g_loss.backward()
        g_adam.step()
        return d_loss.item() + g_loss.item()

    return step


def vae(lib: Any, options: Options) -> Callable[[], float]:
    """Two latent numbers, 256 hidden units, binary cross-entropy summed over pixels."""
    nn = lib.nn
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 4))
    decoder = nn.Sequential(nn.Linear(2, 256), nn.ReLU(), nn.Linear(256, 784))
    images = lib.rand(BATCH, 1, 28, 28)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    adam = lib.optim.Adam(parameters, lr=1e-3, **options.adam)
    cross_entropy = nn.BCEWithLogitsLoss(reduction="sum")

    def step() -> float:
        adam.zero_grad()
        code = encoder(images)
        mean, log_var = code[:, :2], code[:, 2:]
        z = mean + (log_var / 2).exp() * lib.randn(BATCH, 2)
        divergence = (log_var.exp() + mean**2 - 1 - log_var).sum() / 2
        loss = (cross_entropy(decoder(z), images.flatten(1)) + divergence) / BATCH
        loss.backward()
        adam.step()
        return loss.item()

    return step


def pix2pix(lib: Any, options: Options) -> Callable[[], float]:
    """Isola et al.'s U-Net with six halvings, and their 70×70 patch critic."""
    nn = lib.nn
    widths = [64, 128, 256, 512, 512, 512]

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down, self.up, before = nn.ModuleList(), nn.ModuleList(), 3
            for i, width in enumerate(widths):
                layers = [] if i == 0 else [nn.LeakyReLU(0.2)]
                layers.append(nn.Conv2d(before, width, 4, 2, 1))
                if 0 < i < len(widths) - 1:
                    layers.append(nn.BatchNorm2d(width))
                self.down.append(nn.Sequential(*layers))
                before = width
            for i, width in enumerate([512, 512, 256, 128, 64]):
                layers = [nn.ReLU(), nn.ConvTranspose2d(before, width, 4, 2, 1)]
                layers.append(nn.BatchNorm2d(width))
                if i < 3:
                    layers.append(nn.Dropout(0.5))
                self.up.append(nn.Sequential(*layers))
                before = 2 * width
            self.last = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(before, 3, 4, 2, 1), nn.Tanh())

        def forward(self, x: Any) -> Any:
            kept = []
            for block in self.down:
                x = block(x)
                kept.append(x)
            for block, skip in zip(self.up, reversed(kept[:-1]), strict=True):
                x = lib.cat([block(x), skip], 1)
            return self.last(x)

    critic = nn.Sequential(
        nn.Conv2d(6, 64, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, 2, 1),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.Conv2d(128, 256, 4, 2, 1),
        nn.BatchNorm2d(256),
        nn.LeakyReLU(0.2),
        nn.Conv2d(256, 512, 4, 1, 1),
        nn.BatchNorm2d(512),
        nn.LeakyReLU(0.2),
        nn.Conv2d(512, 1, 4, 1, 1),
    )
    generator, critic = options.prepare(UNet()), options.prepare(critic)
    source, target = (options.prepare(lib.randn(1, 3, 64, 64).tanh()) for _ in range(2))
    g_adam, d_adam = options.optimizers(lib, 2e-4, (0.5, 0.999), generator, critic)
    ones, zeros = lib.ones(1, 1, 6, 6), lib.zeros(1, 1, 6, 6)
    loss, distance = nn.BCEWithLogitsLoss(), nn.L1Loss()

    def judge(image: Any) -> Any:
        return critic(lib.cat([source, image], 1))

    def step() -> float:
        d_adam.zero_grad()
        fake = generator(source)
        d_loss = (loss(judge(target), ones) + loss(judge(fake.detach()), zeros)) / 2
        d_loss.backward()
        d_adam.step()
        g_adam.zero_grad()
        with options.generator_turn(critic):
            g_loss = loss(judge(fake), ones) + 100 * distance(fake, target)
            g_loss.backward()
        g_adam.step()
        return d_loss.item() + g_loss.item()

    return step


WORKLOADS: dict[str, Callable[[Any, Options], Callable[[], float]]] = {
    "W1": lambda lib, options: dcgan(lib, options, 28),
    "W2": lambda lib, options: dcgan(lib, options, 64),
    "W1-gp": lambda lib, options: wgan_gp(lib, options, 28),
    "W2-gp": lambda lib, options: wgan_gp(lib, options, 64),
    "cgan": cgan,
    "vae": vae,
    "pix2pix-64": pix2pix,
}
