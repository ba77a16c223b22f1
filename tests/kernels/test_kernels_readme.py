"""kernels/README.md: its links, files and commands exist, and nothing measured is made up."""

import importlib
import re
from pathlib import Path

import pytest

from minigan.conv.ladder_tiles import TILES, WINOGRAD

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "kernels"


@pytest.fixture(scope="module")
def text():
    return (FOLDER / "README.md").read_text(encoding="utf-8")


def test_every_file_is_linked_or_named(text):
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert links and all((FOLDER / link).is_file() for link in links)
    named = {*links, *re.findall(r"`([\w/]+\.(?:cu|cuh|py|json))`", text)}
    assert all((FOLDER / name).is_file() or (ROOT / name).is_file() for name in named)
    sources = {path.name for path in FOLDER.iterdir() if path.suffix in (".cu", ".cuh")}
    assert sources <= named


def test_its_commands_and_settings_exist(text):
    modules = set(re.findall(r"python\s+-m\s+(benchmarks\.\w+)", text))
    assert modules == {"benchmarks.conv", "benchmarks.tune"}
    for module in modules:
        assert callable(importlib.import_module(module).main)
    for name in re.findall(r"minigan\.cuda\.(\w+) = True", text):
        assert getattr(importlib.import_module("minigan.cuda"), name) is False


def test_each_rung_has_a_row_and_an_account(text):
    """The account says what changed, why and by how much, and what was measured."""
    rows = re.findall(r"^\| (\d) \|", text, flags=re.M)
    assert rows == ["0", "1", "2", "3", "4", "5"]
    ladder = (FOLDER / "rungs.cuh").read_text(encoding="utf-8")
    accounts = re.split(r"^// Rung (\d)[:,]", ladder, flags=re.M)[1:]
    assert accounts[::2] == rows
    for rung, account in zip(rows, accounts[1::2], strict=True):
        assert "// Measured: " in account
        assert rung == "0" or "// Changed:" in account


def test_every_kernel_file_says_what_was_measured():
    for path in FOLDER.glob("*.cu"):
        assert "// Measured: " in path.read_text(encoding="utf-8"), path.name


def test_it_calls_the_tables_unmeasured_as_long_as_they_are(text):
    tiles = [t for row in TILES.values() for row_tiles in row.values() for t in row_tiles]
    unmeasured = not any(tile.measured for tile in tiles)
    assert ("none of its entries has been measured yet" in text) == unmeasured
    assert ("nowhere until it is measured" in text) == (
        not any(v is not None for v in WINOGRAD.values())
    )
