"""Programs of several processes that lose one: none of the others waits for ever."""

import pytest
import ranks

pytestmark = ranks.needs_mpi

PROGRAM = """
import os, sys
from datetime import timedelta
import minigan
import minigan.distributed as dist

lost, how = int(sys.argv[1]), sys.argv[2]
if how == "before MPI begins" and lost == int(os.environ["PMI_RANK"]):
    sys.exit()
dist.init_process_group(timeout=timedelta(seconds=int(sys.argv[3])))
x = minigan.ones(3)
dist.all_reduce(x)
if lost == dist.get_rank():
    raise KeyError("planted")
dist.all_reduce(x)
print("went on")
"""


@pytest.mark.parametrize(
    ("lost", "how", "limit", "code", "said"),
    [
        (0, "before MPI begins", 2, 15, "waited 2 s for all of the 2 processes"),
        (1, "before MPI begins", 2, 15, "waited 2 s for all of the 2 processes"),
        (0, "by an exception", 60, 1, "KeyError: 'planted'"),
    ],
)
def test_all_end_where_one_is_lost(tmp_path, lost, how, limit, code, said):
    (tmp_path / "program.py").write_text(PROGRAM)
    out, err = ranks.run(2, "-W", "error", tmp_path / "program.py", lost, how, limit, code=code)
    assert err.count(said) == 1 and "went on" not in out
