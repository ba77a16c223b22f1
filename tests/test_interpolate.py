"""``minigan interpolate``: a strip and a film of a walk between random latents."""

import numpy as np
import pytest
from one_step import SMALL, trained
from PIL import Image

from minigan import cli
from minigan import run as runs
from minigan.gan.explore import walk
from minigan.report import image_grid, to_uint8
from minigan.trained import load_networks, sample

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module", autouse=True)
def few_images():
    """A run needs no more."""
    with pytest.MonkeyPatch.context() as patch:
        load = runs.load
        patch.setattr(runs, "load", lambda name, **options: load(name, count=24, **options))
        yield


@pytest.fixture(scope="module")
def plain(place):
    return trained(place / "plain", "gan", **SMALL)


@pytest.fixture(scope="module")
def conditional(place):
    return trained(place / "conditional", "gan", **SMALL, label_at="input")


@pytest.fixture(scope="module")
def autoencoder(place):
    return trained(place / "autoencoder", "autoencoder")


def call(capsys, *arguments, code=0):
    assert cli.main([str(a) for a in arguments]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


def film(path):
    with Image.open(path) as gif:
        frames = []
        for i in range(gif.n_frames):
            gif.seek(i)
            frames.append(np.asarray(gif.convert("L")).astype(int))
    return frames


def test_the_strip_and_the_film_are_the_walk(capsys, plain):
    out = call(capsys, "interpolate", plain, "--count", 3, "--seed", 7)
    strip = plain / "interpolation-7.png"
    assert str(strip) in out and str(strip.with_suffix(".gif")) in out
    run = load_networks(plain)
    images = run.decode(walk(run.recipe.view.space(run.networks), 3, 8, 7))
    assert len(images) == 24
    with Image.open(strip) as picture:
        shown = np.asarray(picture)
    scale = (shown.shape[1] - 2) // 8 // 8
    assert np.array_equal(shown, image_grid(images, columns=8, scale=scale))
    frames = film(strip.with_suffix(".gif"))
    assert len(frames) == 24
    side = 2 + 28 * 8 + 2
    for frame, pixels in zip(frames, to_uint8(images)[..., 0].astype(int), strict=True):
        assert frame.shape == (side, side)
        # 16 fixed greys: at most half a step of 17 away.
        assert np.abs(frame[2:-2:28, 2:-2:28][:8, :8] - pixels).max() <= 9


def test_a_walk_from_class_to_class_keeps_the_noise(capsys, conditional, tmp_path):
    """At the points it is what ``sample`` draws of the class."""
    labels = ("3", "8:0.5,9:0.5", "1:2")
    asked = [word for text in labels for word in ("--label", text)]
    out = tmp_path / "new" / "walk.png"
    call(capsys, "interpolate", conditional, "--count", 1, *asked, "--out", out)
    with Image.open(out) as picture:
        shown = np.asarray(picture)
    scale = (shown.shape[1] - 2) // 8 // 8
    weights = np.zeros((3, 10), np.float32)
    weights[0, 3], weights[1, 8:], weights[2, 1] = 1, 0.5, 2
    for i, weight in enumerate(weights):
        expected = to_uint8(sample(conditional, 1, 0, weight[None]))[0, ..., 0].astype(int)
        top = 2 + i * (8 * scale + 2)
        image = shown[top : top + 8 * scale : scale, 2 : 2 + 8 * scale : scale].astype(int)
        assert np.abs(image - expected).max() <= 1


def test_nothing_is_overwritten_unless_asked(capsys, plain, tmp_path):
    (tmp_path / "a.gif").write_text("mine")
    out = tmp_path / "a.png"
    err = call(capsys, "interpolate", plain, "--out", out, code=2)
    assert "a.gif: is there already" in err
    assert (tmp_path / "a.gif").read_text() == "mine" and not out.exists()
    call(capsys, "interpolate", plain, "--count", 2, "--out", out, "--force")
    assert len(film(tmp_path / "a.gif")) == 16


@pytest.mark.parametrize(
    ("run", "arguments", "said"),
    [
        ("plain", ["--count", "1"], "--count 1 is a walk only with several --label"),
        ("plain", ["--count", "0"], "--count: expected a whole number of 1 to"),
        ("plain", ["--label", "3"], "--label 3: this gan was trained without classes"),
        ("plain", ["--out", "a.gif"], "ending in .png, got a.gif"),
        ("conditional", ["--label", "10"], "--label: expected a class from 0 to 9, got 10"),
        ("conditional", ["--label", "3", "--count", "1"], "--count 1 is a walk only with several"),
        ("autoencoder", [], "autoencoder makes images from images, not from numbers"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(capsys, request, run, arguments, said):
    folder = request.getfixturevalue(run)
    before = set(folder.iterdir())
    err = call(capsys, "interpolate", folder, *arguments, code=2)
    assert err.startswith("minigan: error: ") and err.count("\n") == 1
    assert said in err
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize("name", ["losses.png", "animation.png"])
def test_the_files_of_a_run_are_never_written_over(capsys, plain, name):
    before = {f: (plain / f).read_bytes() for f in ("losses.png", "animation.gif")}
    err = call(capsys, "interpolate", plain, "--out", plain / name, "--force", code=2)
    assert "is a part of the run itself" in err
    assert before == {f: (plain / f).read_bytes() for f in before}
