"""Programs of several processes that lose one: none of the others waits for ever."""

import sys

import pytest
import ranks

import minigan
from minigan import cli, commands, nn
from minigan import distributed as dist

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


@ranks.needs_mpi
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


@pytest.mark.parametrize("size", ["PMI_SIZE", "OMPI_COMM_WORLD_SIZE"])
def test_processes_that_forgot_to_begin_do_not_go_on_apart(monkeypatch, size):
    net, x = nn.Linear(1, 1), minigan.ones(1)
    nn.parallel.DistributedDataParallel(net)
    monkeypatch.setenv(size, "4")
    for call in (
        lambda: dist.all_reduce(x),
        lambda: dist.broadcast(x),
        dist.barrier,
        lambda: dist.nn.all_gather(x),
        lambda: nn.parallel.DistributedDataParallel(net),
    ):
        with pytest.raises(ValueError, match="4 processes, and init_process_group was not called"):
            call()


@pytest.mark.parametrize("place", [0, 1])
def test_ctrl_c_before_the_beginning_is_said_once(monkeypatch, capsys, place):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "parser", interrupted)
    monkeypatch.setattr(sys, "argv", ["minigan", "train", "gan", "--distributed"])
    monkeypatch.setenv("MPI_LOCALRANKID", str(place))
    assert cli.main() == 130
    assert capsys.readouterr().err == ("" if place else "minigan: interrupted\n")


def test_a_limit_is_a_timedelta():
    with pytest.raises(TypeError, match=r"timeout expects a datetime\.timedelta, got 5"):
        dist.init_process_group(timeout=5)
    assert not dist.is_initialized()
