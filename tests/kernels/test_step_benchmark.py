"""The benchmark of whole steps on a GPU, but for its timing.

The contestants' steps run on a fake GPU and are compared with the CPU's; the program that makes
them take turns is given contestants that are scripts.
"""

import gc
import io
import json
import math
import sys

import fakegpu
import pytest
from machine import needs_emulator

import minigan
from benchmarks import (
    engines_cuda,
    gpu,
    step,
    step_cuda,
    step_report,
    worker,
    worker_cuda,
    workloads,
)
from benchmarks.options import Options

H100 = gpu.Machine("H100", 90, 132, 1.98e9, 2.619e9, 5120, 50 << 20, "none")


# -- workloads


def test_a_workload_may_name_its_batch_and_its_side():
    assert workloads.parse("W1") == ("W1", 28, 64)
    assert workloads.parse("W2@2048") == ("W2", 64, 2048)
    assert workloads.parse("S28@64") == ("S", 28, 64)
    assert workloads.parse("pix2pix-64") == ("pix2pix-64", 64, 1)
    for name in ("W3", "W1@0", "W1@", "S30", "S4", "vae@2", "", "S"):
        with pytest.raises(ValueError, match=r"unknown workload .* expected W1, W2, W1-gp"):
            workloads.parse(name)


@pytest.mark.parametrize("side", [16, 28])
def test_the_networks_of_any_side_end_in_one_number_and_make_images(side):
    generator, critic, shape = workloads.square(minigan, side)
    images = generator(minigan.randn(2, 100))
    assert images.shape == (2, *shape[1:]) == (2, 3, side, side)
    assert critic(images).shape == (2, 1)


def test_arithmetic_is_proportional_to_the_batch():
    one, three = (
        worker.arithmetic(workloads.make(name, minigan, Options())) for name in ("S8@1", "S8@3")
    )
    assert three == 3 * one > 0


# -- contestants


def on_cpu(workload):
    """The losses of six steps on the numbers that all engines have."""
    options = engines_cuda.OnGPU(minigan, "cpu", lambda value: value, frozen=True)
    body, losses = options.from_start(workloads.make(workload, minigan, options)), []
    for _ in range(2 * worker_cuda.CHECKED):
        options.refill()
        losses.append([loss.item() for loss in body()])
    return losses


def served(name, precision, *lines):
    out = io.StringIO()
    ended = worker_cuda.serve(name, precision, lines, out)
    return ended, [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture
def cupy(monkeypatch):
    made = fakegpu.install(monkeypatch)
    monkeypatch.setattr(made.cuda, "get_elapsed_time", lambda begin, end: 2.5)
    monkeypatch.setattr(minigan.cuda, "allow_tf32", False)
    return made


@pytest.mark.parametrize("workload", ["W1@1", "S8@2", "vae", "W1-gp@1"])
def test_a_contestant_computes_what_the_cpu_computes(cupy, workload):
    ended, (facts, times, last) = served("minigan", "fp32", f"begin {workload}", "2", "end")
    assert ended and set(last) == {"peak_mib"}
    for got, exact in zip(facts["losses"], on_cpu(workload), strict=True):
        assert got == pytest.approx(exact, rel=1e-3)
    assert facts["flops"] == worker.arithmetic(
        workloads.make(workload, minigan, Options(frozen=True))
    )
    assert times["ms"] == [2.5, 2.5] and len(times["host_ms"]) == 2
    assert all(0 < ms < 1e5 for ms in times["host_ms"])


def test_one_process_serves_one_workload_after_the_other(cupy):
    lines = ["begin S8@2", "1", "end"]
    _, answers = served("minigan", "fp32", *lines, *lines)
    assert answers[0]["losses"] == answers[3]["losses"]


def test_noise_is_other_in_every_step_and_nothing_waits_for_the_gpu(cupy):
    session = worker_cuda.Session(engines_cuda.make("minigan", "fp32"))
    session.answer("begin S8@2")
    with cupy.gpu.waiting() as places:
        losses = [session.step() for _ in range(3)]
    assert places == []
    assert len({loss[1].item() for loss in losses}) == 3
    with cupy.gpu.waiting() as places:
        session.times(4)
    assert len(places) == 6  # before each step on the host's clock, and around the GPU's


@needs_emulator
def test_a_recorded_step_goes_on_as_the_plain_one_does(monkeypatch):
    """With the optimizer's kernels, which count the steps on the GPU; also after the check."""
    fakegpu.install(monkeypatch, "75")
    monkeypatch.setattr(worker_cuda, "CHECKED", 1)
    monkeypatch.setattr(worker_cuda, "WARM_UP", 0)

    def losses(name):
        session = worker_cuda.Session(engines_cuda.make(name, "fp32"))
        checked = session.answer("begin S8@1")["losses"]
        gc.collect()
        minigan.manual_seed(0)
        return checked + [[loss.item() for loss in session.step()] for _ in range(2)]

    plain, recorded = losses("minigan"), losses("minigan+graph")
    assert recorded == plain
    assert len({losses[0] for losses in recorded}) == 4


@needs_emulator
def test_a_recorded_dropout_draws_other_numbers_each_time(monkeypatch):
    fakegpu.install(monkeypatch, "75")
    engine, x = engines_cuda.make("minigan+graph", "fp32"), minigan.ones(64, device="cuda")

    def step():
        return minigan.nn.functional.dropout(x)

    step()
    replay = engine.recorded(step)
    masks = {str(replay().tolist()) for _ in range(3)}
    assert len(masks) == 3
    minigan.randn(5, device="cuda")
    assert str(replay().tolist()) not in masks


@pytest.mark.parametrize("precision", engines_cuda.PRECISIONS)
def test_precision_is_what_products_are_allowed(cupy, precision):
    engine = engines_cuda.make("minigan", precision)
    x = minigan.tensor([[1 + 2.0**-12]], device="cuda")
    product = engine.step(lambda: x @ minigan.ones(1, 1, device="cuda"))()
    assert minigan.cuda.allow_tf32 == (precision == "tf32")
    assert (product.item() == 1) == (precision == "bf16")


def test_an_error_is_an_answer_and_the_end(cupy, capsys):
    ended, answers = served("minigan", "fp32", "begin W9", "3")
    assert not ended
    assert answers == [{"error": answers[0]["error"]}]
    assert answers[0]["error"].startswith("ValueError: unknown workload 'W9'")
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("engine", ["minigan", "minigan+graph"])
def test_without_a_gpu_a_contestant_says_so(monkeypatch, engine):
    monkeypatch.setattr(minigan.cuda, "is_available", lambda: False)
    monkeypatch.setattr("minigan.array.cupy", lambda: pytest.fail("there is none"))
    ended, answers = served(engine, "fp32", "begin W1")
    assert not ended and "no CUDA GPU, or no CuPy, is present" in answers[0]["error"]


@pytest.mark.parametrize("engine", ["eager", "channels_last"])
@pytest.mark.parametrize("workload", ["W1@2", "W1-gp", "vae"])
def test_pytorch_has_the_same_losses(engine, workload):
    torch = pytest.importorskip("torch")
    made = engines_cuda.Torch(engine, "fp32", "cpu")
    options, losses = made.options(), []
    body = options.from_start(workloads.make(workload, torch, options))
    for _ in range(2 * worker_cuda.CHECKED):
        options.refill()
        losses.append([loss.item() for loss in body()])
    assert step_cuda.differing(on_cpu(workload), losses, "fp32") is None


def test_names_of_engines():
    assert all(map(engines_cuda.known, step_cuda.ENGINES.split(",")))
    assert all(map(engines_cuda.known, step_cuda.SCALED.split(",")))
    for name in ("", "best", "minigan+compile", "graph+graph", "eager+graph"):
        assert not engines_cuda.known(name)


# -- taking turns

SCRIPT = """
import json, sys, time
for line in sys.stdin:
    word = line.split()[0]
    if word == "begin":
        answer = {BEGIN}
    elif word == "end":
        answer = {"peak_mib": 64.0}
    else:
        print("timed", file=sys.stderr, flush=True)
        answer = {TIMES}
    print(json.dumps(answer), flush=True)
    if "error" in answer:
        sys.exit(1)
"""
LOSSES = '{"losses": [[0.5, 0.75]] * 6, "flops": 67e9, "versions": "one"}'
MADE = step_cuda.Contestant


def contestant(
    engine, begin=LOSSES, times='{"ms": [2.0] * int(word), "host_ms": [0.1] * int(word)}'
):
    script = SCRIPT.replace("{BEGIN}", begin).replace("{TIMES}", times)
    return MADE(engine, [sys.executable, "-c", script], {}, 20.0)


@pytest.fixture
def measured():
    """``step_cuda.measure`` of W1 by such contestants, which end with the test."""
    made = []

    def measure(*contestants, precision="fp32", rounds=2, steps=3):
        made.extend(contestants)
        return step_cuda.measure("W1", precision, [*contestants], rounds, steps)

    yield measure
    for one in made:
        one.stop()


def test_rows_hold_medians_and_rates(measured):
    (row,) = measured(contestant("minigan", times='{"ms": [1.0, 2.0, 9.0], "host_ms": [0.5] * 3}'))
    assert (row["ms"], row["steps"], row["host_ms"], row["peak_mib"]) == (2.0, 6, 0.5, 64.0)
    assert row["middle_half_ms"] == [1.0, 9.0]
    assert row["images_per_s"] == 64 / 2e-3
    assert (row["batch"], row["side"], row["flops"]) == (64, 28, 67e9)


@pytest.mark.parametrize(
    ("begin", "message"),
    [
        (LOSSES.replace("0.75", "0.76"), "a loss of step 1 is 0.76, PyTorch eager has 0.75"),
        (LOSSES.replace("0.75", "float('nan')"), "a loss of step 1 is nan"),
    ],
)
def test_what_computes_something_else_is_never_timed(measured, capfd, begin, message):
    good, bad = measured(contestant("eager"), contestant("minigan", begin))
    assert "error" not in good and message in bad["error"] and "ms" not in bad
    assert capfd.readouterr().err.count("timed") == 2  # the good one's two rounds


def test_a_lone_engine_must_be_finite(measured):
    (row,) = measured(contestant("minigan", LOSSES.replace("0.5", "float('inf')")))
    assert "a loss of step 1 is inf" in row["error"]


def test_rounding_is_allowed_for_as_the_precision_asks(measured):
    begin = LOSSES.replace("0.75", "0.77")
    for precision, fine in (("fp32", False), ("tf32", False), ("bf16", True)):
        rows = measured(contestant("eager"), contestant("graph", begin), precision=precision)
        assert ("ms" in rows[1]) == fine


def test_one_that_fails_costs_the_others_nothing(measured):
    refused = contestant("compile", '{"error": "RuntimeError: no"}')
    dies = contestant("graph", "sys.exit(3)")
    sleeps = contestant("channels_last", "time.sleep(30)")
    sleeps.patience = 1.0
    late = contestant("minigan", times='{"error": "late"}')
    rows = measured(refused, dies, sleeps, late, contestant("eager"))
    said = ["RuntimeError: no", "the process ended with 3", "no answer in 1 s", "late"]
    assert [row["error"] for row in rows[:4]] == said
    assert not any("ms" in row for row in rows[:4]) and rows[4]["ms"] == 2.0
    assert all(c.process is None for c in (refused, dies, sleeps, late))


def test_what_ended_with_an_error_begins_anew_at_the_next_workload(measured):
    only_once = f'{{"error": "W1"}} if "W1" in line else {LOSSES}'
    one = contestant("eager", only_once)
    assert measured(one)[0]["error"] == "W1"
    assert step_cuda.measure("W2", "fp32", [one], 1, 2)[0]["ms"] == 2.0


# -- the report


def rows_of(*rows):
    shared = {"workload": "W1", "precision": "fp32", "batch": 64, "middle_half_ms": [0.1, 0.2]}
    shared |= {"host_ms": 0.05, "images_per_s": 1.0, "peak_mib": 9.0, "flops": None}
    return [shared | row for row in rows]


def test_the_table_compares_with_the_fastest_of_pytorchs():
    failed = {"workload": "W1", "precision": "fp32", "engine": "compile", "error": "no compiler"}
    rows = rows_of(
        {"engine": "minigan", "ms": 2.0, "flops": 67e9},
        {"engine": "eager", "ms": 4.0},
        {"engine": "graph", "ms": 1.0},
    )
    text = step_report.table([*rows, failed], H100).splitlines()
    assert len(text) == 6 and len({line.count("|") for line in text}) == 1
    assert "| 2.000 | 0.100 – 0.200 | 1 | 0.50 | 0.050 (2%) | 9 | 33.50 (50%) |" in text[2]
    assert "| 0.25 |" in text[3] and "| 1.00 |" in text[4]
    assert text[5].replace(" ", "") == "|W1|fp32|compile||||||||"
    assert step_report.notes([*rows, failed]) == ["W1, fp32, compile: no compiler"]


@pytest.mark.parametrize(
    ("precision", "ms", "host", "said"),
    [
        ("fp32", 1.0, 0.099, ["1.00 × as fast as graph", "aim 1.0: reached", "9.9 %", "reached"]),
        ("fp32", 1.01, 0.101, ["0.99 × as fast as graph", "aim 1.0: missed", "10.0 %", "missed"]),
        ("tf32", 1.17, 0.0, ["0.85 × as fast as graph", "aim 0.85: reached", "0.0 %", "reached"]),
        ("tf32", 1.18, 0.2, ["0.85 × as fast as graph", "aim 0.85: missed", "16.9 %", "missed"]),
    ],
)
def test_goals_are_reached_or_missed(precision, ms, host, said):
    mine = {"engine": "minigan+graph", "ms": ms, "host_ms": host, "precision": precision}
    theirs = [
        {"engine": e, "ms": t, "precision": precision} for e, t in (("eager", 3), ("graph", 1))
    ]
    speed, share = step_report.goals(rows_of(mine, *theirs))
    assert said[0] in speed and said[1] in speed
    assert said[2] in share and share.endswith(said[3])


def test_without_pytorch_or_for_other_steps_there_is_nothing_to_reach():
    rows = rows_of(
        {"engine": "minigan", "ms": 1.0}, {"engine": "minigan", "workload": "vae", "ms": 1}
    )
    assert step_report.goals(rows) == []
    assert "| 1.000 | 0.100 – 0.200 | 1 |  | 0.050" in step_report.table(rows, H100)


# -- the program


def test_without_a_gpu_it_ends_with_a_sentence(monkeypatch):
    monkeypatch.setattr(minigan.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["step", "--device", "cuda"])
    with pytest.raises(SystemExit, match="this benchmark needs a CUDA GPU and CuPy: none is"):
        step.main()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--workloads", "W1,W7"], "--workloads: unknown workload 'W7'"),
        (
            ["--engines", "best"],
            "--engines: expected minigan, minigan+graph, eager or channels_last",
        ),
        (["--precision", "fp16"], "--precision: expected some of fp32, tf32, bf16, got ['fp16']"),
        (["--rounds", "1", "--steps", "1"], "expected two steps or more in all"),
        (["--steps", "0"], "expected two steps or more in all"),
    ],
)
def test_options_that_make_no_sense(capsys, given, message):
    with pytest.raises(SystemExit) as ended:
        step_cuda.main(given)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.fixture
def scripted(monkeypatch):
    """``step_cuda.main`` on a machine whose contestants are scripts; {engine: environment}."""
    environments = {}

    def replaced(engine, command, environment, patience):
        environments[engine, command[-1]] = command[0], environment
        return contestant(engine)

    monkeypatch.setattr(step_cuda, "machine", lambda: H100)
    monkeypatch.setattr(step_cuda, "Contestant", replaced)
    return environments


def test_a_whole_run_prints_the_table_and_writes_the_figures(scripted, tmp_path, capsys):
    path = tmp_path / "new" / "step.json"
    given = ["--engines", "minigan+graph,eager", "--precision", "fp32,tf32", "--steps", "2"]
    step_cuda.main([*given, "--torch", "theirs", "--json", str(path)])
    text = capsys.readouterr().out
    assert text.startswith("H100, none, 1980 MHz at most")
    assert "| W2 | tf32 | eager | 2.000 |" in text
    assert "W1, fp32: minigan+graph is 1.00 × as fast as eager" in text
    kept = json.loads(path.read_text())
    assert kept["machine"]["name"] == "H100" and not kept["scaling"]
    assert [(row["workload"], row["precision"], row["engine"]) for row in kept["rows"]] == [
        (workload, precision, engine)
        for precision in ("fp32", "tf32")
        for workload in ("W1", "W2")
        for engine in ("minigan+graph", "eager")
    ]
    assert scripted["eager", "fp32"][0] == "theirs"
    assert scripted["minigan+graph", "tf32"][1]["CUPY_TF32"] == "1"
    assert "CUPY_TF32" not in scripted["minigan+graph", "fp32"][1]


def test_scaling_asks_for_all_batches_and_sides(scripted, tmp_path):
    path = tmp_path / "scaling.json"
    step_cuda.main(["--scaling", "--rounds", "1", "--steps", "2", "--json", str(path)])
    rows = json.loads(path.read_text())["rows"]
    of_engine = [(row["batch"], row["side"]) for row in rows if row["engine"] == "minigan"]
    batches, sides = (32, 64, 128, 256, 512, 1024, 2048), (28, 32, 64, 128, 256)
    assert of_engine == [*((b, 28) for b in batches), *((64, s) for s in sides)]
    assert {row["precision"] for row in rows} == {"fp32"}
    assert not any(math.isnan(row["ms"]) for row in rows)


def test_when_the_time_is_up_the_rest_is_left_out(scripted, tmp_path, capsys):
    path = tmp_path / "step.json"
    given = ["--precision", "fp32", "--workloads", "W1,W2", "--minutes", "0"]
    step_cuda.main([*given, "--json", str(path)])
    assert "not measured, the time is up: W2, fp32" in capsys.readouterr().out
    assert not path.exists()
