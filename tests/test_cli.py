"""The command line: what it prints, and that every mistake is one line and exit code 2."""

import os
import subprocess
import sys

import numpy as np
import pytest
from one_step import trained

from minigan import cli, data, training
from minigan import run as runs
from minigan.config import choose_device
from minigan.gan import recipe, recipe_names
from minigan.gan.values import SettingError
from minigan.serialize import read_npz


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("runs") / "one", "dcgan", image_size=None)


def call(capsys, *arguments, code=0):
    """stdout and stderr of a command that ends with ``code``."""
    assert cli.main([str(a) for a in arguments]) == code
    captured = capsys.readouterr()
    return captured.out, captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["train"], "expects a RECIPE"),
        (["train", "pix3pix"], "unknown recipe 'pix3pix'; there are: autoencoder"),
        (["train", "dcgan", "--speed", "9"], "unrecognized arguments: --speed 9"),
        (["train", "dcgan", "--steps", "0"], "--steps: expected a whole number of 1 to"),
        (["train", "dcgan", "--steps", "many"], "--steps: expected a whole number"),
        (["train", "dcgan", "--steps", "1", "--epochs", "1"], "not allowed with argument"),
        (["train", "dcgan", "--seed", "-1"], "--seed"),
        (["train", "dcgan", "--set", "lr"], "--set expects NAME=VALUE, got 'lr'"),
        (["train", "dcgan", "--set", "speed=1"], "no setting 'speed'; it has: latent, lr"),
        (["train", "dcgan", "--data", "cats"], "--data: expected one of glyphs, mnist"),
        (["train", "dcgan", "--data", "mnist"], "--data-dir"),
        (["train", "dcgan", "--data", "mnist", "--data-dir", "/nowhere"], "/nowhere"),
        (["train", "dcgan", "--data-dir", "/nowhere"], "give --data mnist"),
        (["train", "dcgan", "--out", ""], "--out: expected a path"),
        (["train", "dcgan", "--st", "5"], "unrecognized arguments: --st"),
        (["train", "dcgan", "--set", "latent=99999999999"], "latent must be positive and at most"),
        (["train", "dcgan", "--set", "real_targets=nan,nan"], "real_targets"),
        (["show", "dcgan", "--channels", "999999999"], "not enough memory"),
        (["train", "dcgan", "--batch-size", "30000"], "--batch-size: expected at most the 20000"),
        (["train", "dcgan", "--batch-size", "30000", "--epochs", "1"], "only 20000 images"),
        (["train", "dcgan", "--image-size", "30"], "got 30×30"),
        (["train", "dcgan", "--device", "tpu"], "invalid choice: 'tpu'"),
        (["train", "dcgan", "--precision", "fp16"], "invalid choice: 'fp16'"),
        (["train", "dcgan", "--precision", "tf32", "--device", "cpu"], "a CPU has no TF32"),
        (["train", "--resume", "/nowhere"], "/nowhere: there is no such run folder"),
        (["sample", "/nowhere"], "/nowhere: there is no such run folder"),
        (["sample", "/nowhere", "-n", "0"], "-n: expected a whole number of 1 to"),
        (["sample", "/nowhere", "--out", "a.jpg"], "ending in .png or .npz, got a.jpg"),
        (["show", "nothing"], "unknown recipe 'nothing'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(capsys, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    out, err = call(capsys, *arguments, code=2)
    assert out == ""
    assert err.startswith("minigan: error: ") and err.count("\n") == 1
    assert said in err
    assert os.listdir(tmp_path) == []  # nothing is left behind


def test_no_gpu_is_one_line_with_what_to_install(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("minigan.cuda.is_available", lambda: False)
    _, err = call(capsys, "train", "dcgan", "--device", "cuda", code=2)
    assert "no usable GPU" in err and 'pip install "minigan[cuda13x]"' in err
    assert choose_device("auto") == "cpu"


def test_an_unwritable_place_is_one_line(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    _, err = call(capsys, "train", "dcgan", "--out", tmp_path / "file" / "run", code=2)
    assert err.startswith("minigan: error: ") and str(tmp_path / "file") in err


@pytest.mark.parametrize(
    "option",
    [
        ["--data", "glyphs"],
        ["--batch-size", "8"],
        ["--seed", "1"],
        ["--precision", "bf16"],
        ["--image-size", "32"],
        ["--out", "x"],
    ],
)
def test_a_resumed_run_keeps_its_configuration(capsys, folder, option):
    _, err = call(capsys, "train", "--resume", folder, *option, code=2)
    assert f"{option[0]} cannot be changed when resuming" in err
    _, err = call(capsys, "train", "--resume", folder, "--set", "lr=1", code=2)
    assert "--resume goes with" in err


def test_resuming_as_another_recipe_is_refused(capsys, folder):
    _, err = call(capsys, "train", "wgan", "--resume", folder, code=2)
    assert "holds a run of dcgan, not of wgan" in err


def test_samples_as_npz_and_png(capsys, folder, tmp_path):
    out, _ = call(capsys, "sample", folder, "-n", 70, "--seed", 1, "--out", tmp_path / "a.npz")
    assert str(tmp_path / "a.npz") in out
    images = read_npz(tmp_path / "a.npz")["images"]
    assert images.shape == (70, 1, 28, 28) and images.dtype == np.float32
    assert np.abs(images).max() <= 1
    call(capsys, "sample", folder, "-n", 5, "--seed", 1, "--out", tmp_path / "b.npz")
    assert np.array_equal(read_npz(tmp_path / "b.npz")["images"], images[:5])
    call(capsys, "sample", folder, "-n", 5, "--seed", 2, "--out", tmp_path / "c.npz")
    assert not np.allclose(read_npz(tmp_path / "c.npz")["images"], images[:5], atol=1e-2)
    call(capsys, "sample", folder, "-n", 5, "--out", tmp_path / "new" / "d.png")
    assert (tmp_path / "new" / "d.png").stat().st_size > 100


def test_samples_are_not_overwritten_unless_asked(capsys, folder, tmp_path):
    (tmp_path / "a.png").write_text("mine")
    _, err = call(capsys, "sample", folder, "--out", tmp_path / "a.png", code=2)
    assert "is there already" in err
    assert (tmp_path / "a.png").read_text() == "mine"
    call(capsys, "sample", folder, "--out", tmp_path / "a.png", "--force")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_epochs_are_turned_into_steps(capsys, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(training, "_watch", lambda run: seen.append(run.config.steps) or 0)
    call(capsys, "train", "dcgan", "--epochs", 2, "--batch-size", 300, "--out", tmp_path / "r")
    assert seen == [2 * (20000 // 300)]


def test_the_data_are_loaded_once_for_a_run_of_epochs_too(capsys, tmp_path, monkeypatch):
    loads, load = [], data.load

    def noted(*arguments, **options):
        loads.append(arguments)
        return load(*arguments, **options)

    for place in (data, runs):
        monkeypatch.setattr(place, "load", noted)
    monkeypatch.setattr(training, "_watch", lambda run: 0)
    call(capsys, "train", "dcgan", "--epochs", 1, "--out", tmp_path / "r")
    assert loads == [("glyphs",)]


def test_clipped_targets_are_said(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_watch", lambda run: 0)
    _, err = call(
        capsys, "train", "dcgan", "--set", "real_targets=0.5,1.5", "--out", tmp_path / "r"
    )
    assert "minigan: warning: targets are clipped" in err


def test_list_names_every_recipe_with_its_source(capsys):
    out, _ = call(capsys, "list")
    assert [line.split()[0] for line in out.splitlines()] == list(recipe_names())
    for line, name in zip(out.splitlines(), recipe_names(), strict=True):
        assert recipe(name).summary in line and line.endswith(f"({recipe(name).source})")
    assert "1511.06434" in out


@pytest.mark.parametrize("name", recipe_names())
def test_show_prints_the_algorithm_of_every_recipe(capsys, name):
    out, _ = call(capsys, "show", name)
    assert out.startswith(f"{name}: {recipe(name).summary}\n{recipe(name).source}\n\n    ")
    head = out.partition("\nsettings (--set NAME=VALUE)\n")[0]
    assert "descend" in head and "Adam" in head.replace("RMSprop", "Adam")


def test_show_prints_layers_shapes_and_settings(capsys):
    out, _ = call(capsys, "show", "dcgan")
    assert "N × 64 × 14 × 14" in out and "759,681" in out and "138,689" in out
    assert "lr              0.0002" in out
    assert "G descends  -E ln σ(D(G(z)))" in out  # the algorithm
    out, _ = call(capsys, "show", "dcgan", "--image-size", 64, "--channels", 3, "--set", "latent=9")
    assert "N × 1024 × 4 × 4" in out and "N × 9" in out


def test_show_leaves_out_settings_that_the_recipe_refuses(capsys):
    for name, gone, there in (("ebgan", "loss", "margin"), ("pix2pix", "latent", "l1")):
        settings = call(capsys, "show", name)[0].partition("settings (--set")[2]
        assert f"\n  {there} " in settings and f"\n  {gone} " not in settings
        with pytest.raises(SettingError, match=f"{gone} has no part here: "):
            recipe(name).configure({gone: {"loss": "hinge", "latent": 5}[gone]})


def test_info_names_versions_blas_and_device(capsys):
    out, _ = call(capsys, "info")
    assert np.__version__ in out and "threads" in out and "device" in out


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"]])
def test_help_exits_0(capsys, arguments):
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 0
    assert "minigan" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["checkpoint.npz", "losses.png"])
def test_the_files_of_a_run_are_never_sampled_over(capsys, folder, name):
    before = (folder / name).read_bytes()
    _, err = call(capsys, "sample", folder, "--out", folder / name, "--force", code=2)
    assert "is a part of the run itself" in err
    assert (folder / name).read_bytes() == before


def test_a_terminal_without_greek_letters_is_no_error(tmp_path):
    for arguments in (["show", "dcgan"], ["train", "--help"]):
        done = subprocess.run(
            [sys.executable, "-m", "minigan", *arguments],
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


def test_training_outlives_a_terminal_that_is_gone(tmp_path):
    command = f"{sys.executable} -m minigan train dcgan --steps 3 --batch-size 4 --image-size 8"
    done = subprocess.run(f"{command} --out run 2>&-", shell=True, cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "run" / "checkpoint.npz").exists()
