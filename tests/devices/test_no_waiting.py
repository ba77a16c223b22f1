"""A step of training on a GPU waits for nothing: its losses come some steps later."""

import fakegpu
import numpy as np
import pytest
from machine import needs_emulator

import minigan
from minigan import data
from minigan.config import Config
from minigan.cuda.readback import Readback
from minigan.gan import NonFiniteLoss, Trainer, recipe
from minigan.gan import readings as late
from minigan.gan.graphed import PLAIN
from minigan.record import read_rows
from minigan.run import Run

pytestmark = [needs_emulator, pytest.mark.usefixtures("undrawn")]
STEPS = PLAIN + 2  # the plain ones, the one that is recorded, a replay
SMALL = {"network": "mlp", "widths": "8,8", "critic_widths": "8", "latent": 3}
RECIPES = {  # all but pix2pix, large for the emulator; test_graphed.py has it, made small
    "autoencoder": {"code": 5},
    "conv-autoencoder": {},
    "vae": {"hidden": 8},
    "gan": {**SMALL, "augment": "translation,cutout,color", "ema": 0.9, "clip_gradients": 1.0},
    "dcgan": {"network": "mlp", "widths": "8,8", "critic_widths": "8", "real_targets": "0.7,1.2"},
    "cgan": {**SMALL, "critic_widths": "8,8", "label_at": "hidden"},
    "wgan": {**SMALL, "critic_burst": 3},
    "wgan-gp": {**SMALL, "critic_norm": "layer", "decay": 6},
    "unrolled": {**SMALL, "unroll": 1},
    "lsgan": SMALL,
    "hinge": {**SMALL, "critic_norm": "spectral"},
    "sngan": {**SMALL, "optimizer": "sgd"},
    "dragan": SMALL,
    "acgan": SMALL,
    "infogan": {**SMALL, "ema": 0.9},
    "ebgan": {"latent": 3, "code": 4},
    "began": {"latent": 3, "code": 4, "decay": 6},
}


@pytest.fixture
def cupy(monkeypatch):
    return fakegpu.install(monkeypatch, "80")


def trainer(name, device, count=24, **settings):
    r = recipe(name)
    images = data.load("glyphs", count=count, image_size=8)
    chosen = r.configure({**RECIPES[name], **settings})
    return Trainer(r, chosen, images, batch_size=4, seed=1, device=device)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_no_step_waits_for_the_gpu(cupy, name):
    """Also not the first, though a graph of launches could begin with the second only."""
    one = trainer(name, "cuda")
    with cupy.gpu.waiting() as places:
        for _ in range(STEPS):
            assert one.advance() == []
    assert places == []
    with cupy.gpu.waiting() as places:
        rows = one.drain()
    assert [row["step"] for row in rows] == [*range(1, STEPS + 1)]
    assert all(np.isfinite(list(row.values())).all() for row in rows)


def test_the_rows_are_those_of_a_trainer_that_waits(cupy):
    waiting, other = trainer("wgan-gp", "cuda"), trainer("wgan-gp", "cuda")
    expected = [waiting.train_step() for _ in range(3)]
    for _ in range(3):
        other.advance()
    rows = [{k: v for k, v in row.items() if k != "step"} for row in other.drain()]
    assert rows == expected


def test_on_the_cpu_every_step_gives_its_row():
    one = trainer("gan", "cpu")
    assert [row["step"] for _ in range(3) for row in one.advance()] == [1, 2, 3]
    assert one.drain() == []


# -- rows on their way


def test_rows_come_back_in_halves_always_after_the_same_number(cupy):
    back, found = Readback(6), []
    with cupy.gpu.waiting() as places:
        for i in range(20):
            numbers = [cupy.full((), v, np.float32) for v in (i, -i)]
            found.append([row.tolist() for row in back.push(numbers)])
    assert places == []
    assert [i for i, rows in enumerate(found) if rows] == [5, 8, 11, 14, 17]
    assert [row for rows in found for row in rows] == [[i, -i] for i in range(15)]
    assert [row.tolist() for row in back.drain()] == [[i, -i] for i in range(15, 20)]
    assert back.drain() == []


@pytest.mark.parametrize("ahead", [0, 1, 7, -2])
def test_halves_must_be_whole(ahead):
    with pytest.raises(ValueError, match=f"ahead expects an even number from 2 on, got {ahead}"):
        Readback(ahead)


def test_rows_that_are_asked_for_at_once_are_waited_for(cupy):
    """Else the fake could not tell that a program waits for what it has just asked for."""
    back = Readback(2)
    with cupy.gpu.waiting() as places:
        assert back.push([cupy.full((), 1.0)]) == []
    assert places == []
    with cupy.gpu.waiting() as places:
        assert [row.tolist() for row in back.drain()] == [[1.0]]
    assert len(places) == 1


def test_rows_of_another_length_do_not_get_mixed_up(cupy):
    back = Readback(6)
    rows = back.push([cupy.full((), 1.0, np.float32)])
    rows += back.push([cupy.full((), 2.0, np.float64), cupy.full((), 3.0, np.float32)])
    assert [row.tolist() for row in [*rows, *back.drain()]] == [[1.0], [2.0, 3.0]]


def test_a_copy_that_nobody_has_waited_for_holds_nothing(cupy):
    """What the fake is for: rows that are read too early would show."""
    import cupyx

    x, out = cupy.full((3,), 2.0), cupyx.empty_pinned((3,))
    x.get(out=out, blocking=False)
    x[...] = 5.0
    assert np.isnan(out).all()
    assert cupy.cuda.Event().done and out.tolist() == [2.0] * 3
    with cupy.gpu.waiting() as places:
        x.get(out=np.empty(3), blocking=False)  # the memory is not pinned
    assert len(places) == 1


# -- runs


def config(**changes):
    settings = recipe("gan").configure({**SMALL, "ema": 0.9})
    given = {"steps": 9, "sample_every": 4, "checkpoint_every": 3, **changes}
    return Config(
        recipe="gan",
        settings=vars(settings),
        data="glyphs",
        data_dir=None,
        image_size=8,
        batch_size=4,
        seed=1,
        device="cuda",
        **given,
    )


@pytest.fixture
def few(monkeypatch, cupy):
    """Few images; rows come up to four steps late."""
    monkeypatch.setattr(late, "AHEAD", 4)
    monkeypatch.setattr("minigan.run.load", lambda name, **o: data.load(name, count=24, **o))
    return cupy


def ran(folder, stop=None, **changes):
    run = Run.create(folder, config(**changes))
    told = []
    run.train(told.append, lambda: run.trainer.step == stop)
    run.close()
    return told


def test_a_run_has_all_its_rows_before_its_checkpoints(few, tmp_path):
    told = ran(tmp_path / "run", steps=9)
    assert [row["step"] for rows in told for row in rows] == [*range(1, 10)]
    assert len(told) == 9 and not told[0]
    assert len(read_rows(tmp_path / "run" / "metrics.csv", 9)) == 9


def test_stopped_anywhere_and_resumed_it_is_the_run_that_never_stopped(few, tmp_path):
    ran(tmp_path / "whole")
    for stop in (1, 4, 8):
        folder = tmp_path / f"stopped-{stop}"
        ran(folder, stop)
        run = Run.open(folder)
        assert run.trainer.step == stop
        run.train()
        run.close()
        for name in ("metrics.csv", "checkpoint.npz", "samples/step-000009.png"):
            assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_loss_that_is_not_finite_is_noticed_late_but_never_saved(few, tmp_path, monkeypatch):
    play = Trainer.advance

    def advance(self):
        if self.step == 4:
            with minigan.no_grad():
                next(self.networks.critic.parameters()).fill_(float("nan"))
        return play(self)

    monkeypatch.setattr(Trainer, "advance", advance)
    with pytest.raises(NonFiniteLoss, match=r"d_loss became nan at step 5"):
        ran(tmp_path / "run", steps=50, sample_every=50, checkpoint_every=20)
    run = Run.open(tmp_path / "run")
    assert run.trainer.step == 0
    run.close()
