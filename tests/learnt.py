"""What trainers on several ranks have learnt, and whether it is the same on all of them."""

import hashlib
import json

import numpy as np

from minigan.data import ImageData, PairData
from minigan.distributed.process_group import current
from minigan.gan.sampling import modules
from minigan.gan.state import state_of


def images(count=48, size=12):
    """Labelled noise, and pairs of it."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, 1, size, size), np.uint8)
    return ImageData("noise", pixels, np.arange(count) % 3, 3), PairData("noise", pixels, ~pixels)


def learnt(t, buffers=True):
    """The parameters (and buffers), optimizers and values, each as a digest of its bytes."""
    arrays = state_of(t)
    plain = json.loads(arrays.pop("state.json").tobytes())
    kept = {"values": plain["values"], "step": plain["step"], "optimizers": plain["optimizers"]}
    parameters = {
        f"{name}/{key}"
        for name, network in modules(t.networks).items()
        for key, _ in network.named_parameters()
    }
    for key, array in arrays.items():
        if buffers or "optimizer" in key or key in parameters:
            kept[key] = hashlib.sha1(array.tobytes()).hexdigest()
    return kept


def same_on_all(value):
    texts = current().texts(json.dumps(value, sort_keys=True))
    assert len(set(texts)) == 1, texts
