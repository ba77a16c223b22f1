"""A trainer's whole state as arrays by name, and back.

NETWORK/…              parameters and buffers; "average" is the generator's moving average
NETWORK_optimizer/…    moments
state.json             step, place in the data, random generators (of all ranks, where there are
                       several), what else there is to know
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .._tensor import tensor
from ..generators import Generator, default_generator
from ..nn import Module
from ..optim import Optimizer
from .ranks import begin_anew, place_of, streams_of
from .sampling import below, modules


def state_of(trainer: Any) -> dict[str, np.ndarray]:
    """Everything the next step depends on."""
    arrays: dict[str, np.ndarray] = {}
    for name, network in _networks(trainer).items():
        for key, value in network.state_dict().items():
            arrays[f"{name}/{key}"] = value.cpu().numpy()
    own = {name: generator.get_state() for name, generator in _generators(trainer).items()}
    plain: dict[str, Any] = {
        "step": trainer.step,
        "shape": trainer.shape,
        "data": trainer.batches.state_dict(),
        **own,
        "values": {name: value.item() for name, value in trainer.values.items()},
        "optimizers": {},
        **streams_of(trainer, own),
    }
    for name, optimizer in _optimizers(trainer).items():
        steps = plain["optimizers"][name] = {}
        for i, state in optimizer.state_dict()["state"].items():
            steps[str(i)] = state["step"]
            for key, value in state.items():
                if key != "step":
                    arrays[f"{name}/{i}/{key}"] = value.cpu().numpy()
    text = json.dumps(plain).encode()
    arrays["state.json"] = np.frombuffer(text, np.uint8)
    return arrays


def load_state(trainer: Any, arrays: dict[str, np.ndarray]) -> None:
    """Put ``state_of`` back.

    Raises:
        ValueError: it belongs to other networks, or something is missing.
    """
    try:
        plain = json.loads(arrays["state.json"].tobytes())
        for name, network in _networks(trainer).items():
            network.load_state_dict(below(arrays, name))
        for name, optimizer in _optimizers(trainer).items():
            state: dict[str, dict[str, Any]] = {
                i: {"step": step} for i, step in plain["optimizers"][name].items()
            }
            for key, array in below(arrays, name).items():
                i, _, slot = key.partition("/")
                state[i][slot] = array
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": state, "param_groups": groups})
        trainer.values = {
            name: tensor(float(value), dtype="float64", device=trainer.device)
            for name, value in plain["values"].items()
        }
        trainer.step = int(plain["step"])
        streams, place = place_of(trainer, plain)
        trainer.batches.load_state_dict(place)
        for name, generator in _generators(trainer).items():
            if streams:
                generator.set_state(streams[name])
            else:
                begin_anew(trainer, name, generator)
    except (AttributeError, KeyError, RuntimeError, TypeError) as error:
        raise ValueError(f"the state does not fit this system: {error}") from error


def _generators(trainer: Any) -> dict[str, Generator]:
    return {"rng": trainer.rng, "default_rng": default_generator(trainer.device)}


def _networks(trainer: Any) -> dict[str, Module]:
    named = modules(trainer.networks)
    return named if trainer.average is None else {**named, "average": trainer.average}


def _optimizers(trainer: Any) -> dict[str, Optimizer]:
    return {f"{name}_optimizer": o for name, o in trainer.optimizers._asdict().items()}
