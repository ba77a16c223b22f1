"""The steps of ``benchmarks.workloads`` that are no DCGAN's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.options import Options

BATCH = 64


def cgan(lib: Any, options: Options) -> Callable[[], Any]:
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
    on = {"device": options.device}
    real = options.data(lib, "randn", BATCH, 1, 28, 28).tanh()
    labels = lib.eye(10, **on)[lib.arange(10, **on).repeat(7)[:BATCH]]
    planes = labels.reshape(BATCH, 10, 1, 1).expand(BATCH, 10, 28, 28)
    g_adam, d_adam = options.optimizers(lib, 2e-4, (0.5, 0.999), generator, critic)
    ones, zeros = lib.ones(BATCH, 1, **on), lib.zeros(BATCH, 1, **on)
    loss = nn.BCEWithLogitsLoss()

    def judge(images: Any) -> Any:
        return critic(lib.cat([images, planes], 1))

    def step() -> Any:
        d_adam.zero_grad()
        fake = generator(lib.cat([options.noise(lib, "randn", BATCH, 100), labels], 1))
        d_loss = loss(judge(real), ones) + loss(judge(fake.detach()), zeros)
        d_loss.backward()
        d_adam.step()
        g_adam.zero_grad()
        with options.generator_turn(critic):
            g_loss = loss(judge(fake), ones)
            g_loss.backward()
        g_adam.step()
        return options.told(d_loss, g_loss)

    return step


def vae(lib: Any, options: Options) -> Callable[[], Any]:
    """Two latent numbers, 256 hidden units, binary cross-entropy summed over pixels."""
    nn = lib.nn
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 4))
    decoder = nn.Sequential(nn.Linear(2, 256), nn.ReLU(), nn.Linear(256, 784))
    encoder, decoder = options.prepare(encoder), options.prepare(decoder)
    images = options.data(lib, "rand", BATCH, 1, 28, 28)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    adam = lib.optim.Adam(parameters, lr=1e-3, **options.adam)
    cross_entropy = nn.BCEWithLogitsLoss(reduction="sum")

    def step() -> Any:
        adam.zero_grad()
        code = encoder(images)
        mean, log_var = code[:, :2], code[:, 2:]
        z = mean + (log_var / 2).exp() * options.noise(lib, "randn", BATCH, 2)
        divergence = (log_var.exp() + mean**2 - 1 - log_var).sum() / 2
        loss = (cross_entropy(decoder(z), images.flatten(1)) + divergence) / BATCH
        loss.backward()
        adam.step()
        return options.told(loss)

    return step


def pix2pix(lib: Any, options: Options) -> Callable[[], Any]:
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
    source, target = (
        options.prepare(options.data(lib, "randn", 1, 3, 64, 64).tanh()) for _ in range(2)
    )
    g_adam, d_adam = options.optimizers(lib, 2e-4, (0.5, 0.999), generator, critic)
    on = {"device": options.device}
    ones, zeros = lib.ones(1, 1, 6, 6, **on), lib.zeros(1, 1, 6, 6, **on)
    loss, distance = nn.BCEWithLogitsLoss(), nn.L1Loss()

    def judge(image: Any) -> Any:
        return critic(lib.cat([source, image], 1))

    def step() -> Any:
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
        return options.told(d_loss, g_loss)

    return step
