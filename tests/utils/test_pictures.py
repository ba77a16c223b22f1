"""make_grid and save_image: every pixel, against torchvision's formulas in plain loops."""

import io
import os

import numpy as np
import pytest
from PIL import Image

import minigan
from minigan.utils import make_grid, save_image


def images(*shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def grid_by_loops(x, nrow=8, padding=2, pad_value=0.0):
    """torchvision's layout of (N, 3, H, W), N > 1, one pixel after the other."""
    n, channels, h, w = x.shape
    columns = min(nrow, n)
    rows = (n + columns - 1) // columns
    grid = np.full(
        (channels, (h + padding) * rows + padding, (w + padding) * columns + padding),
        pad_value,
        x.dtype,
    )
    for i in range(n):
        row, column = divmod(i, columns)
        for c in range(channels):
            for y in range(h):
                for z in range(w):
                    grid[
                        c, row * (h + padding) + padding + y, column * (w + padding) + padding + z
                    ] = x[i, c, y, z]
    return grid


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
@pytest.mark.parametrize(
    "options", [{}, {"nrow": 3}, {"nrow": 1, "padding": 0}, {"padding": 3, "pad_value": 1.0}]
)
@pytest.mark.parametrize("n", [2, 7, 9])
def test_every_pixel_is_where_the_formula_puts_it(n, options, dtype):
    x = (images(n, 3, 2, 4) * 50).astype("int8").astype(dtype)
    grid = make_grid(minigan.tensor(x), **options)
    assert grid.dtype == dtype
    np.testing.assert_array_equal(grid.numpy(), grid_by_loops(x, **options))


def test_one_channel_becomes_three_equal_ones():
    x = images(5, 1, 3, 2)
    grid = make_grid(minigan.tensor(x), nrow=2).numpy()
    np.testing.assert_array_equal(grid, grid_by_loops(np.concatenate([x, x, x], 1), nrow=2))


def test_other_numbers_of_channels_stay():
    x = images(3, 4, 2, 2)
    np.testing.assert_array_equal(make_grid(minigan.tensor(x)).numpy(), grid_by_loops(x))


@pytest.mark.parametrize("shape", [(2, 3), (1, 2, 3), (1, 1, 2, 3), (3, 2, 3), (1, 3, 2, 3)])
def test_a_single_image_comes_back_without_a_border_and_as_a_copy(shape):
    x = minigan.tensor(images(*shape))
    before = x.numpy().copy()
    grid = make_grid(x)
    expected = np.broadcast_to(before.reshape(-1, 2, 3), (3, 2, 3))
    np.testing.assert_array_equal(grid.numpy(), expected)
    grid.fill_(9)
    np.testing.assert_array_equal(x.numpy(), before)


def test_a_list_of_images_is_a_batch():
    x = images(5, 3, 2, 2)
    for several in ([minigan.tensor(a) for a in x], tuple(minigan.tensor(a) for a in x)):
        np.testing.assert_array_equal(make_grid(several).numpy(), grid_by_loops(x))


def scaled(image, low, high):
    values = [(min(max(float(v), low), high) - low) / max(high - low, 1e-5) for v in image.ravel()]
    return np.reshape(values, image.shape)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("limits", [None, (-0.5, 1.5)])
def test_normalizing_maps_the_range_to_0_and_1(limits, each, dtype):
    x = images(4, 3, 2, 2, dtype="float64")
    x = (x * 10).astype(dtype) if dtype == "int64" else x.astype(dtype)
    given = minigan.tensor(x)
    grid = make_grid(given, normalize=True, value_range=limits, scale_each=each, padding=0)
    parts = []
    for image in x:
        source = image if each else x
        parts.append(scaled(image, *(limits or (float(source.min()), float(source.max())))))
    expected = grid_by_loops(np.stack(parts), padding=0)
    assert grid.dtype == ("float64" if dtype == "float64" else "float32")
    tolerance = 1e-14 if dtype == "float64" else 1e-6
    np.testing.assert_allclose(grid.numpy(), expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(given.numpy(), x)


def test_a_constant_image_becomes_zero_and_padding_is_not_normalized():
    grid = make_grid(minigan.full((2, 3, 1, 1), 7.0), normalize=True, pad_value=0.25, padding=1)
    np.testing.assert_array_equal(grid[0].numpy()[1], np.float32([0.25, 0, 0.25, 0, 0.25]))


def test_gradients_stay_out_of_pictures():
    x = minigan.tensor(images(2, 3, 2, 2), requires_grad=True)
    assert not make_grid(x * 2).requires_grad


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (minigan.zeros(3), ValueError, r"expected images \(N, C, H, W\), got \(3,\)"),
        (minigan.zeros(1, 1, 3, 2, 2), ValueError, "expected images"),
        (minigan.zeros(0, 3, 2, 2), ValueError, "expected images"),
        ([], ValueError, "at least one"),
        ([minigan.zeros(3, 2, 2), minigan.zeros(3, 2, 1)], ValueError, "of one shape"),
        ([minigan.zeros(2, 2)], ValueError, r"expected images \(C, H, W\), got \(2, 2\)"),
        (np.zeros((2, 3, 2, 2)), TypeError, "a Tensor or a list of Tensors, got ndarray"),
        ([np.zeros((3, 2, 2))], TypeError, "a Tensor or a list of Tensors, got list"),
    ],
)
def test_what_is_no_picture_is_refused(value, kind, message):
    with pytest.raises(kind, match=message):
        make_grid(value)


@pytest.mark.parametrize("options", [{"nrow": 0}, {"padding": -1}])
def test_a_layout_that_makes_no_sense_is_refused(options):
    with pytest.raises(ValueError, match="nrow must be positive and padding not negative"):
        make_grid(minigan.zeros(2, 3, 2, 2), **options)


# -- files


def pixels_by_loops(grid):
    """torchvision's rounding: clamp(255·x + ½, 0, 255), cut off, as (H, W, C)."""
    channels, h, w = grid.shape
    pixels = np.empty((h, w, channels), np.uint8)
    for c in range(channels):
        for y in range(h):
            for z in range(w):
                pixels[y, z, c] = int(min(max(float(grid[c, y, z]) * 255 + 0.5, 0), 255))
    return pixels


@pytest.mark.parametrize("name", ["grid.png", "grid.PNG", "grid.bmp", "grid.tiff"])
def test_a_file_holds_every_pixel_rounded_to_the_nearest(name, tmp_path):
    x = images(5, 3, 4, 3, dtype="float64")
    x[0, 0, 0] = [0.0, 1.0, 0.5]
    save_image(minigan.tensor(x), tmp_path / name, nrow=2, pad_value=0.3)
    expected = pixels_by_loops(grid_by_loops(x, nrow=2, pad_value=0.3))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / name)), expected)
    assert os.listdir(tmp_path) == [name]


def test_the_256_levels_survive():
    levels = minigan.tensor(np.arange(256, dtype="float32").reshape(1, 16, 16)) / 255
    file = io.BytesIO()
    save_image(levels, file, format="png")
    read = np.asarray(Image.open(io.BytesIO(file.getvalue())))
    np.testing.assert_array_equal(read[..., 0].ravel(), np.arange(256))


def test_the_format_may_differ_from_the_name_and_opacity_is_a_fourth_channel(tmp_path):
    x = minigan.rand(4, 5, 6)
    save_image(x, tmp_path / "picture", format="png")
    with Image.open(tmp_path / "picture") as picture:
        assert picture.format == "PNG"
        assert picture.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(picture), pixels_by_loops(x.numpy()))


def test_a_jpg_is_a_jpeg_of_about_these_colours(tmp_path):
    x = minigan.full((3, 16, 16), 0.5)
    save_image(x, tmp_path / "picture.jpg")
    with Image.open(tmp_path / "picture.jpg") as picture:
        assert picture.format == "JPEG"
        assert abs(np.asarray(picture).astype(int) - 128).max() <= 2


def test_infinite_values_are_clipped_and_nan_is_black():
    x = minigan.tensor([[[np.inf, -np.inf, np.nan]]])
    file = io.BytesIO()
    save_image(x, file, format="png")
    read = np.asarray(Image.open(io.BytesIO(file.getvalue())))
    assert read[0, :, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("name", ["picture", "picture.xyz"])
def test_an_unknown_ending_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match="no picture format ends in"):
        save_image(minigan.zeros(3, 2, 2), tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_failure_leaves_the_old_picture(tmp_path):
    path = tmp_path / "picture.jpg"
    save_image(minigan.zeros(3, 2, 2), path)
    before = path.read_bytes()
    with pytest.raises(OSError, match="RGBA"):  # JPEG knows no opacity
        save_image(minigan.ones(4, 2, 2), path)
    with pytest.raises(ValueError, match="1, 3 or 4 channels, got 2"):
        save_image(minigan.ones(2, 2, 2), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["picture.jpg"]
