"""Trainers on several ranks: what they learn is one thing, and what one process would learn."""

import json

import numpy as np
import pytest
import ranks

from minigan.data import Batches, DataError, ImageData
from minigan.gan import Trainer, recipe
from minigan.gan.ranks import Ranks


@pytest.fixture(scope="module")
def outcomes():
    return ranks.outcomes("training_checks", 2)


@pytest.fixture(scope="module")
def gpu_outcomes():
    return ranks.outcomes("gpu_checks", 2)


@ranks.needs_mpi
@pytest.mark.parametrize("check", ranks.checks("training_checks"))
def test_on_every_rank(outcomes, check):
    assert not outcomes[check], outcomes[check]


@ranks.needs_mpi
@pytest.mark.parametrize("check", ranks.checks("gpu_checks"))
def test_on_every_rank_with_a_gpu(gpu_outcomes, check):
    assert not gpu_outcomes[check], gpu_outcomes[check]


@ranks.needs_mpi
def test_four_ranks_train_as_one_process():
    check = "check_some_recipes_on_more_ranks_train_as_on_one"
    assert ranks.outcomes("training_checks", 4, check) == {check: ""}


# ------------------------------------------------------------------------------ without MPI


def numbered(count):
    """Images whose pixels say which they are."""
    pixels = np.broadcast_to(
        np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 1, 8, 8)
    )
    return ImageData("numbered", np.ascontiguousarray(pixels), None, 0)


def which(batch):
    return np.rint((batch[0][:, 0, 0, 0] + 1) * 127.5).astype(int).tolist()


def together(ranks_batches):
    return [image for batches in ranks_batches for image in which(next(batches))]


def test_ranks_share_out_the_batches_of_one_process():
    data = numbered(20)
    one = Batches(data, 6, seed=3)
    three = [Batches(data, 2, seed=3, rank=r, ranks=3) for r in range(3)]
    for _ in range(7):  # over two epochs, each of 3 steps and two images left over
        assert together(three) == which(next(one))
        assert all(batches.state_dict() == one.state_dict() for batches in three)


def test_a_batch_for_each_rank_must_be_there():
    with pytest.raises(DataError, match="got 8 for each of 3 ranks"):
        Batches(numbered(20), 8, seed=0, ranks=3)


def test_random_changes_differ_between_ranks_and_follow_from_the_place():
    def change(rng, images, _):
        return tuple(np.full_like(x, rng.integers(256)) for x in images)

    def drawn(**share):
        batches = Batches(numbered(20), 2, seed=0, augment=change, **share)
        return [which(next(batches)) for _ in range(2)]  # of one epoch

    every = [drawn(rank=r, ranks=4) for r in range(4)]
    assert drawn(rank=2, ranks=4) == every[2]
    assert len({str(draws) for draws in every}) == 4
    assert drawn() == every[0]


def trainer(rank=0, size=1, count=25):
    chosen = recipe("gan")
    settings = chosen.configure({"widths": "8", "critic_widths": "8", "latent": 2})
    return Trainer(chosen, settings, numbered(count), batch_size=2, seed=1, ranks=Ranks(rank, size))


def moved(position, old, new):
    """The trainers of ``new`` ranks that go on with a run of ``old`` at that place in epoch 4."""
    state = trainer().state_dict()
    plain = json.loads(state["state.json"].tobytes())
    streams = {name: plain[name] for name in ("rng", "default_rng")}
    plain |= {"data": {"epoch": 4, "position": position}, "ranks": [streams] * old}
    state["state.json"] = np.frombuffer(json.dumps(plain).encode(), np.uint8)
    others = [trainer(rank, new) for rank in range(new)]
    for other in others:
        other.load_state_dict(state)
    return others


@pytest.mark.parametrize(("old", "new"), [(4, 2), (2, 4), (3, 2), (1, 3), (4, 1)])
def test_another_number_of_ranks_sees_no_image_twice_in_an_epoch(old, new):
    seen = [trainer(rank, old).batches for rank in range(old)]
    for batches in seen:
        batches.load_state_dict({"epoch": 4, "position": 0})
    before = together(seen) + together(seen)
    others = moved(2, old, new)
    after = []
    while others[0].batches.state_dict()["epoch"] == 4:
        after += together([other.batches for other in others])
    assert not set(before) & set(after) and len(set(after)) == len(after)
    left = 25 - len(before)
    assert len(after) > left - 4 * new  # at most one step at each end is left out


def test_streams_begin_anew_on_another_number_of_ranks_and_repeatably():
    def draws(others):
        return [other.rng.rng.random() for other in others]

    assert len({*draws(moved(1, 2, 3)), *draws([trainer(rank, 3) for rank in range(3)])}) == 6
    assert draws(moved(1, 2, 3)) == draws(moved(1, 4, 3))


def test_the_end_of_an_epoch_is_the_beginning_of_the_next():
    """Of 25 images 24 were seen: three ranks have no whole step left."""
    (other, *_) = moved(6, 2, 3)
    assert other.batches.state_dict() == {"epoch": 5, "position": 0}
