"""The wheel holds what it should and works without the checkout; the repository is in order."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import minigan

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").is_file(), reason="these tests belong to a checkout"
)


def run(*command, cwd, **variables):
    """The output of a command that must succeed, run without this process's Python settings."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**environment, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from this tree without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder that holds nothing but the installed wheel."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    options = ["--no-index", "--no-deps", "--no-compile", "--target", target]
    run(*pip, "install", *options, wheel, cwd=target)
    return target


def python(installed, folder, *arguments):
    """Python in a folder of its own, which sees the installed package and not the checkout."""
    assert not folder.is_relative_to(ROOT)
    command = [sys.executable, "-P", "-W", "error", *arguments]
    return run(*command, cwd=folder, PYTHONPATH=str(installed), PYTHONDONTWRITEBYTECODE="1")


def files_of(folder):
    """Every file below a folder of the tree but what Python leaves there."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


# -- the wheel


def test_the_wheel_holds_the_package_and_the_kernels_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    found = {name for name in names if ".dist-info/" not in name}
    assert found == files_of("minigan") | {f"minigan/{name}" for name in files_of("kernels")}
    assert "minigan/py.typed" in found
    assert {name.partition("/")[0] for name in names - found} == {
        f"minigan-{minigan.__version__}.dist-info"
    }


def test_the_wheels_metadata_say_what_the_project_says(wheel):
    with zipfile.ZipFile(wheel) as archive:
        prefix = f"minigan-{minigan.__version__}.dist-info"
        metadata = Parser().parsestr(archive.read(f"{prefix}/METADATA").decode())
        commands = archive.read(f"{prefix}/entry_points.txt").decode()
        licence = archive.read(f"{prefix}/licenses/LICENSE").decode()
    assert metadata["Version"] == minigan.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    plain = {
        re.match(r"[\w.-]+", need)[0]
        for need in metadata.get_all("Requires-Dist")
        if "extra ==" not in need
    }
    assert plain == {"numpy", "scipy", "matplotlib", "pillow", "tqdm", "threadpoolctl"}
    assert "minigan = minigan.cli:main" in commands
    assert licence == (ROOT / "LICENSE").read_text(encoding="utf-8")


# -- installed somewhere else

EVERY_MODULE = """
import importlib, pkgutil, sys
from pathlib import Path
import minigan

target = Path(sys.argv[1]).resolve()
for module in pkgutil.walk_packages(minigan.__path__, "minigan."):
    importlib.import_module(module.name)
ours = [m for name, m in sys.modules.items() if name.partition(".")[0] == "minigan"]
outside = [m.__file__ for m in ours if not Path(m.__file__).resolve().is_relative_to(target)]
assert len(ours) > 20 and not outside, outside
assert not {"torch", "jax", "tensorflow"} & sys.modules.keys()
print(minigan.__version__)
"""

TRAINING = """
import minigan
from minigan import nn, optim

minigan.manual_seed(0)
net = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.LeakyReLU(0.2), nn.Flatten(),
                    nn.Linear(64, 1))
optimizer = optim.Adam(net.parameters(), lr=0.005)
x, y = minigan.randn(16, 1, 8, 8), minigan.zeros(16, 1)
for step in range(3):
    loss = nn.functional.mse_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item())
"""


def test_the_installed_package_imports_every_module_from_where_it_was_installed(
    installed, tmp_path
):
    assert python(installed, tmp_path, "-c", EVERY_MODULE, installed).strip() == minigan.__version__


def test_the_installed_package_trains_a_network(installed, tmp_path):
    first, second, third = map(float, python(installed, tmp_path, "-c", TRAINING).split())
    assert first > second > third > 0


def test_the_installed_package_runs_as_a_command(installed, tmp_path):
    assert "usage: minigan" in python(installed, tmp_path, "-m", "minigan", "--help")
    script = installed / "bin" / "minigan"
    assert "usage: minigan" in python(installed, tmp_path, script, "--help")


# -- the repository


def test_the_top_level_holds_only_what_belongs_there():
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip(f"git ls-files: {listed.stderr.strip()}")
    names = {name.partition("/")[0] for name in listed.stdout.split("\0") if name}
    assert {name for name in names if not name.startswith(".")} <= {
        *("minigan", "kernels", "tests", "benchmarks"),
        *("pyproject.toml", "README.md", "LICENSE"),
    }


def test_continuous_integration_runs_the_readmes_commands_verbatim():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    (commands,) = [block.splitlines() for block in blocks if "pytest" in block]
    assert commands == ['pip install -e ".[test]"', "python -m pytest"]
    script = ROOT / ".ci" / "run"
    lines = script.read_text(encoding="utf-8").splitlines()
    at = lines.index(commands[0])
    assert lines[at : at + len(commands)] == commands
    assert lines[0].startswith("#!")
    assert "set -euo pipefail" in lines
    assert {"ruff check", "ruff format --check"} <= set(lines)
    assert os.access(script, os.X_OK)
    run("bash", "-n", script, cwd=ROOT)
