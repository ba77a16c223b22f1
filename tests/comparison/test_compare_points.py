"""A comparison on points: measured by the distances of the plane, else as any other."""

import json

import numpy as np
import pytest

from minigan import cli
from minigan.comparison import contender
from minigan.data import DataError, load
from minigan.evaluation.points import PointYardstick
from minigan.gan import Trainer
from minigan.metrics import em
from minigan.trained import sample

pytestmark = pytest.mark.usefixtures("undrawn", "loaded_once")

SMALL = "widths=8:critic_widths=8"
WORDS = [
    *("compare", f"gan:{SMALL}", f"wgan-gp:n_critic=1:{SMALL}", "--seeds", "1", "--device", "cpu"),
    *("--data", "ring", "--steps", "4", "--batch-size", "16", "--every", "2", "-n", "40"),
]


@pytest.fixture
def compare(tmp_path, capsys):
    def call(*contenders, code=0):
        words = [WORDS[0], *contenders, *WORDS[1:], "--out", str(tmp_path / "out")]
        assert cli.main(words) == code
        return capsys.readouterr()

    return call


def test_the_table_has_the_measures_of_points(compare, tmp_path, monkeypatch):
    said = compare().out
    heads = "| contender | em | best | swd | modes | quality | seconds |"
    assert heads in said and "| real points | " in said and "exact em of 40 points" in said
    result = json.loads((tmp_path / "out" / "comparison.json").read_text())
    test = load("ring", split="test")
    order = np.random.default_rng([0, 0]).permutation(len(test))
    first, second = test.points[order[:40]], test.points[order[40:80]]
    assert result["floor"]["em"] == em(first, second)
    for i, name in enumerate(result["names"]):
        place = f"{name.replace(':', '_')}-seed0"
        made = sample(tmp_path / "out" / place, 40, 0)
        assert result["numbers"]["em"][i][0] == pytest.approx(em(first, made), rel=1e-6)
        rows = result["rows"][name][0]
        assert [row["step"] for row in rows] == [2, 4]
        assert result["numbers"]["best"][i][0] == min(row["em"] for row in rows)
    for kind in ("md", "png", "gif"):
        assert (tmp_path / "out" / f"comparison.{kind}").stat().st_size
    monkeypatch.setattr(Trainer, "advance", None)  # whole runs are not trained again
    assert compare().out == said


def test_what_has_no_modes_has_no_columns_of_them():
    data = load("roll", count=100)
    yardstick = PointYardstick(data, load("roll", split="test"), 30)
    assert yardstick.measures == ("em", "swd") and set(yardstick.floor) == {"em", "swd"}
    assert yardstick.said == {"count": 30, "seed": 0}


def test_contenders_are_read_as_they_play_on_the_data():
    assert contender("dcgan", "grid").settings.network == "mlp"
    assert contender("dcgan").settings.network == "dcgan"
    with pytest.raises(DataError, match="data set: began needs images, not points"):
        contender("began", "grid")


def test_a_contender_for_images_is_refused_in_a_line(compare, tmp_path):
    err = compare("vae", code=2).err
    assert err == "minigan: error: --data: vae needs images, not points\n"
    assert not (tmp_path / "out").exists()
