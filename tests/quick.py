"""What makes small runs quick: no picture of their curves, and data that are loaded once.

A module's tests ask for it by ``pytestmark = pytest.mark.usefixtures("undrawn", "loaded_once")``.
"""

import functools

import pytest

from minigan import curves
from minigan import run as runs
from minigan.serialize import atomic_write


def save(path, columns, lines, title, **options):
    """In the place of ``curves.save_losses``: all that the picture follows from, as text.

    So runs that would have the same picture, and only those, have the same file.
    """
    series = {name: [float(value) for value in column] for name, column in columns.items()}
    with atomic_write(path) as file:
        file.write(repr((series, lines, title, options)).encode())


@pytest.fixture(scope="module")
def undrawn():
    """Runs write what their curves show instead of drawing it, which takes longer than they do.

    The pictures themselves are what ``test_curves.py`` is about; runs in ``test_run.py``, and those
    that are processes of their own, have them.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, "save_losses", save)
        yield


@pytest.fixture(scope="module")
def loaded_once():
    """Runs in this process share the data that are alike: thousands of images are resized once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "load", functools.cache(runs.load))
        yield
