"""What the README shows runs, and what it names exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from minigan import commands

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_every_python_example_runs_as_printed(number, tmp_path):
    program = PROGRAMS[number].replace("range(200)", "range(50)")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_every_file_that_the_readme_names_exists():
    names = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    names += [f"minigan/{n}" for n in re.findall(r"`((?:\w+/)*\w+\.py)`", TEXT) if "/" in n]
    names = [n.replace("minigan/minigan/", "minigan/") for n in names]
    assert names
    missing = [n for n in names if not (ROOT / n).exists() and not n.startswith("minigan/bench")]
    assert missing == []


def test_every_command_and_option_that_the_readme_names_is_understood():
    parser = commands.parser()
    helps = {
        name: sub.format_help()
        for action in parser._actions
        if hasattr(action, "choices") and isinstance(action.choices, dict)
        for name, sub in action.choices.items()
    }
    prose = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    for command in re.findall(r"`minigan (\w+)", prose):
        assert command in helps, command
    for option in re.findall(r"`(--[\w-]+)", prose):
        assert any(option in text for text in helps.values()), option
