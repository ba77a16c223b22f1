"""Toy experiments: small enough that the exact answer is known, and drawn beside what came out.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     results = toy("numpy-memo").run(folder, quick=True)
...     sorted(path.name for path in Path(folder).iterdir())
['programs.png', 'results.json']
>>> results["rows"][0]
{'what': 'ones, summed over each row', 'measured': '[2. 2.]', 'exact': '[2. 2.]'}
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .. import __version__
from ..array import Device, module_for
from ..cpu.threads import one_blas_thread
from ..serialize import write_json
from .output import RESULTS, ToyError, fresh_folder, plain

__all__ = ["Option", "Toy", "ToyError", "toy", "toy_names"]


@dataclass(frozen=True)
class Option:
    """Something that can be chosen about a toy: ``--NAME WORD`` on the command line.

    Attributes:
        name: of the argument of the toy's ``run``; the command line has - for its _.
        word: what stands for its value in the help; "" where it is a switch.
        help: one line.
    """

    name: str
    word: str
    help: str


@dataclass(frozen=True)
class Toy:
    """One experiment.

    Its module has ``run(folder, seed, quick) -> results``: it leaves its figures in ``folder`` and
    returns the numbers.  Where a measured number has an exact one, ``results["rows"]`` is a list of
    {"what", "measured", "exact"}.  Networks, and all that goes through them, are made on the
    default device; what is exact is found on the host.

    Attributes:
        name: as the command line spells it.
        summary: one line for ``minigan toy --list``.
        source: where the experiment or its theory is from.
        module: in this package.
        quick, full: how long it takes on two cores, in words.
        options: what its ``run`` takes beside folder, seed and quick; the module's ``check`` takes
            the same without the folder, and raises a ToyError before anything is done.
        parts: a pattern of files that an interrupted run leaves and goes on from.
    """

    name: str
    summary: str
    source: str
    module: str
    quick: str
    full: str
    options: tuple[Option, ...] = ()
    parts: str = ""

    def check(
        self,
        seed: int = 0,
        quick: bool = False,
        options: Mapping[str, Any] | None = None,
        device: str = "cpu",
    ) -> ModuleType:
        """See that ``run`` can begin with these; returns the toy's module.

        Raises:
            ToyError: the seed, an option or the device is not as said.
            RuntimeError: there is no GPU.
        """
        options = options or {}
        known = [each.name for each in self.options]
        for name in options:
            if name not in known:
                has = f"it has: {', '.join(map(flag, known))}" if known else "it has none"
                raise ToyError(f"{self.name} has no option {flag(name)}; {has}")
        if type(seed) is not int or seed < 0:
            raise ToyError(f"seed expects a whole number from 0 on, got {seed!r}")
        if device not in ("cpu", "cuda"):
            raise ToyError(f'device expects "cpu" or "cuda", got {device!r}')
        module_for(device)  # is there such a device?
        module = import_module(f"{__name__}.{self.module}")
        if self.options:
            with Device(device):
                module.check(seed, quick, **options)
        return module

    def run(
        self,
        out: str | os.PathLike[str],
        seed: int = 0,
        quick: bool = False,
        force: bool = False,
        options: Mapping[str, Any] | None = None,
        device: str = "cpu",
    ) -> dict[str, Any]:
        """Do the experiment; leave figures and, once all is done, results.json in ``out``.

        Args:
            out: a folder, made if need be; it must be empty, or with ``force`` hold what a
                toy has left, which is replaced.
            seed: of everything random, from 0 on.
            quick: fewer steps and samples.
            options: of this toy, by name; text as on the command line, True for a switch.
            device: "cpu" or "cuda": where its networks compute.

        Returns:
            What results.json holds; an infinity is written "inf" there.

        Raises:
            ToyError: the folder, the seed, an option or the device is not as said.
            RuntimeError: there is no GPU.
        """
        options = options or {}
        module = self.check(seed, quick, options, device)
        folder = fresh_folder(Path(out), force, self.parts)
        with one_blas_thread, Device(device):  # the same numbers on any number of cores
            found = module.run(folder, seed, quick, **options)
        versions = {"minigan": __version__, "numpy": np.__version__}
        results = {"toy": self.name, "seed": seed, "quick": quick, "versions": versions}
        if device != "cpu":
            results["device"] = device
        results = plain({**results, **found})
        write_json(folder / RESULTS, results)
        for part in folder.glob(self.parts) if self.parts else ():
            part.unlink()
        return results


_TOYS = (
    Toy(
        "parallel-lines",
        "TV, KL, JS and EM between two lines, and between two Gaussians, that move apart",
        "Arjovsky, Chintala & Bottou 2017, arXiv 1701.07875, example 1",
        module="parallel_lines",
        quick="half a minute",
        full="4 minutes",
    ),
    Toy(
        "distances",
        "exact, entropic and learned earth mover's distances side by side, and a truth panel",
        "Villani 2009, Optimal Transport; Cuturi 2013, arXiv 1306.0895",
        module="distances.experiment",
        quick="a quarter of a minute",
        full="a minute",
    ),
    Toy(
        "lipschitz",
        "how steep a function or a network is: found ≤ exact ≤ bounded",
        "Gouk et al. 2018, arXiv 1804.04368; Miyato et al. 2018, arXiv 1802.05957",
        module="lipschitz",
        quick="half a minute",
        full="2 minutes",
    ),
    Toy(
        "mixtures",
        "which modes of a ring, a grid or a roll a GAN finds, beside the published figures",
        "Metz et al. 2016, arXiv 1611.02163; Lin et al. 2017, arXiv 1712.04086",
        module="mixtures",
        quick="a minute",
        full="25 minutes",
        options=(
            Option("recipe", "NAMES", "gan, unrolled, wgan-gp, pacgan, ..., with commas"),
            Option("data", "NAMES", "ring, ring-2, grid, roll, with commas"),
            Option("seeds", "N", "how many runs of each, from --seed on"),
            Option("protocol", "NAME", "whose networks and steps: pacgan, poolio or wgan-gp"),
            Option("factor", "F", "what the protocol's steps are divided by"),
            Option("jobs", "N", "processes (1)"),
            Option("truth", "", "measure exact EM and binned TV, KL and JS over training too"),
        ),
        parts="run-*.npz",
    ),
    Toy(
        "stacked-mnist",
        "how many of 1000 kinds of stacked digits a DCGAN makes",
        "Metz et al. 2016, arXiv 1611.02163; Srivastava et al. 2017, arXiv 1705.07761",
        module="stacked_mnist",
        quick="a minute",
        full="3 minutes",
        options=(
            Option("data", "NAME", "mnist, or glyphs, which are drawn (mnist where it is found)"),
            Option("data_dir", "DIR", "where MNIST's files are (mnist in $MINIGAN_DATA)"),
            Option("steps", "N", "of the generator"),
        ),
    ),
    Toy(
        "dirac-gan",
        "the smallest GAN: does it converge, by the eigenvalues and by its path",
        "Mescheder, Geiger & Nowozin 2018, arXiv 1801.04406",
        module="dirac_gan",
        quick="a quarter of a minute",
        full="a minute",
    ),
    Toy(
        "numpy-memo",
        "first programs with arrays, and what NumPy prints for them",
        "the NumPy documentation, numpy.org/doc",
        module="numpy_memo",
        quick="a second",
        full="a second",
    ),
)


def flag(option: str) -> str:
    """How the command line writes an option.

    >>> flag("data_dir")
    '--data-dir'
    """
    return f"--{option.replace('_', '-')}"


def toy_names() -> tuple[str, ...]:
    """The names of all toys."""
    return tuple(each.name for each in _TOYS)


def toy(name: str) -> Toy:
    """The toy called ``name``.

    Raises:
        ToyError: there is none.

    >>> toy("dirac-gan").source
    'Mescheder, Geiger & Nowozin 2018, arXiv 1801.04406'
    """
    for each in _TOYS:
        if each.name == name:
            return each
    raise ToyError(f"unknown toy {name!r}; there are: {', '.join(toy_names())}")
