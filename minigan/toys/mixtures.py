"""The toy ``mixtures``: which modes of a known mixture does a GAN find, and how well?

The recipes of the image GANs play on points in the plane, by a protocol that stood before the runs
(``mixtures_protocols``), each from several seeds:

1. pictures over time and a film: the points, and the critic's contours;
2. at the end, in which direction the critic would push a point;
3. modes captured and high-quality samples over the steps, all seeds;
4. a table beside the published figures and the perfect sampler's;
5. with ``truth``: exact EM and binned TV, KL and JS over training, beside the critic's estimate.

Every finished run is kept in the folder until all are done: what was interrupted goes on from there
when it is called again in the same way.  With PacGAN's protocol, the default, a step takes about
20 ms of one core for ``gan``, 30 for ``pacgan``, 100 for ``wgan-gp`` and 180 for ``unrolled``.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..array import get_default_device
from ..data import mixture
from ..data.mixtures import MIXTURES
from ..gan.streams import stream
from ..metrics import mode_score
from ..metrics.modes import PERFECT, SAMPLES
from ..serialize import atomic_write
from .mixtures_figures import draw, draw_truth
from .mixtures_protocols import CONTENDERS, PROTOCOLS, PUBLISHED
from .mixtures_training import Job, Run, do, kept, panel_of
from .output import ToyError, progress, row

FULL = {"recipe": "gan,unrolled,wgan-gp,pacgan", "data": "ring,grid", "seeds": 5, "factor": 1000}
QUICK = {"recipe": "gan,unrolled,wgan-gp", "data": "ring", "seeds": 1, "factor": 2000}
Runs = Mapping[tuple[str, str], list[Run]]  # by data and contender, one for each seed


class Plan(NamedTuple):
    """What is to be done: every contender on every mixture from every seed."""

    contenders: tuple[str, ...]
    data: tuple[str, ...]
    seeds: tuple[int, ...]
    protocol: str
    factor: float
    truth: bool
    processes: int
    device: str

    @property
    def steps(self) -> int:
        """Of the generator: the protocol's, divided by the factor."""
        return max(1, round(PROTOCOLS[self.protocol].steps / self.factor))

    def jobs(self) -> list[Job]:
        """The longest first, so that several processes end together."""
        order = sorted(self.contenders, key=lambda name: -_work(name))
        return [self.job(d, c, s) for c in order for d in self.data for s in self.seeds]

    def job(self, data: str, contender: str, seed: int) -> Job:
        return Job(data, contender, self.protocol, self.steps, seed, self.truth, self.device)


def _work(contender: str) -> int:
    """How much a step costs, roughly: passes through the critic."""
    chosen = CONTENDERS[contender]
    return 1 + 3 * chosen.settings.get("unroll", 0) + 8 * (chosen.recipe == "wgan-gp")


def run(folder: Path, seed: int, quick: bool, **options: Any) -> dict[str, Any]:
    """Leave the figures and the table in ``folder``; returns the numbers.

    Args:
        options: see ``planned``.
    """
    plan = planned(seed, quick, **options)
    _do_all(folder, plan.jobs(), plan.processes)
    runs = {
        (d, c): [kept(folder, plan.job(d, c, s)) for s in plan.seeds]
        for d in plan.data
        for c in plan.contenders
    }
    for d in plan.data:
        found = {c: runs[d, c] for c in plan.contenders}
        draw(folder, d, found, f"{PROTOCOLS[plan.protocol].short}, {plan.steps} steps")
        if plan.truth:
            draw_truth(folder, d, found, panel_of(plan.job(d, plan.contenders[0], seed)))
    rows = _rows(plan, runs)
    with atomic_write(folder / "table.md") as file:
        file.write(table(plan, rows).encode())
    chosen = PROTOCOLS[plan.protocol]
    said = {"name": plan.protocol, "networks": chosen.title, "source": chosen.source}
    said |= {"steps": chosen.steps, "factor": plan.factor}
    history = {
        f"{d}, {c}": {f"seed {s}": r.rows for s, r in zip(plan.seeds, found, strict=True)}
        for (d, c), found in runs.items()
    }
    return {"rows": rows, "protocol": said, "steps": plan.steps, "history": history}


def planned(
    seed: int = 0,
    quick: bool = False,
    recipe: str | None = None,
    data: str | None = None,
    seeds: str | int | None = None,
    protocol: str | None = None,
    factor: str | float | None = None,
    jobs: str | int | None = None,
    truth: bool = False,
) -> Plan:
    """The plan that the options ask for, on the default device.

    Args:
        recipe: names of contenders, with commas.
        data: ring, ring-2, grid, roll, with commas.
        seeds: how many, from ``seed`` on.
        protocol: whose networks, optimizer and steps.
        factor: what the protocol's steps are divided by.
        jobs: processes, on the CPU; the numbers do not depend on it.
        truth: whether to measure the true distances too.

    Raises:
        ToyError: an unknown name, a number out of range, several processes for one GPU.

    >>> planned(recipe="gan,unrolled", data="ring", seeds=2, factor=4000).steps
    100
    """
    default = QUICK if quick else FULL
    given = {"recipe": recipe, "data": data, "seeds": seeds, "factor": factor}
    chosen = {**default, **{name: value for name, value in given.items() if value is not None}}
    (game,) = _names("protocol", "pacgan" if protocol is None else protocol, PROTOCOLS, most=1)
    count = int(_number("seeds", chosen["seeds"], whole=True))
    processes = int(_number("jobs", 1 if jobs is None else jobs, whole=True))
    device = get_default_device().type
    if device != "cpu" and processes > 1:
        raise ToyError(
            f"mixtures: --jobs expects 1 with --device {device}, where runs share a GPU, "
            f"got {jobs!r}"
        )
    return Plan(
        _names("recipe", chosen["recipe"], CONTENDERS),
        _names("data", chosen["data"], MIXTURES),
        tuple(range(seed, seed + count)),
        game,
        _number("factor", chosen["factor"]),
        truth,
        processes,
        device,
    )


check = planned


def _names(option: str, text: str, known: Mapping[str, Any], most: int = 100) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not set(names) <= set(known) or len(set(names)) < len(names) or len(names) > most:
        wanted = "one of" if most == 1 else "some of, each once,"
        raise ToyError(f"mixtures: --{option} expects {wanted} {', '.join(known)}; got {text!r}")
    return names


def _number(option: str, value: str | float, whole: bool = False) -> float:
    kind = "a whole number" if whole else "a number"
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not 1 <= number <= 1e9 or (whole and number != int(number)):
        raise ToyError(f"mixtures: --{option} expects {kind} of at least 1, got {value!r}")
    return number


def _do_all(folder: Path, jobs: list[Job], processes: int) -> None:
    """Whatever is not done yet, in several processes where that is asked for."""
    missing = [job for job in jobs if kept(folder, job) is None]
    if processes == 1:
        for job in progress(missing, "runs"):
            do(folder, job)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(do, folder, job) for job in missing]
        try:
            done = as_completed(waiting)
            for _ in progress(waiting, "runs"):
                next(done).result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _rows(plan: Plan, runs: Runs) -> list[dict[str, Any]]:
    """What the last look at every run found; "exact" is what a perfect sampler reaches: of EM,
    what two sets of real points have between them."""
    rows = []
    for d in plan.data:
        real = mixture(d, SAMPLES, seed=stream(plan.seeds[0], "perfect sampler"))
        if real.modes is not None:
            perfect = mode_score(real.points, real.modes, real.std)
            rows.append(row(f"{d}, perfect sampler: modes", perfect.modes, len(real.modes)))
            rows.append(row(f"{d}, perfect sampler: high quality", perfect.quality, PERFECT))
        for c in plan.contenders:
            last = [found.rows[-1] for found in runs[d, c]]
            if real.modes is not None:
                said = {key: str(p[d, c]) for key, p in PUBLISHED.items() if (d, c) in p}
                modes, quality = [r["modes"] for r in last], [r["quality"] for r in last]
                rows.append(_spread(f"{d}, {c}: modes", modes, len(real.modes), said))
                rows.append(_spread(f"{d}, {c}: high quality", quality, PERFECT, said))
            if plan.truth:
                floors = [panel_of(plan.job(d, c, s)).floor["em"] for s in plan.seeds]
                measured = [r["truth"]["em"] for r in last]
                what = f"{d}, {c}: EM, beside two real sets'"
                rows.append(_spread(what, measured, float(np.mean(floors)), {}))
    return rows


def _spread(what: str, values: list[float], exact: float, published: dict[str, str]) -> dict:
    """The mean over seeds, its standard deviation (None of a single seed), and each value."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    more = {"published": published} if published else {}
    return row(what, float(np.mean(values)), exact, spread=spread, each=values, **more)


def table(plan: Plan, rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table, with what has to be said of them.

    >>> plan = planned(recipe="gan", data="ring", seeds=2)
    >>> modes = row("ring, gan: modes", 7.5, 8, spread=0.7, published={})
    >>> quality = row("ring, gan: high quality", 0.25, PERFECT, spread=0.03, published={})
    >>> print(table(plan, [modes, quality]).splitlines()[2])
    | ring | gan | 7.5 ± 0.7 of 8 | 25.0 ± 3.0 | – | – |
    """
    found = {each["what"]: each for each in rows}
    heads = ("mixture", "recipe", "modes", "high quality, %")
    lines = [_line(*heads, *(f"published, {name.split()[0]}" for name in PUBLISHED))]
    lines.append("|" + "---|" * (len(heads) + len(PUBLISHED)))
    for d in plan.data:
        for c in ("perfect sampler", *plan.contenders):
            modes = found.get(f"{d}, {c}: modes")
            if modes is None:
                continue
            quality = found[f"{d}, {c}: high quality"]
            said = [modes.get("published", {}).get(name, "–") for name in PUBLISHED]
            share = _mean(quality["measured"], quality.get("spread"), 100, ".1f")
            counted = f"{_mean(modes['measured'], modes.get('spread'))} of {modes['exact']}"
            lines.append(_line(d, c, counted, share, *said))
    protocol = PROTOCOLS[plan.protocol]
    seeds = "one seed"
    if len(plan.seeds) > 1:
        seeds = f"{len(plan.seeds)} seeds, mean ± standard deviation"
    lines += [
        "",
        f"Here: {protocol.title} ({protocol.source}), {plan.steps} of its {protocol.steps} "
        f"generator steps (factor {plan.factor:g}), {seeds}; "
        f"{SAMPLES} samples, high quality within 3 std of a mode, "
        f"which a perfect sampler's are in {100 * PERFECT:.2f} %.",
        "",
        f"Published, modes / %: {'; '.join(PUBLISHED)}.",
    ]
    return "\n".join(lines) + "\n"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _mean(mean: float, spread: float | None, factor: int = 1, alone: str = "g") -> str:
    """``alone`` is the format of a mean without a spread."""
    if spread is None:
        return f"{factor * mean:{alone}}"
    return f"{factor * mean:.1f} ± {factor * spread:.1f}"
