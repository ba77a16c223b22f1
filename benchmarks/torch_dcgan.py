"""The recipe ``dcgan`` (28×28) written in PyTorch, to compare minigan's results with.

    python -m benchmarks.torch_dcgan --data-dir MNIST --seed 0 --steps 3000 --out torch-0.npz

Same networks, initialisation, losses, optimizers and data as ``minigan train dcgan``; the random
numbers are PyTorch's own.  Leaves ``images`` (N, 1, 28, 28) float32 in [-1, 1], drawn in evaluation
mode, and prints the median time of a step.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
from torch import nn

from minigan.data import Batches, load


def networks() -> tuple[nn.Sequential, nn.Sequential]:
    """Generator and discriminator, started as DCGANs are."""
    generator = nn.Sequential(
        nn.Linear(100, 128 * 7 * 7, bias=False),
        nn.Unflatten(1, (128, 7, 7)),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 4, 2, 1),
        nn.Tanh(),
    )
    critic = nn.Sequential(
        nn.Conv2d(1, 64, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, 2, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(128 * 7 * 7, 1),
    )
    for layer in [*generator, *critic]:
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return generator, critic


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--data-dir")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("-n", type=int, default=10000, help="images to draw at the end")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    batch = arguments.batch_size
    batches = Batches(load(arguments.data, data_dir=arguments.data_dir), batch, seed=arguments.seed)
    generator, critic = networks()
    adam = {"lr": 2e-4, "betas": (0.5, 0.999)}
    critic_optimizer = torch.optim.Adam(critic.parameters(), **adam)
    generator_optimizer = torch.optim.Adam(generator.parameters(), **adam)
    bce = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(batch, 1), torch.zeros(batch, 1)

    times = []
    for step in range(arguments.steps):
        begin = time.perf_counter()
        real = torch.from_numpy(next(batches)[0])
        fake = generator(torch.randn(batch, 100))
        loss = bce(critic(real), ones) + bce(critic(fake.detach()), zeros)
        critic_optimizer.zero_grad()
        loss.backward()
        critic_optimizer.step()
        critic.requires_grad_(False)
        fooled = bce(critic(fake), ones)
        generator_optimizer.zero_grad()
        fooled.backward()
        generator_optimizer.step()
        critic.requires_grad_(True)
        times.append(time.perf_counter() - begin)
        if step % 500 == 499:
            print(f"step {step + 1}: d_loss {loss:.3f}, g_loss {fooled:.3f}", flush=True)

    generator.eval()
    with torch.no_grad():
        images = [generator(torch.randn(100, 100)).numpy() for _ in range(-(-arguments.n // 100))]
    np.savez(arguments.out, images=np.concatenate(images)[: arguments.n])
    print(f"median step {statistics.median(times) * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
