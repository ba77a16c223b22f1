"""The engine on several ranks: collectives, averaged gradients, statistics of all batches."""

import re

import pytest
import ranks

pytestmark = ranks.needs_mpi


@pytest.fixture(scope="module", params=[2, 3, 4], ids="{} ranks".format)
def outcomes(request):
    return ranks.outcomes("collective_checks", request.param)


@pytest.mark.parametrize("check", ranks.checks("collective_checks"))
def test_on_every_rank(outcomes, check):
    assert not outcomes[check], outcomes[check]


def test_the_readme_s_program_trains_the_same_network_on_all_ranks(tmp_path):
    text = (ranks.ROOT / "README.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```py\n([^`]*init_process_group.*?)```", text, re.DOTALL)
    (tmp_path / "program.py").write_text(program)
    for n in (1, 3):
        out, err = ranks.run(n, "-W", "error", tmp_path / "program.py")
        assert re.fullmatch(rf"{n} processes, loss 0\.00\d+\n", out) and not err, (out, err)
