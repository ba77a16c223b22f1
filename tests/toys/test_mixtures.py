"""The toy as a whole: it leaves what it promises, repeats itself and goes on where it stopped."""

import json

import numpy as np
import pytest

from minigan import Tensor, cli
from minigan.autograd import no_grad
from minigan.metrics import em
from minigan.plane import SIDE
from minigan.toys import ToyError, mixtures, mixtures_figures, toy
from minigan.toys import mixtures_training as training
from minigan.toys.mixtures_training import Job, keep, kept, train
from minigan.toys.output import row
from minigan.toys.players import evaluating

SMALL = {"recipe": "gan,wgan-gp", "data": "ring", "protocol": "poolio", "factor": "12500"}


def bytes_of(run):
    return json.dumps(run.rows), run.samples.tobytes(), run.heights.tobytes()


def test_a_run_is_repeatable_and_its_looks_change_nothing(monkeypatch):
    job = Job("ring", "pacgan", "poolio", 4, seed=3)
    first = train(job)
    assert bytes_of(first) == bytes_of(train(job))
    assert [row["step"] for row in first.rows] == [0, 1, 2, 3, 4]
    assert first.heights.shape == (5, SIDE, SIDE) and np.isfinite(first.heights).all()
    monkeypatch.setattr(training, "MOMENTS", 1)
    seldom = train(job)
    assert [row["step"] for row in seldom.rows] == [0, 4]
    np.testing.assert_array_equal(seldom.samples[-1], first.samples[-1])
    other = train(job._replace(seed=4))
    assert (other.samples[-1] != seldom.samples[-1]).any()


def test_the_truth_is_that_of_the_samples():
    job = Job("grid", "wgan-gp", "poolio", 1, seed=0, truth=True)
    run = train(job)
    panel = training.panel_of(job)
    last = run.rows[-1]
    assert panel.count == len(run.samples[-1]) == 500
    assert last["truth"]["em"] == em(panel._real, run.samples[-1])
    assert last["estimate"] is not None and last["js_bound"] is None


@pytest.mark.parametrize(("contender", "pack"), [("gan", 1), ("pacgan", 2)])
def test_what_a_discriminator_says_of_js_is_its_logits(contender, pack):
    """½(E ln D(x) + E ln(1 - D(y))) + ln 2 of independent points, a pack's over its size; the
    logits are read off the network and averaged in float64."""
    job = Job("ring", contender, "poolio", 1, seed=0)
    trainer = training.trainer_of(job)
    look = training.Look(job, trainer)
    trainer.train_step()
    row, _, _ = look()
    made = trainer.generate(Tensor(look.noise))
    critic = trainer.networks.critic
    with no_grad(), evaluating(critic):
        real, fake = (
            critic(Tensor(x)).numpy().astype(np.float64) for x in (look.real.points, made)
        )
    assert real.shape == (2500 // pack, 1)
    value = -np.log1p(np.exp(-real)).mean() - np.log1p(np.exp(fake)).mean()
    assert row["js_bound"] == pytest.approx((value / 2 + np.log(2)) / pack, abs=1e-6)
    assert abs(row["js_bound"]) > 1e-4 and row["estimate"] is None


def test_the_critics_estimate_is_drawn_where_it_belongs(tmp_path, monkeypatch):
    """A Wasserstein critic speaks of EM, a discriminator of JS, other critics of neither."""
    drawn = {}

    def save_truth(path, panel, steps, rows, title, estimates=None, js_estimates=None):
        drawn[title.split()[0]] = (estimates, js_estimates)

    monkeypatch.setattr(mixtures_figures, "save_truth", save_truth)
    jobs = {c: Job("ring", c, "poolio", 1, 0, True) for c in ("gan", "wgan-gp", "lsgan")}
    runs = {c: [train(job)] for c, job in jobs.items()}
    mixtures_figures.draw_truth(tmp_path, "ring", runs, training.panel_of(jobs["gan"]))
    assert drawn == {
        "gan": (None, [row["js_bound"] for row in runs["gan"][0].rows]),
        "wgan-gp": ([row["estimate"] for row in runs["wgan-gp"][0].rows], None),
        "lsgan": (None, None),
    }
    assert None not in drawn["gan"][1] + drawn["wgan-gp"][0]


def test_what_is_kept_is_that_very_job(tmp_path):
    job = Job("roll", "gan", "poolio", 1, seed=0)
    assert kept(tmp_path, job) is None
    run = train(job)
    keep(tmp_path, job, run)
    assert bytes_of(kept(tmp_path, job)) == bytes_of(run)
    assert run.rows[-1]["modes"] is None and run.rows[-1]["quality"] is None
    assert kept(tmp_path, job._replace(steps=2)) is None
    (tmp_path / job.file).write_bytes(b"half of it")
    assert kept(tmp_path, job) is None


def test_an_interrupted_experiment_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(mixtures, "draw", lambda *_: None)
    whole = toy("mixtures").run(tmp_path / "whole", quick=True, options={**SMALL, "seeds": "2"})
    done = []

    def interrupted(job):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(job)
        return train(job)

    folder = tmp_path / "parts"
    options = {**SMALL, "seeds": "2"}
    with monkeypatch.context() as patch:
        patch.setattr(training, "train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            toy("mixtures").run(folder, quick=True, options=options)
    assert {p.name for p in folder.iterdir()} == {job.file for job in done} and len(done) == 2
    with monkeypatch.context() as patch:
        again = []
        patch.setattr(training, "train", lambda job: again.append(job) or train(job))
        assert toy("mixtures").run(folder, quick=True, options=options) == whole
    assert len(again) == 2 and not set(again) & set(done)
    assert {p.name for p in folder.iterdir()} == {"table.md", "results.json"}
    with pytest.raises(ToyError, match="is not empty; give another folder, or --force"):
        toy("mixtures").run(folder, quick=True, options=options)


def test_processes_change_no_number(tmp_path):
    jobs = [Job("ring", "gan", "poolio", 2, seed) for seed in (0, 1)]
    for processes in (1, 2):
        (tmp_path / str(processes)).mkdir()
        mixtures._do_all(tmp_path / str(processes), jobs, processes)
    for job in jobs:
        one, two = (kept(tmp_path / folder, job) for folder in "12")
        assert bytes_of(one) == bytes_of(two)


def test_the_rows_stand_beside_the_perfect_sampler_and_the_papers(tmp_path):
    options = {**SMALL, "recipe": "gan", "data": "ring,roll", "seeds": "2", "truth": True}
    results = toy("mixtures").run(tmp_path, quick=True, options=options)
    rows = {row["what"]: row for row in results["rows"]}
    assert rows["ring, gan: modes"]["exact"] == 8
    shares = rows["ring, gan: high quality"]
    assert shares["measured"] == pytest.approx(np.mean(shares["each"]))
    assert shares["spread"] == pytest.approx(np.std(shares["each"], ddof=1))
    assert [v for k, v in shares["published"].items() if "Lin" in k] == ["6.3 ± 0.5 / 98.2"]
    assert rows["ring, perfect sampler: modes"]["measured"] == 8
    distance = rows["roll, gan: EM, beside two real sets'"]
    assert distance["measured"] > distance["exact"] > 0
    assert (results["steps"], results["protocol"]["factor"]) == (2, 12500)
    assert {p.name for p in tmp_path.iterdir()} == {
        *("ring-time.png", "ring-field.png", "ring.gif", "ring-scores.png", "ring-gan-truth.png"),
        *("roll-time.png", "roll-field.png", "roll.gif", "roll-gan-truth.png"),
        *("table.md", "results.json"),
    }
    table = (tmp_path / "table.md").read_text().splitlines()
    assert [line.split("|")[2].strip() for line in table[2:4]] == ["perfect sampler", "gan"]
    said = "\n".join(table)
    assert "(factor 12500), 2 seeds, mean ± standard deviation; 2500 samples" in said


def test_a_single_seed_has_no_standard_deviation_and_keeps_its_digits():
    plan = mixtures.planned(recipe="gan", data="ring", seeds=1)
    counts = {"perfect sampler": (8, 0.9889), "gan": (7.0, 0.99)}
    rows = []
    for name, (modes, quality) in counts.items():
        rows += [row(f"ring, {name}: modes", modes, 8, spread=None)]
        rows += [row(f"ring, {name}: high quality", quality, 0.9889, spread=None)]
    text = mixtures.table(plan, rows)
    assert "| ring | perfect sampler | 8 of 8 | 98.9 |" in text
    assert "| ring | gan | 7 of 8 | 99.0 |" in text
    assert "one seed; 2500 samples" in text and "standard deviation" not in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--recipe", "gan,began"], "--recipe expects some of, each once, gan, pacgan"),
        (["--recipe", "gan,gan"], "--recipe expects some of, each once"),
        (["--recipe", ""], "--recipe expects some of"),
        (["--data", "cube"], "--data expects some of, each once, ring, ring-2, grid, roll"),
        (["--protocol", "pacgan,poolio"], "--protocol expects one of pacgan, poolio, wgan-gp"),
        (["--factor", "0"], "--factor expects a number of at least 1, got '0'"),
        (["--factor", "nan"], "--factor expects a number of at least 1"),
        (["--seeds", "1.5"], "--seeds expects a whole number of at least 1, got '1.5'"),
        (["--jobs", "two"], "--jobs expects a whole number of at least 1, got 'two'"),
        (["--steps", "3"], "mixtures has no option --steps; it has: --recipe, --data"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_touched(capsys, tmp_path, options, said):
    (tmp_path / "results.json").write_text("mine")
    assert cli.main(["toy", "mixtures", "--out", str(tmp_path), "--force", *options]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("minigan: error: ") and captured.err.count("\n") == 1
    assert said in captured.err and not captured.out
    assert (tmp_path / "results.json").read_text() == "mine"


def test_other_toys_have_no_such_options(capsys, tmp_path):
    assert cli.main(["toy", "numpy-memo", "--out", str(tmp_path), "--truth"]) == 2
    assert "numpy-memo has no option --truth; it has none" in capsys.readouterr().err


def test_force_takes_over_an_interrupted_experiment(tmp_path, monkeypatch):
    monkeypatch.setattr(mixtures, "draw", lambda *_: None)
    job = Job("ring", "gan", "poolio", 2, seed=0)
    keep(tmp_path, job, train(job))
    (tmp_path / ".ring-time.png.123.tmp").write_text("half a picture of a process that was killed")
    (tmp_path / "notes.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(ToyError, match="nothing like notes"):
            toy("mixtures").run(tmp_path, quick=True, force=force, options=SMALL)
    (tmp_path / "notes.txt").unlink()
    alone = {**SMALL, "recipe": "wgan-gp"}
    toy("mixtures").run(tmp_path, quick=True, force=True, options=alone)
    assert {p.name for p in tmp_path.iterdir()} == {"table.md", "results.json"}


def test_the_longest_runs_come_first():
    plan = mixtures.planned(recipe="gan,wgan-gp,unrolled", data="ring", seeds=1)
    assert [job.contender for job in plan.jobs()] == ["unrolled", "wgan-gp", "gan"]
