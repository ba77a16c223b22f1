"""Picture files: each kind shows what was put into it; what cannot be shown is said."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from minigan.data import DataError, load
from minigan.data.pictures import open_picture

COLOUR = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)


def png(path, colour_type, rows, depth=8, extra=b""):
    """A PNG written by hand, so that reading it is not checked by what reads it."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type] * depth // 8
    header = struct.pack(
        ">IIBBBBB", len(rows[0]) // samples, len(rows), depth, colour_type, 0, 0, 0
    )
    lines = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    parts = chunk(b"IHDR", header), extra, chunk(b"IDAT", lines), chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def palette(colours, alpha=None):
    """The chunks of a palette and its transparency."""
    chunks = [(b"PLTE", bytes(sum(colours, ())))]
    if alpha is not None:
        chunks.append((b"tRNS", bytes(alpha)))
    return b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def test_transparency_lies_on_white(tmp_path):
    """8 x 8 in four equal columns of alpha 0, 85, 170 and 255."""
    alpha = [0, 0, 85, 85, 170, 170, 255, 255]
    expected = [255, 255, 205, 205, 155, 155, 105, 105]  # 255 (1 - a) + 105 a
    png(tmp_path / "rgba.png", 6, [[v for a in alpha for v in (105, 105, 105, a)]] * 8)
    png(tmp_path / "la.png", 4, [[v for a in alpha for v in (105, a)]] * 8)
    chunks = palette([(105, 105, 105)] * 4, [0, 85, 170, 255])
    png(tmp_path / "p.png", 3, [[0, 0, 1, 1, 2, 2, 3, 3]] * 8, extra=chunks)
    data = load(f"folder:{tmp_path}")
    assert data.images.shape == (3, 3, 8, 8)
    assert np.abs(data.images.astype(int) - expected).max() <= 1
    assert open_picture(tmp_path / "la.png").mode == "L"


def test_palettes_and_16_bits(tmp_path):
    colours = [(9, 8, 7), (200, 100, 0)]
    png(tmp_path / "p.png", 3, [[0, 1] * 4] * 8, extra=palette(colours))
    values = [0, 257, 65535, 32896, 128, 129, 385, 386]
    png(tmp_path / "grey16.png", 0, [[b for v in values for b in divmod(v, 256)]] * 8, 16)
    np.testing.assert_array_equal(
        load(f"folder:{tmp_path}", count=1).images[0, :, 3], [[0, 1, 255, 128, 0, 1, 1, 2]]
    )
    both = load(f"folder:{tmp_path}").images
    np.testing.assert_array_equal(both[1, :, 5].T, colours * 4)


# EXIF orientation: what must be done to the stored pixels to see them upright.
UPRIGHT = {
    1: lambda x: x,
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x.transpose(1, 0, 2), 2),
    8: lambda x: np.rot90(x, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_followed(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(COLOUR).save(tmp_path / "a.png", exif=exif)
    image = load(f"folder:{tmp_path}").images[0]
    np.testing.assert_array_equal(image.transpose(1, 2, 0), UPRIGHT[orientation](COLOUR))


def failure(folder, **options):
    with pytest.raises(DataError) as caught:
        load(f"folder:{folder}", strict=True, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_more_than_16_bits_are_no_image(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "f.tiff")
    assert "f.tiff: expected whole numbers of at most 16 bits" in failure(tmp_path)
    Image.fromarray(np.full((8, 8), 70_000, np.int32)).save(tmp_path / "f.tiff")
    assert "f.tiff: expected at most 16 bits a channel" in failure(tmp_path)


def test_an_enormous_image_is_a_broken_one(tmp_path):
    """A header that claims 30000 x 30000 pixels does not take that memory."""
    png(tmp_path / "bomb.png", 0, [[0] * 30000])
    content = bytearray((tmp_path / "bomb.png").read_bytes())
    content[20:24] = struct.pack(">I", 30000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (tmp_path / "bomb.png").write_bytes(content)
    assert "bomb.png: Image size (900000000 pixels)" in failure(tmp_path, image_size=8)
