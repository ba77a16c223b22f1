"""no_grad, enable_grad and set_grad_enabled: in blocks, nested, as decorators, by thread."""

import threading

import pytest

import minigan
from minigan import enable_grad, is_grad_enabled, no_grad, set_grad_enabled, tensor


@pytest.fixture(autouse=True)
def _recording_before_and_after():
    yield
    after = is_grad_enabled()
    set_grad_enabled(True)
    assert after


def recorded():
    x = tensor(2.0, requires_grad=True)
    return (x * x).requires_grad


def test_blocks_nest_and_restore_what_was_before():
    with no_grad():
        assert not is_grad_enabled() and not recorded()
        with enable_grad():
            assert is_grad_enabled() and recorded()
            with no_grad():
                assert not is_grad_enabled()
            assert is_grad_enabled()
        assert not is_grad_enabled()


def test_an_exception_restores_the_mode():
    for mode in (no_grad, lambda: set_grad_enabled(False)):
        with pytest.raises(KeyError), mode():
            raise KeyError
        assert is_grad_enabled()


def test_one_object_may_be_entered_inside_itself():
    mode = no_grad()
    with mode, enable_grad(), mode:
        assert not is_grad_enabled()
    assert is_grad_enabled()


def test_decorators_act_inside_the_function_only_and_in_recursion():
    @no_grad()
    def plain(depth):
        assert not is_grad_enabled()
        with enable_grad():
            return plain(depth - 1) if depth else is_grad_enabled()

    @enable_grad()
    def differentiable():
        return recorded()

    assert plain(3) is True
    with no_grad():
        assert differentiable()
        assert not is_grad_enabled()
    assert plain.__name__ == "plain"


def test_set_grad_enabled_acts_at_once_as_a_block_and_as_a_decorator():
    set_grad_enabled(False)
    assert not is_grad_enabled()
    with set_grad_enabled(True):
        assert recorded()
    assert not is_grad_enabled()
    set_grad_enabled(True)
    with set_grad_enabled(False):
        assert not recorded()

    @set_grad_enabled(False)
    def plain():
        return is_grad_enabled()

    assert is_grad_enabled()
    assert not plain() and not plain()


def test_leaves_made_without_recording_still_want_gradients():
    with no_grad():
        x = tensor(2.0, requires_grad=True)
        y = x * x
    assert x.requires_grad and x.is_leaf and y.is_leaf and not y.requires_grad
    (x * y).backward()
    assert x.grad.item() == 4


def test_grad_is_recorded_only_when_asked_whatever_the_mode():
    """create_graph decides inside grad and backward, not the mode around the call."""
    x = tensor(2.0, requires_grad=True)
    y = x * x * x
    assert not minigan.grad(y, x, retain_graph=True)[0].requires_grad
    with no_grad():
        (g,) = minigan.grad(y, x, create_graph=True)
    assert g.requires_grad
    assert minigan.grad(g, x)[0].item() == 12


def test_threads_have_modes_of_their_own():
    inside, done, seen = threading.Event(), threading.Event(), []

    def other():
        with no_grad():
            inside.set()
            done.wait(5)
            seen.append(is_grad_enabled())

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(5)
    assert is_grad_enabled() and recorded()
    set_grad_enabled(True)
    done.set()
    thread.join()
    assert seen == [False]


def test_a_new_thread_records_even_when_its_parent_does_not():
    seen = []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append(is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_backward_passes_in_threads_do_not_disturb_each_other():
    failures = []

    def work(seed):
        x = tensor(float(seed), dtype="float64", requires_grad=True)
        for _ in range(50):
            (g,) = minigan.grad(x**3, x, create_graph=True)
            (h,) = minigan.grad(g, x)
            if (g.item(), h.item()) != (3.0 * seed**2, 6.0 * seed):
                failures.append(seed)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
