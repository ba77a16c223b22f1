"""The GPU benchmark but for its timing: its arithmetic, and that a wrong result is never timed."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from kernels.runner import run
from machine import needs_emulator

from benchmarks import conv_cuda, conv_report, gpu, tune
from minigan import cuda
from minigan.conv import Geometry, ladder_tiles, ladder_winograd
from minigan.conv.ladder_tiles import TILES, Tile, tiles_of
from minigan.cuda import launcher

H100 = gpu.Machine("H100", 90, 132, 1.98e9, 2.619e9, 5120, 50 << 20, "none")
LAYER = (2, 4, 5, Geometry(7, 6, 4, 4, (2, 2), (1, 1, 1, 1)))


class Turns:
    """A clock that runs each call once and says how often it was asked: 1, 2, … milliseconds."""

    def __init__(self):
        self.cupy, self.asked = np, 0

    def __call__(self, call, *, warm):
        call()
        self.asked += 1
        return self.asked * 1e-3


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(launcher, "run", run)
    monkeypatch.setattr(launcher, "resources", lambda launch: (40, launch.shared))
    monkeypatch.setattr(conv_cuda, "cudnn", lambda *problem: None)
    return Turns()


def test_a_roof_is_the_slower_of_arithmetic_and_memory():
    """NVIDIA's data sheet of the H100 SXM: 67 TFLOP/s, 494.7 with TF32, 989.4 with BF16, 3.35 TB/s
    (tensor cores at 1830 MHz)."""
    at_1830 = gpu.Machine("H100", 90, 132, 1.83e9, 2.619e9, 5120, 0, "")
    assert H100.peak("fp32") == pytest.approx(67e12, rel=0.01)
    assert at_1830.peak("tf32") == pytest.approx(494.7e12, rel=0.01)
    assert at_1830.peak("bf16") == pytest.approx(989.4e12, rel=0.01)
    assert H100.bandwidth == pytest.approx(3.35e12, rel=0.01)
    assert H100.roof("fp32", 67e12, 1.0) == pytest.approx(1.0, rel=0.01)
    assert H100.roof("fp32", 1.0, 3.35e12) == pytest.approx(1.0, rel=0.01)
    unknown = gpu.Machine("?", 61, 20, 1e9, 1e9, 256, 0, "")
    assert unknown.peak("fp32") is None and unknown.roof("fp32", 1.0, 1.0) is None


def test_work_counts_the_products_of_the_plain_algorithm():
    n, c, k, _ = LAYER
    flops, traffic = conv_cuda.work(LAYER)
    inside = len(range(0, 7 + 2 - 3, 2)) * len(range(0, 6 + 2 - 3, 2))
    assert flops == 2 * n * c * k * inside * 16
    assert traffic == 4 * (n * c * 42 + k * c * 16 + n * k * inside)
    grouped = (2, 4, 6, Geometry(5, 5, 3, 3, groups=2))
    assert conv_cuda.work(grouped)[0] == 2 * 2 * 6 * 2 * 9 * 9


@needs_emulator
@pytest.mark.parametrize("routine", conv_cuda.ROUTINES)
def test_every_contestant_is_right_and_gets_a_row(clock, routine):
    rows = conv_cuda.measure(LAYER, routine, "all", H100, clock)
    names = [row["name"] for row in rows]
    assert names == [f"rung {i}" for i in range(6)] + ["thin", "Winograd", "im2col"]
    assert [row["precision"] for row in rows[3:6]] == ["fp32", "tf32", "bf16"]
    assert clock.asked == 2 * len(rows)
    for number, row in enumerate(rows):
        assert (row["cold"], row["warm"]) == ((2 * number + 1) * 1e-3, (2 * number + 2) * 1e-3)
        assert row["to_im2col"] == pytest.approx(rows[-1]["warm"] / row["warm"])
        assert row["tflops"] == pytest.approx(conv_cuda.work(LAYER)[0] / row["warm"] / 1e12)
    text = conv_report.table({"small": rows})
    assert len(text.splitlines()) == len(rows) + 2
    assert len({line.count("|") for line in text.splitlines()}) == 1
    json.dumps(rows)


@needs_emulator
@pytest.mark.parametrize(("change", "rung"), [(1e-3, 3), (0.1, 4), (np.nan, 2)])
def test_a_wrong_result_is_never_timed(clock, monkeypatch, change, rung):
    """Sums of 64 products of about 0.6 may be off by 2e-4 in float32, by 0.04 with TF32."""

    def spoilt(launches):
        run(launches)
        arrays = [a for a in launches[-1].arguments if isinstance(a, np.ndarray)]
        (y,) = [a for a in arrays if a.shape == (2, 5, 3, 3)]
        y.flat[7] += change

    monkeypatch.setattr(launcher, "run", spoilt)
    with pytest.raises(SystemExit, match=re.escape(f"rung {rung}, fprop")):
        conv_cuda.measure(LAYER, "fprop", str(rung), H100, clock)
    assert clock.asked == 0


def test_an_old_gpu_runs_the_rungs_that_it_can(clock):
    names = [name for name, *_ in conv_cuda.contestants(LAYER, "fprop", "all", 75)]
    assert [name for name in names if name.startswith("rung")] == ["rung 0", "rung 1", "rung 2"]


@needs_emulator
def test_the_roofline_is_drawn(clock, tmp_path):
    rows = conv_cuda.measure(LAYER, "fprop", "2,4", H100, clock)
    conv_report.plot({"small": rows}, H100, tmp_path / "roof.png")
    assert (tmp_path / "roof.png").read_bytes().startswith(b"\x89PNG")


def test_a_whole_run_prints_the_table_and_writes_the_figures(monkeypatch, tmp_path, capsys):
    row = {"name": "rung 2", "routine": "fprop", "precision": "fp32", "cold": 2e-3, "warm": 1e-3}
    row |= {"flops": 1e9, "bytes": 1e6, "tflops": 1.0, "of_roof": 0.25}
    row |= {"to_cudnn": 0.5, "to_im2col": 2.0, "registers": 128, "shared": 4096}
    monkeypatch.setattr(conv_cuda, "machine", lambda: H100)
    monkeypatch.setattr(conv_cuda, "Clock", lambda *_: Turns())
    monkeypatch.setattr(conv_cuda, "measure", lambda *_: [row])
    conv_cuda.main(["--shapes", "odd", "--json", str(tmp_path / "a.json")])
    text = capsys.readouterr().out
    start = "| odd 1×1 | fprop | rung 2 (fp32) | 2.0000 | 1.0000 | 1.00 | 25% |"
    assert f"{start} 0.50 | 2.00 | 128 | 4096 |" in text.splitlines()
    assert "fp32: 0.50 × cuDNN by geometric mean, 0.50 at least" in text
    kept = json.loads((tmp_path / "a.json").read_text())
    assert kept["machine"]["name"] == "H100" and set(kept["results"]) == {
        f"odd {name}" for name in conv_cuda.SHAPES["odd"]
    }


def test_without_a_gpu_or_with_unknown_options_it_ends_with_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="this benchmark needs a CUDA GPU and CuPy: none is"):
        conv_cuda.main([])
    for given, message in (
        (["--shapes", "odd,even"], "expected some of dcgan, pix2pix, odd, got"),
        (["--rung", "7"], "numbers from 0 to 5, got '7'"),
    ):
        with pytest.raises(SystemExit):
            conv_cuda.main(given)
        assert message in capsys.readouterr().err


# -- the table of tiles


@needs_emulator
@pytest.mark.parametrize("routine", conv_cuda.ROUTINES)
def test_tiles_are_verified_timed_and_left_out_if_they_do_not_compile(clock, monkeypatch, routine):
    class Refused(Exception):
        pass

    def choosy(launches):
        if dict(launches[0].defines)["TILE_ROWS"] == 128:
            raise Refused
        run(launches)

    compiler = SimpleNamespace(CompileException=Refused)
    clock.cupy = SimpleNamespace(**vars(np), cuda=SimpleNamespace(compiler=compiler))
    monkeypatch.setattr(launcher, "run", choosy)
    large, small = tiles_of(75, 2)
    times = tune.measure(LAYER, routine, [large, small], 75, clock)
    assert times == {small: 1e-3}


@needs_emulator
@pytest.mark.parametrize("routine", conv_cuda.ROUTINES)
def test_winograd_is_verified_and_timed_like_a_tile(clock, monkeypatch, routine):
    forms = [tiles_of(75, 2)[1], tune.WINOGRAD]
    assert tune.measure(LAYER, routine, forms, 75, clock) == {forms[0]: 1e-3, forms[1]: 2e-3}
    monkeypatch.setattr(launcher, "run", lambda launches: None)
    with pytest.raises(SystemExit, match=f"Winograd, {routine} of .* the result is wrong"):
        tune.measure(LAYER, routine, forms[1:], 75, clock)


def test_a_wrong_tile_ends_the_tuning(clock, monkeypatch):
    monkeypatch.setattr(launcher, "run", lambda launches: None)  # leaves the NaN that it found
    with pytest.raises(SystemExit, match=r"Tile\(rung=2.*fprop of .* the result is wrong"):
        tune.measure(LAYER, "fprop", list(tiles_of(75, 2)), 75, clock)


def test_candidates_have_room_on_the_gpu_and_contain_the_tables_sizes():
    for rung in (2, 3, 4, 5):
        found = tune.candidates(rung, 80)
        assert {replace(tile, measured=None) for tile in tiles_of(80, rung)} <= set(found)
        assert all(tile.shared <= 163 * 1024 for tile in found)
    assert tune.candidates(4, 75) == []
    assert all(len({tile.rung for tile in tune.candidates(r, 80)}) == 1 for r in (2, 3))


@pytest.mark.parametrize("capability", [75, 90, 86])
@pytest.mark.parametrize(("winograd", "wins"), [(0.5, True), (3.0, False)])
def test_a_tuning_run_replaces_the_entries_of_its_gpu_and_no_other(
    monkeypatch, tmp_path, capsys, capability, winograd, wins
):
    source = tmp_path / "ladder_tiles.py"
    before = Path(ladder_tiles.__file__).read_text(encoding="utf-8")
    source.write_text(before, encoding="utf-8")
    gpu_in_use = replace(H100, capability=capability)
    monkeypatch.setattr(tune, "machine", lambda: gpu_in_use)
    monkeypatch.setattr(tune, "Clock", lambda *_: Turns())
    monkeypatch.setattr(tune, "problems", lambda: [("small", LAYER, "fprop")])
    monkeypatch.setattr(ladder_tiles, "__file__", str(source))
    asked = []

    def measure(layer, routine, forms, capability, clock):
        if forms == [tune.WINOGRAD]:
            return {tune.WINOGRAD: winograd}
        asked.append(forms[0].rung)
        return {tile: 1.0 + ((tile.rows, tile.stages) != (64, 2)) for tile in forms}

    monkeypatch.setattr(tune, "measure", measure)
    tune.main([])
    assert source.read_text(encoding="utf-8") == before
    assert asked == ([2] if capability == 75 else [2, 3, 4, 5])
    assert "the best is" in capsys.readouterr().out
    tune.main(["--write"])
    names = {"__name__": ladder_tiles.__name__}
    exec(compile(source.read_text(encoding="utf-8"), "tuned", "exec"), names)
    tiles, savings = names["TILES"], names["WINOGRAD"]
    for rung, row in tiles[capability].items():
        assert row and {tile.measured for tile in row} == {None if rung == 1 else "H100"}
    saving = ladder_winograd.saving(LAYER[3], 4, 5)
    assert savings[capability] == (saving if wins else None)
    assert set(tiles) == {*TILES, capability} == set(savings)
    for other in set(TILES) - {capability}:
        assert str(tiles[other]) == str(TILES[other])
        assert savings[other] == ladder_tiles.WINOGRAD[other]


def test_the_tables_are_written_as_python_that_reads_back():
    names = {"Tile": Tile}
    exec(tune.written(TILES) + tune.written_savings({75: None, 90: 12.5}), names)
    assert names["TILES"] == TILES
    assert names["WINOGRAD"] == {75: None, 90: 12.5}
    with pytest.raises(SystemExit, match="no table TILES to be replaced"):
        tune.replaced("TILES = ()", "TILES", "")


def test_the_least_saving_makes_the_geometric_mean_best():
    """Against every choice there is, on problems drawn at random."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        savings, gains = rng.integers(1, 5, 7) / 2, np.exp(rng.normal(0, 1, 7))
        found = tune.least_saving(list(zip(savings, gains, strict=True)))

        def total(least, savings=savings, gains=gains):
            return 0.0 if least is None else np.log(gains[savings >= least]).sum()

        assert total(found) == pytest.approx(max(map(total, [None, *savings])), abs=1e-12)
