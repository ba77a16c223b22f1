"""The network that the metrics look through: trained once for a data set, then kept.

Published metrics use an Inception network trained on photographs.  Here a small network is trained
with this engine on the very data set that the generator learned: a classifier where there are
labels, else an autoencoder.  It lies in the cache (``$MINIGAN_CACHE``, see ``minigan.data``) under
the data's contents, so every run on the same data is measured by the same network.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator

import numpy as np

from .._tensor import Tensor
from ..array import Device
from ..autograd import no_grad
from ..cpu.threads import one_blas_thread
from ..data import Batches, ImageData, cache
from ..data.images import centred
from ..generators import get_rng_state, manual_seed, set_rng_state
from ..optim import Adam
from ..optim.lr_scheduler import CosineAnnealingLR
from .networks import Autoencoder, Classifier, Shape

VERSION = 1  # of the networks and their training: another one makes all of them anew
STEPS = {"classifier": 2000, "autoencoder": 1000}  # at most; about a minute on two cores
_PASSES = 100  # over the data, at most
_BATCH = 64
_LR = 1e-3
_TOGETHER = 500  # images looked at together
_NAME = re.compile(r"features-v([1-9]\d*)-.*\.npz", re.ASCII)

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""


def silent(what: str, done: int, total: int) -> None:
    """Shows nothing."""


class FeatureNetwork:
    """A trained network, and what can be asked of it.

    Attributes:
        kind: "classifier" or "autoencoder".
    """

    def __init__(self, network: Classifier | Autoencoder):
        self.network = network.eval()
        self.kind = network.kind

    @no_grad()
    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """The features of images, and the classes they are taken for.

        Args:
            images: (N, C, H, W), uint8 or float32 in [-1, 1].

        Returns:
            features: float32 (N, 128).
            classes: int64 (N,), or None from an autoencoder.
        """
        features, classes = [], []
        with one_blas_thread:
            for part in _parts(images):
                found = self.network.features(part)
                features.append(found.numpy())
                if isinstance(self.network, Classifier):
                    classes.append(self.network.outer(found).numpy().argmax(1))
        return np.concatenate(features), np.concatenate(classes) if classes else None

    @no_grad()
    def error(self, images: np.ndarray) -> float:
        """The root mean squared error of an autoencoder's pixels, in [-1, 1]'s unit."""
        with one_blas_thread:
            sums = [self.network.loss(part).item() * len(part) for part in _parts(images)]
        return (sum(sums) / len(images)) ** 0.5


def _parts(images: np.ndarray) -> Iterator[Tensor]:
    for first in range(0, len(images), _TOGETHER):
        part = images[first : first + _TOGETHER]
        yield Tensor(centred(part) if part.dtype == np.uint8 else part)


def feature_network(
    data: ImageData, seed: int = 0, steps: int | None = None, progress: Progress = silent
) -> FeatureNetwork:
    """The network for ``data``: from the cache, else trained now and put there.

    A training that is interrupted leaves nothing behind. Where nothing can be kept, the network is
    trained every time. The default generator of random numbers is left as it was.

    Args:
        data: the training images; a classifier is trained where they have at least two classes.
        seed: of the network's start and of the order of the images.
        steps: Adam steps on batches of 64, with the learning rate going from 1e-3 to 0 as a cosine;
            None: 2000 for a classifier, 1000 for an autoencoder, at most 100 passes over the data.
        progress: told of every step.
    """
    shape = Shape(*data.images.shape[1:])
    state = get_rng_state()
    try:
        manual_seed(seed)
        network: Classifier | Autoencoder
        labelled = data.labels is not None and data.classes > 1
        with Device("cpu"):  # it is the same one whatever device its user computes on
            network = Classifier(shape, data.classes) if labelled else Autoencoder(shape)
        if steps is None:
            steps = min(STEPS[network.kind], _PASSES * max(1, len(data) // _BATCH))
        size = "x".join(map(str, shape))
        contents = _fingerprint(data)
        name = f"features-v{VERSION}-{network.kind}-{size}-{steps}-seed{seed}-{contents}.npz"
        if not _restore(network, cache.read_arrays(name)):
            _fit(network, data, seed, steps, progress)
            arrays = {key: tensor.numpy() for key, tensor in network.state_dict().items()}
            cache.write_arrays(name, **arrays)
            cache.remove(_out_of_date)
    finally:
        set_rng_state(state)
    return FeatureNetwork(network)


def _restore(network: Classifier | Autoencoder, arrays: dict[str, np.ndarray] | None) -> bool:
    """Whether ``arrays`` are a whole state of the network, which then has it."""
    wanted = {key: tensor.numpy() for key, tensor in network.state_dict().items()}
    if arrays is None or arrays.keys() != wanted.keys():
        return False
    for key, array in wanted.items():
        stored = arrays[key]
        if (stored.shape, stored.dtype) != (array.shape, array.dtype):
            return False
        if not np.isfinite(stored).all():
            return False
    network.load_state_dict({key: Tensor(array) for key, array in arrays.items()})
    return True


def _fit(
    network: Classifier | Autoencoder, data: ImageData, seed: int, steps: int, progress: Progress
) -> None:
    optimizer = Adam(network.parameters(), _LR)
    schedule = CosineAnnealingLR(optimizer, steps)
    batches = Batches(data, min(_BATCH, len(data)), seed=seed)
    with one_blas_thread:
        for step in range(steps):
            images, labels = next(batches)
            targets = None if labels is None else Tensor(labels)
            loss = network.loss(Tensor(images), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            progress(f"training the {network.kind}", step + 1, steps)


def _fingerprint(data: ImageData) -> str:
    """A hash of the images, the labels and the number of classes."""
    digest = hashlib.sha256(repr((data.images.shape, data.classes)).encode())
    digest.update(np.ascontiguousarray(data.images))
    if data.labels is not None:
        digest.update(np.ascontiguousarray(data.labels))
    return digest.hexdigest()[:16]


def _out_of_date(name: str, written: float) -> bool:
    match = _NAME.fullmatch(name)
    return match is not None and int(match[1]) < VERSION
