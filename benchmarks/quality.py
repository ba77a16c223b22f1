"""How good are generated digits?  Fréchet classifier distance (FCD) of sets of images.

    python -m benchmarks.quality --data mnist --data-dir MNIST ours=a.npz,b.npz torch=c.npz,d.npz

Every set is an .npz with ``images`` (N, 1, 28, 28) in [-1, 1], as ``minigan sample --out X.npz``
writes it.  One small convolutional classifier is trained once on the training images, with this
engine; the distance is taken between its last hidden features (128) on a set and on the test
images.  The floor is the distance of real training images from the test images.
"""

from __future__ import annotations

import argparse

import numpy as np

import minigan
from minigan import nn, optim
from minigan.data import Batches, load
from minigan.losses import binary_cross_entropy_with_logits
from minigan.metrics import frechet_distance
from minigan.serialize import read_npz, write_json


def train_classifier(data, steps: int, seed: int) -> nn.Sequential:
    """Conv 32, Conv 64 (k4 s2 p1, ReLU), Linear 128 ReLU, Linear 10; one-against-all logits."""
    minigan.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 4, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
    optimizer = optim.Adam(network.parameters(), 1e-3)
    batches = Batches(data, 128, seed=seed)
    one_hot = np.eye(10, dtype=np.float32)
    for _ in range(steps):
        images, labels = next(batches)
        loss = binary_cross_entropy_with_logits(
            network(minigan.from_numpy(images)), minigan.from_numpy(one_hot[labels])
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


def run(network: nn.Sequential, images: np.ndarray) -> np.ndarray:
    """The network's output for images (N, 1, 28, 28) in [-1, 1], in batches."""
    with minigan.no_grad():
        parts = [
            network(minigan.from_numpy(images[i : i + 500])).numpy()
            for i in range(0, len(images), 500)
        ]
    return np.concatenate(parts)


def scaled(images: np.ndarray) -> np.ndarray:
    """uint8 images as float32 in [-1, 1]."""
    return images.astype(np.float32) / 127.5 - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--data-dir")
    parser.add_argument("--steps", type=int, default=1400, help="to train the classifier")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    parser.add_argument("sets", nargs="+", metavar="NAME=FILE,FILE,…")
    arguments = parser.parse_args()

    train = load(arguments.data, data_dir=arguments.data_dir)
    test = load(arguments.data, data_dir=arguments.data_dir, split="test")
    classifier = train_classifier(train, arguments.steps, seed=0)
    predicted = run(classifier, scaled(test.images)).argmax(1)
    accuracy = float((predicted == test.labels).mean())
    features = classifier[:7]
    real = run(features, scaled(test.images))
    floor = frechet_distance(run(features, scaled(train.images[: len(test)])), real)
    print(f"classifier accuracy on test images {accuracy:.4f}; floor (real training images) "
          f"{floor:.3f}")  # fmt: skip
    result = {"data": arguments.data, "accuracy": accuracy, "floor": floor, "sets": {}}
    for entry in arguments.sets:
        name, _, files = entry.partition("=")
        distances = []
        for file in files.split(","):
            images = read_npz(file)["images"]
            distances.append(frechet_distance(run(features, images), real))
        result["sets"][name] = distances
        listed = ", ".join(f"{d:.3f}" for d in distances)
        print(f"{name}: FCD {listed}; mean {np.mean(distances):.3f}")
    if arguments.json:
        write_json(arguments.json, result)


if __name__ == "__main__":
    main()
