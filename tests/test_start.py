"""What `import minigan` loads and names, and how the command ends when Ctrl-C comes that early."""

import ast
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import minigan
from minigan import _console

PACKAGE = Path(minigan.__file__).parent


def python(*arguments, code=0, **options):
    """stdout of a Python process that ends with ``code``."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, **options
    )
    assert done.returncode == code, done.stderr
    return done.stdout


# -- names


def test_what_tensors_do_without_is_loaded_when_it_is_asked_for():
    program = """
import json, sys, minigan
before = [m for m in sys.modules if m.startswith("minigan.")]
functional = minigan.nn.functional
loaded = "minigan.nn" in sys.modules
convolving = ["minigan.conv.cpu" in sys.modules]
functional.conv2d(minigan.ones(1, 1, 3, 3), minigan.ones(1, 1, 2, 2))
convolving.append("minigan.conv.cpu" in sys.modules)
print(json.dumps([before, functional.__name__, loaded, convolving]))
"""
    before, name, loaded, convolving = json.loads(python("-c", program))
    later = {f"minigan.{part}" for part in minigan._LATER}
    later |= {f"minigan.{module}" for module in minigan._LATER_FROM.values()}
    assert not [m for m in before if ".".join(m.split(".")[:2]) in later]
    assert "minigan.ops" in before
    assert name == "minigan.nn.functional"
    assert loaded
    assert convolving == [False, True]


WAYS = (
    "import minigan; part = minigan.{}",
    "from minigan import {} as part",
    "import minigan.{} as part",
)


@pytest.fixture(scope="module")
def found():
    """What each way to ask for each part gives, in a process that has not imported minigan."""
    program = """
import os, sys, numpy
for program in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        exec(program + "; print(repr(program), part.__name__, sep=': ', flush=True)")
        os._exit(0)
    os.waitpid(child, 0)
"""
    programs = [way.format(name) for name in minigan._LATER for way in WAYS]
    return python("-c", program, *programs).splitlines()


@pytest.mark.parametrize("name", minigan._LATER)
def test_every_part_is_found_by_every_way_to_ask_for_it(found, name):
    for way in WAYS:
        assert f"{way.format(name)!r}: minigan.{name}" in found
    assert name in dir(minigan)


def test_a_star_brings_every_part():
    program = f"from minigan import *\nfor name in {minigan._LATER}: print(eval(name).__name__)"
    assert python("-c", program).split() == [f"minigan.{name}" for name in minigan._LATER]


@pytest.mark.parametrize(("name", "module"), minigan._LATER_FROM.items())
def test_what_is_loaded_later_is_the_same_by_every_way_to_ask_for_it(name, module):
    program = f"""
from minigan import {name} as found
import minigan, sys
from minigan import *
print(found is minigan.{name} is {name} is sys.modules["minigan.{module}"].{name})
"""
    assert python("-c", program).strip() == "True"
    assert name in dir(minigan)


def test_every_public_name_is_listed_once_and_is_there():
    assert len(minigan.__all__) == len(set(minigan.__all__))
    assert set(minigan.__all__) <= set(dir(minigan))
    assert not [name for name in minigan.__all__ if name.startswith("_")]
    for name in minigan.__all__:
        assert getattr(minigan, name) is not None
    assert {"tensor", "grad", "nn", "optim", "data", "gradcheck"} <= set(minigan.__all__)


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'minigan' has no attribute 'tensors'"):
        _ = minigan.tensors
    with pytest.raises(ImportError, match="cannot import name 'tensors'"):
        exec("from minigan import tensors")


def test_static_tools_see_what_is_loaded_later():
    """What the file imports for them alone is what ``__getattr__`` knows."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    assert ast.unparse(block.test) == "_typing.TYPE_CHECKING"
    names = {node.module: [alias.name for alias in node.names] for node in block.body}
    assert tuple(names.pop(None)) == minigan._LATER
    assert {name: module for module in names for name in names[module]} == minigan._LATER_FROM


# -- Ctrl-C while the command starts

# A finder that sends Ctrl-C, or raises what Python makes of it, when a module is looked for.
HOOK = """
import signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the tests were started from

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            {action}

sys.meta_path.insert(0, Interrupt())
"""
SIGNAL = "signal.raise_signal(signal.SIGINT)"
TWICE = f"{SIGNAL}; {SIGNAL}"
RAISE = "raise KeyboardInterrupt"
SCRIPT = "import sys\nfrom minigan.cli import main\nsys.exit(main())\n"  # as pip writes it


def interrupted(folder, module, action, command):
    """The process of a command during which Ctrl-C comes when ``module`` is imported."""
    (folder / "sitecustomize.py").write_text(HOOK.format(module=module, action=action))
    (folder / "minigan").write_text(SCRIPT)
    start = [folder / "minigan"] if command == "script" else ["-m", "minigan"]
    path = os.pathsep.join([str(folder), str(PACKAGE.parent)])
    return subprocess.run(
        [sys.executable, *start, "train", "dcgan", "--steps", "1", "--out", folder / "run"],
        env={**os.environ, "PYTHONPATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
    )


MODULES = [
    "numpy",
    "datetime",  # which NumPy's C code imports, and takes an interrupt for its absence
    "minigan.ops",
    "minigan.cli",
    "minigan.commands",
    "argparse",
    "minigan.run",
    "scipy.special",
    "PIL.Image",
    "tqdm",
]


@pytest.mark.parametrize("command", ["script", "-m"])
@pytest.mark.parametrize("module", MODULES)
def test_ctrl_c_in_any_import_ends_in_one_line_and_130(tmp_path, module, command):
    done = interrupted(tmp_path, module, SIGNAL, command)
    assert done.stderr == "minigan: interrupted\n"
    assert (done.returncode, done.stdout) == (130, "")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("action", [TWICE, RAISE], ids=["twice", "raise"])
@pytest.mark.parametrize("module", ["numpy", "minigan.commands", "minigan.run", "tqdm"])
def test_an_interrupt_that_comes_through_at_once_ends_so_too(tmp_path, module, action):
    done = interrupted(tmp_path, module, action, "script")
    assert done.stderr == "minigan: interrupted\n"
    assert (done.returncode, done.stdout) == (130, "")


def test_without_ctrl_c_nothing_is_different(tmp_path):
    done = interrupted(tmp_path, "no.such.module", SIGNAL, "script")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "checkpoint.npz").exists()


@pytest.mark.parametrize("module", ["numpy", "minigan.ops"])
def test_a_program_that_imports_the_package_gets_its_keyboard_interrupt(tmp_path, module):
    hook = HOOK.format(module=module, action=SIGNAL)
    program = f"{hook}\ntry:\n    import minigan\nexcept KeyboardInterrupt:\n    print('mine')"
    assert python("-c", program, cwd=tmp_path).strip() == "mine"
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import minigan; "
        "print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    )
    assert python("-c", program).strip() == "True"


# -- the block in which interrupts wait


@pytest.fixture
def handler():
    """Python's own handler of SIGINT, however the tests were started."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_waits_for_the_end_of_the_block(handler):
    done = []
    with pytest.raises(KeyboardInterrupt), _console.interrupts_wait():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        done.append("to the end")
    assert done
    assert signal.getsignal(signal.SIGINT) is handler


def test_the_second_interrupt_does_not_wait(handler):
    done = []
    with pytest.raises(KeyboardInterrupt), _console.interrupts_wait():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append("never")
    assert not done
    assert signal.getsignal(signal.SIGINT) is handler


def test_another_error_in_the_block_is_not_hidden(handler):
    with pytest.raises(ImportError), _console.interrupts_wait():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        raise ImportError
    assert signal.getsignal(signal.SIGINT) is handler


def test_blocks_can_be_used_again_and_stand_in_one_another(handler):
    block = _console.interrupts_wait()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), block, _console.interrupts_wait(), block:
            signal.raise_signal(signal.SIGINT)
        with block:
            pass
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize("other", [signal.SIG_IGN, lambda number, frame: None])
def test_a_handler_of_somebody_elses_stays(handler, other):
    signal.signal(signal.SIGINT, other)
    with _console.interrupts_wait():
        assert signal.getsignal(signal.SIGINT) is other
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is other


def test_outside_the_main_thread_the_block_changes_nothing(handler):
    seen = []

    def work():
        with _console.interrupts_wait():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [handler]
