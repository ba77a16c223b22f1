"""``minigan sample``: of classes asked for, in grids and sweeps, and from images."""

from types import SimpleNamespace

import numpy as np
import pytest
from one_step import SMALL, trained
from PIL import Image

from minigan import cli, data
from minigan.commands.inputs import read_inputs
from minigan.commands.labels import label_weights
from minigan.gan import ImageShape
from minigan.gan.explore import label_grid, sweep
from minigan.gan.latents import sampled_latents
from minigan.serialize import read_npz
from minigan.trained import load_networks, sample
from minigan.training import Usage

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def animals(place):
    """A folder of two kinds of grey 8×8 pictures."""
    rng = np.random.default_rng(0)
    for kind in ("cat", "dog"):
        (place / "animals" / kind).mkdir(parents=True)
        for i in range(4):
            pixels = rng.integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(place / "animals" / kind / f"{i}.png")
    return place / "animals"


@pytest.fixture(scope="module")
def conditional(place, animals):
    options = {**SMALL, "label_at": "input"}
    return trained(place / "conditional", "gan", f"folder:{animals}", **options)


@pytest.fixture(scope="module")
def plain(place, animals):
    return trained(place / "plain", "gan", f"folder:{animals}", **SMALL)


@pytest.fixture(scope="module")
def infogan(place, animals):
    options = {**SMALL, "classes": 4, "codes": 2}
    return trained(place / "infogan", "infogan", f"folder:{animals}", **options)


@pytest.fixture(scope="module")
def autoencoder(place, animals):
    return trained(place / "autoencoder", "autoencoder", f"folder:{animals}")


def call(capsys, *arguments, code=0):
    assert cli.main([str(a) for a in arguments]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


@pytest.fixture
def images(capsys, tmp_path):
    """What ``minigan sample`` with these arguments saves."""

    def images(*arguments):
        call(capsys, "sample", *arguments, "--out", tmp_path / "a.npz", "--force")
        return read_npz(tmp_path / "a.npz")["images"]

    return images


# --------------------------------------------------------------------------- how labels are read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", [0, 0, 1, 0]),
        ("2:1", [0, 0, 1, 0]),
        ("0:0.5,3:0.5", [0.5, 0, 0, 0.5]),
        ("0,3", [1, 0, 0, 1]),
        (" 1:2 , 3:-1e-1", [0, 2, 0, -0.1]),
        ("1:0", [0, 0, 0, 0]),
        ("c", [0, 0, 1, 0]),
        ("d:e:0.25,a", [1, 0, 0, 0.25]),
    ],
)
def test_labels_are_weights_of_classes(text, expected):
    weights = label_weights(text, 4, lambda: ["a", "b", "c", "d:e"])
    assert weights.dtype == np.float32
    assert np.array_equal(weights, np.array(expected, np.float32))


def test_names_are_not_asked_for_where_numbers_are_given():
    weights = label_weights("0:1,3", 4, lambda: pytest.fail("no name was given"))
    assert weights.tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("4", "expected a class from 0 to 3, got 4"),
        ("9" * 30, "expected a class from 0 to 3, got 9"),
        ("-1", "or one of a, b, c, d; got '-1'"),
        ("e", "or one of a, b, c, d; got 'e'"),
        ("", "from 0 to 3; got ''"),
        ("1,", "from 0 to 3; got ''"),
        ("1:", "like 3:0.5,8:0.5, got '1:'"),
        ("1:x", "got '1:x'"),
        ("1:nan", "got '1:nan'"),
        ("1:inf", "got '1:inf'"),
        ("1:-1e7", "got '1:-1e7'"),
        ("1,1:2", "the class 1 twice"),
        ("b,1", "the class 1 twice"),
        ("²", "got '²'"),
    ],
)
def test_what_is_no_label_is_refused(text, said):
    with pytest.raises(Usage, match=said):
        label_weights(text, 4, lambda: "abcd")


# --------------------------------------------------------------------------- classes asked for


@pytest.mark.parametrize(
    ("text", "weights"),
    [("1", [0, 1]), ("dog", [0, 1]), ("0:0.5,dog:0.5", [0.5, 0.5]), ("1:3", [0, 3])],
)
def test_the_generator_is_given_the_weights(images, conditional, text, weights):
    """The images are what its own layers make of [noise | weights]."""
    networks = load_networks(conditional).networks
    rows = sampled_latents(networks, 5, 2)
    rows[:, 3:] = weights
    x = rows.astype(np.float64)
    layers = networks.generator.state_dict()
    for i in (0, 2):
        x = x @ layers[f"{i}.weight"].numpy().T + layers[f"{i}.bias"].numpy()
        x = np.where(x > 0, x, 0.2 * x) if i == 0 else np.tanh(x)
    found = images(conditional, "-n", 5, "--seed", 2, "--label", text)
    assert found.shape == (5, 1, 8, 8)
    np.testing.assert_allclose(found, x.reshape(5, 1, 8, 8), atol=1e-5)


def test_a_class_changes_the_image_and_not_the_noise(images, conditional):
    cats, dogs = (images(conditional, "-n", 4, "--label", kind) for kind in ("cat", "dog"))
    assert np.abs(cats - dogs).max() > 1e-3
    mixed = images(conditional, "-n", 4)  # each of a class drawn for it
    for image, cat, dog in zip(mixed, cats, dogs, strict=True):
        assert min(np.abs(image - cat).max(), np.abs(image - dog).max()) < 1e-6


def test_a_grid_has_a_column_for_each_class(images, conditional, capsys, tmp_path):
    grid = images(conditional, "--grid", "labels", "-n", 7, "--seed", 1)
    assert len(grid) == 3 * 2
    for k, kind in enumerate(("cat", "dog")):
        expected = images(conditional, "-n", 3, "--seed", 1, "--label", kind)
        np.testing.assert_allclose(grid[k::2], expected, atol=1e-6)
    out = call(capsys, "sample", conditional, "--grid", "labels", "--out", tmp_path / "g.png")
    assert out.startswith("64 images: ")
    with Image.open(tmp_path / "g.png") as picture:
        width, height = picture.size
    assert height > 15 * width  # 32 rows of 2


def test_sweeps_of_codes_and_of_noise(images, infogan, conditional):
    for folder, number in ((infogan, 2), (conditional, 3)):
        run = load_networks(folder)
        rows, columns = sweep(run.recipe.view.space(run.networks), number, 9, 5)
        assert columns == run.networks.classes
        found = images(folder, "--sweep", number, "--seed", 5)
        assert len(found) == 9 * columns
        np.testing.assert_allclose(found, run.decode(rows), atol=1e-6)
    assert len(images(conditional, "--sweep", 1, "--label", "dog")) == 9 * 8


def test_infogans_classes_are_its_own(images, infogan, capsys):
    assert len(images(infogan, "--label", 3, "-n", 2)) == 2
    run = load_networks(infogan)
    grid = images(infogan, "--grid", "labels", "-n", 8)
    rows = label_grid(run.recipe.view.space(run.networks), 2, 0)
    np.testing.assert_allclose(grid, run.decode(rows), atol=1e-6)
    # The data's names say nothing of them.
    assert "a class from 0 to 3; got 'dog'" in call(
        capsys, "sample", infogan, "--label", "dog", code=2
    )


# --------------------------------------------------------------------------- from images


def pictures(folder):
    """Two pictures, one 10 wide and 8 high, one 8×8, and the central squares of both."""
    rng = np.random.default_rng(3)
    wide = rng.integers(0, 256, (8, 10), dtype=np.uint8)
    Image.fromarray(wide).save(folder / "a.png")
    square = rng.integers(0, 256, (8, 8), dtype=np.uint8)
    Image.fromarray(square).save(folder / "b.png")
    return np.stack([wide[:, 1:9], square])[:, None] / 127.5 - 1


def test_images_from_given_images(images, autoencoder, tmp_path):
    (tmp_path / "in").mkdir()
    expected = pictures(tmp_path / "in").astype(np.float32)
    want = sample(autoencoder, 2, 0, inputs=expected)
    found = images(autoencoder, "--input", tmp_path / "in")
    np.testing.assert_allclose(found, want, atol=1e-6)
    one = images(autoencoder, "--input", tmp_path / "in" / "b.png")
    np.testing.assert_allclose(one, want[1:], atol=1e-6)
    assert len(images(autoencoder, "--input", tmp_path / "in", "-n", 1)) == 1


def test_broken_images_of_a_folder_are_named_and_the_others_drawn(capsys, autoencoder, tmp_path):
    (tmp_path / "in").mkdir()
    inputs = pictures(tmp_path / "in").astype(np.float32)  # a and b
    whole = (tmp_path / "in" / "b.png").read_bytes()
    (tmp_path / "in" / "aa.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in" / "c.png").write_text("no picture")
    out = tmp_path / "drawn.npz"
    err = call(capsys, "sample", autoencoder, "--input", tmp_path / "in", "--out", out, code=1)
    lines = err.splitlines()
    assert len(lines) == 2 and all(line.startswith("minigan: left out: ") for line in lines)
    assert "aa.png: " in lines[0] and "c.png: no image of a known format" in lines[1]
    with np.load(out) as drawn:
        want = sample(autoencoder, 2, 0, inputs=inputs)
        np.testing.assert_allclose(drawn["images"], want, atol=1e-6)


def test_broken_images_beyond_those_asked_for_are_not_read(capsys, autoencoder, tmp_path):
    (tmp_path / "in").mkdir()
    pictures(tmp_path / "in")
    (tmp_path / "in" / "c.png").write_text("no picture")
    ask = ("sample", autoencoder, "--input", tmp_path / "in", "-n", 2, "--out")
    assert call(capsys, *ask, tmp_path / "two.npz").startswith("2 images: ")


def test_without_input_a_system_that_needs_it_gets_its_own_data(images, autoencoder, animals):
    four, two = (images(autoencoder, "-n", n, "--seed", 4) for n in (4, 2))
    np.testing.assert_allclose(four[:2], two, atol=1e-6)
    whole = data.load(f"folder:{animals}", image_size=8).images / np.float32(127.5) - 1
    every = sample(autoencoder, len(whole), 0, inputs=whole)
    for image in four:
        assert np.abs(every - image).max((1, 2, 3)).min() < 1e-6


def sides(direction=None, source="pairs:/nowhere"):
    """What ``read_inputs`` looks at: a run on colour pairs of 8 pixels, side by side."""
    options = {} if direction is None else {"direction": direction}
    config = SimpleNamespace(data=source, data_options=options)
    return SimpleNamespace(config=config, shape=ImageShape(1, 8, 8, inputs=3))


def test_of_a_pair_side_by_side_the_input_half_is_taken(tmp_path):
    rng = np.random.default_rng(0)
    both = rng.integers(0, 256, (8, 16, 3), dtype=np.uint8)
    Image.fromarray(both).save(tmp_path / "pair.png")
    halves = both.transpose(2, 0, 1) / 127.5 - 1
    file = tmp_path / "pair.png"
    for run, expected in (
        (sides(), halves[:, :, :8]),
        (sides("AtoB"), halves[:, :, :8]),
        (sides("BtoA"), halves[:, :, 8:]),
        (sides(source="pairs:/a,/b"), halves[:, :, 4:12]),  # single pictures: the central square
        (sides(source="mnist"), halves[:, :, 4:12]),
    ):
        found, broken = read_inputs(run, file)
        assert broken == ()
        assert found.shape == (1, 3, 8, 8) and found.dtype == np.float32
        np.testing.assert_allclose(found[0], expected, atol=1e-6)


def test_masks_are_not_mixed_and_photographs_are(tmp_path):
    flat = np.zeros((24, 24, 3), np.uint8)
    flat[:, 11:] = 200
    Image.fromarray(flat).save(tmp_path / "mask.png")
    mask, _ = read_inputs(sides(source="pairs:/a,/b"), tmp_path / "mask.png")
    assert len(np.unique(mask)) == 2
    noisy = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(noisy).save(tmp_path / "photo.png")
    photo, _ = read_inputs(sides(source="pairs:/a,/b"), tmp_path / "photo.png")
    assert photo.std() < 0.7 * (noisy / 127.5 - 1).std()


# --------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("run", "arguments", "said"),
    [
        ("conditional", ["--label", "2"], "--label: expected a class from 0 to 1, got 2"),
        ("conditional", ["--label", "cow"], "from 0 to 1 or one of cat, dog; got 'cow'"),
        ("conditional", ["--grid", "labels", "--label", "1"], "--grid and --label do not go"),
        ("conditional", ["--grid", "labels", "--sweep", "1"], "--grid and --sweep do not go"),
        ("conditional", ["--grid", "rows"], "invalid choice: 'rows'"),
        ("conditional", ["--sweep", "1", "-n", "8"], "--sweep and -n do not go together"),
        ("conditional", ["--sweep", "4"], "has 3 numbers of noise to sweep, there is no number 4"),
        ("infogan", ["--sweep", "3"], "has 2 codes to sweep, there is no number 3"),
        ("plain", ["--label", "1"], "this gan was trained without classes"),
        ("plain", ["--grid", "labels"], "was trained without classes"),
        ("plain", ["--input", "CAT"], "makes images from noise, not from images"),
        ("plain", ["--input", "/nowhere"], "--input /nowhere: does not exist"),
        ("plain", ["--input", "BROKEN"], "no image of a known format"),
        ("autoencoder", ["--input", "ALL BROKEN"], "none of its 1 images can be used"),
        ("autoencoder", ["--label", "1"], "autoencoder makes images from images, not from"),
        ("autoencoder", ["--grid", "labels"], "autoencoder makes images from images, not from"),
        ("autoencoder", ["--sweep", "1"], "autoencoder makes images from images, not from"),
        ("autoencoder", ["-n", "9"], "-n 9: animals has only 8 images"),
        ("autoencoder", ["--input", "CAT", "--label", "1"], "--input and --label do not go"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    capsys, request, tmp_path, animals, run, arguments, said
):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.png").write_text("no picture")
    places = {"CAT": animals / "cat" / "0.png", "BROKEN": tmp_path / "in" / "broken.png"}
    places["ALL BROKEN"] = tmp_path / "in"
    arguments = [places.get(word, word) for word in arguments]
    folder = request.getfixturevalue(run)
    out = tmp_path / "new" / "a.png"
    err = call(capsys, "sample", folder, *arguments, "--out", out, code=2)
    assert err.startswith("minigan: error: ") and err.count("\n") == 1
    assert said in err
    assert not out.parent.exists()
