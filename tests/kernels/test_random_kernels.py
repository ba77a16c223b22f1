"""Random numbers of the GPU: Philox's published answers, word for word, and their distributions."""

import numpy as np
import pytest
from kernels.runner import BACKENDS, run
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from kernels import philox
from minigan.cuda import random
from minigan.cuda.launch import LaunchError

KEY, BASE = 0x0123456789ABCDEF, 2**32 - 3  # a carry between the counter's words lies ahead
COUNTS = [1, 3, 4, 1000, 5001]
INTEGERS = np.int64(-7), np.uint64(20)

# key, counter, answer: Random123's kat_vectors, philox4x32 with 10 rounds; lowest word first.
ANSWERS = [
    ([0] * 2, [0] * 4, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([2**32 - 1] * 2, [2**32 - 1] * 4, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0xA4093822, 0x299F31D0],
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]
KINDS = {
    "words": ((), lambda w: w),
    "uniform": ((), philox.uniform),
    "uniform_double": ((), philox.uniform_double),
    "normal": ((), philox.normal),
    "normal_double": ((), philox.normal_double),
    "integers": (INTEGERS, lambda w: philox.integers(w, -7, 13)),
    "kept": ((np.float32(0.3),), lambda w: (philox.uniform(w) >= np.float32(0.3)) * 1.0),
}


def state(key=KEY, base=BASE, stream=0):
    made = np.zeros(3, np.uint64)
    run([random.begin(made, key, base, stream)])
    return made


def drawn(kind, count, offset=0, backend="emulator", seed=0, **where):
    out = np.empty(count, random.PER_COUNTER[kind][0])
    run(random.draw(kind, state(**where), offset, out, *KINDS[kind][0]), backend, seed=seed)
    return out


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("key", "counter", "answer"), ANSWERS)
def test_the_published_answers(key, counter, answer, backend):
    def joined(pair):
        return pair[0] + 2**32 * pair[1]

    where = {"key": joined(key), "base": joined(counter[:2]), "stream": joined(counter[2:])}
    assert drawn("words", 4, backend=backend, **where).tolist() == answer
    reference = philox.sequence(where["key"], where["base"], 1, where["stream"])
    assert reference.tolist() == answer


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_number_is_made_of_its_own_words(kind, count, backend):
    """Exactly, but for normal numbers: there within the rounding of ln, √ and cos."""
    words = philox.sequence(KEY, BASE + 5, random.counters(kind, count))
    expected = KINDS[kind][1](words)[:count]
    found = drawn(kind, count, 5, backend)
    if kind.startswith("normal"):
        unit = 2.0**-23 if kind == "normal" else 2.0**-52
        radius = abs(expected) + 1
        # ln of a number near 1 has the number's own rounding, and √ makes of it half as much again.
        assert (abs(found - expected) <= 4 * unit * radius + np.sqrt(unit) * 1e-2).all()
        assert np.median(abs(found - expected)) <= unit
    else:
        assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_numbers_on_every_grid(kind, monkeypatch):
    expected = drawn(kind, 5001)
    for blocks, seed in ((1, 0), (2, 1), (3, 2)):
        monkeypatch.setattr(random, "BLOCKS", blocks)
        assert_array_equal(drawn(kind, 5001, seed=seed), expected)


def test_draws_that_follow_one_another_are_one_sequence():
    """As long as each draw takes whole counters."""
    whole = drawn("uniform", 1000)
    first, second = drawn("uniform", 400), drawn("uniform", 600, random.counters("uniform", 400))
    assert_array_equal(np.concatenate([first, second]), whole)


def test_a_replayed_sequence_of_draws_gives_new_numbers():
    where, outs = state(), [np.empty(10, np.float32) for _ in range(2)]
    used = [random.counters("uniform", 10), random.counters("normal", 10)]
    captured = [
        *random.draw("uniform", where, 0, outs[0]),
        *random.draw("normal", where, used[0], outs[1]),
        random.advance(where, sum(used)),
    ]
    for replay in range(3):
        run(captured)
        offset = replay * sum(used)
        assert_array_equal(outs[0], drawn("uniform", 10, offset))
        assert_array_equal(outs[1], drawn("normal", 10, offset + used[0]))


@pytest.mark.parametrize(
    ("kind", "distribution"),
    [
        ("uniform", stats.uniform()),
        ("uniform_double", stats.uniform()),
        ("normal", stats.norm()),
        ("normal_double", stats.norm()),
    ],
)
def test_their_distribution(kind, distribution):
    found = drawn(kind, 20_000)
    assert stats.kstest(found, distribution.cdf).pvalue > 0.01
    if kind.startswith("uniform"):
        assert found.min() >= 0 and found.max() < 1
    assert abs(np.corrcoef(found[::2], found[1::2])[0, 1]) < 0.03


def test_whole_numbers_are_even_and_within_their_range():
    found = drawn("integers", 20_000)
    assert found.min() == -7 and found.max() == 12
    assert stats.chisquare(np.bincount(found + 7)).pvalue > 0.01


@pytest.mark.parametrize("p", [0.0, 0.25, 1.0])
def test_bernoulli(p):
    out = np.empty(20_000, np.float32)
    run(random.draw("kept", state(), 0, out, np.float32(p)))
    assert set(out.tolist()) <= {0.0, 1.0}
    assert_allclose(out.mean(), 1 - p, atol=0.012)
    assert p not in (0, 1) or (out == 1 - p).all()


def test_the_compile_gate_knows_every_configuration():
    where = state()
    chosen = [random.begin(where, 0), random.advance(where, 1)]
    chosen += random.draw("words", where, 0, np.empty(3, np.uint32))
    found = {(launch.file, launch.defines, launch.architecture) for launch in chosen}
    assert found == set(random.configurations())


def test_nothing_is_launched_for_nothing_and_other_dtypes_are_refused():
    assert random.draw("uniform", state(), 0, np.empty((0, 3), np.float32)) == []
    with pytest.raises(LaunchError, match="normal: out expects float32, got float64"):
        random.draw("normal", state(), 0, np.empty(3))
