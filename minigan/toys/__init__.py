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
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..cpu.threads import one_blas_thread
from ..serialize import write_json
from .output import RESULTS, ToyError, fresh_folder, plain

__all__ = ["Toy", "ToyError", "toy", "toy_names"]


@dataclass(frozen=True)
class Toy:
    """One experiment.

    Its module has ``run(folder, seed, quick) -> results``: it leaves its figures in ``folder`` and
    returns the numbers.  Where a measured number has an exact one, ``results["rows"]`` is a list of
    {"what", "measured", "exact"}.

    Attributes:
        name: as the command line spells it.
        summary: one line for ``minigan toy --list``.
        source: where the experiment or its theory is from.
        module: in this package.
        quick, full: how long it takes on two cores, in words.
    """

    name: str
    summary: str
    source: str
    module: str
    quick: str
    full: str

    def run(
        self,
        out: str | os.PathLike[str],
        seed: int = 0,
        quick: bool = False,
        force: bool = False,
    ) -> dict[str, Any]:
        """Do the experiment; leave figures and, once all is done, results.json in ``out``.

        Args:
            out: a folder, made if need be; it must be empty, or with ``force`` hold what a
                toy has left, which is replaced.
            seed: of everything random, from 0 on.
            quick: fewer steps and samples.

        Returns:
            What results.json holds; an infinity is written "inf" there.

        Raises:
            ToyError: the folder or the seed is not as said.
        """
        if type(seed) is not int or seed < 0:
            raise ToyError(f"seed expects a whole number from 0 on, got {seed!r}")
        module = import_module(f"{__name__}.{self.module}")
        folder = fresh_folder(Path(out), force)
        with one_blas_thread:  # the same numbers on any number of cores
            found = module.run(folder, seed, quick)
        versions = {"minigan": __version__, "numpy": np.__version__}
        results = {"toy": self.name, "seed": seed, "quick": quick, "versions": versions}
        results = plain({**results, **found})
        write_json(folder / RESULTS, results)
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
