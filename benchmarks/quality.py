"""How good are generated digits?  Fréchet classifier distance (FCD) of sets of images.

    python -m benchmarks.quality --data mnist --data-dir MNIST ours=a.npz,b.npz torch=c.npz,d.npz

Every set is an .npz with ``images`` (N, C, H, W) in [-1, 1], as ``minigan sample --out X.npz``
writes it.  The distance is taken between the features of a set and of the test images, by the
classifier that ``minigan evaluate`` trains on the training images.  The floor is the distance of
as many real training images from the test images.  Distances are biased by the number of images:
give sets of equal size.
"""

from __future__ import annotations

import argparse

import numpy as np

from minigan.data import load
from minigan.evaluation import feature_network
from minigan.metrics import frechet_distance
from minigan.serialize import read_npz, write_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--data-dir")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    parser.add_argument("sets", nargs="+", metavar="NAME=FILE,FILE,…")
    arguments = parser.parse_args()

    train = load(arguments.data, data_dir=arguments.data_dir)
    test = load(arguments.data, data_dir=arguments.data_dir, split="test")
    network = feature_network(train)
    real, predicted = network(test.images)
    accuracy = float((predicted == test.labels).mean())
    floor = frechet_distance(network(train.images[: len(test)])[0], real)
    print(f"classifier accuracy on test images {accuracy:.4f}; floor (real training images) "
          f"{floor:.3f}")  # fmt: skip
    result = {"data": arguments.data, "accuracy": accuracy, "floor": floor, "sets": {}}
    for entry in arguments.sets:
        name, _, files = entry.partition("=")
        distances = [
            frechet_distance(network(read_npz(file)["images"])[0], real)
            for file in files.split(",")
        ]
        result["sets"][name] = distances
        listed = ", ".join(f"{d:.3f}" for d in distances)
        print(f"{name}: FCD {listed}; mean {np.mean(distances):.3f}")
    if arguments.json:
        write_json(arguments.json, result)


if __name__ == "__main__":
    main()
