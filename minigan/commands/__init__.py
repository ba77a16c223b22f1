"""What the command line understands: one file for each command, gathered here.

A command's file has ``add``, which tells the parser of it, and the function that carries it out.
"""

from __future__ import annotations

import argparse
from importlib import import_module

from .. import __version__
from .arguments import Parser

_FILES = (
    *("train", "sample", "interpolate", "evaluate", "compare", "toy"),
    *("recipes", "gradcheck", "info"),
)


def parser() -> argparse.ArgumentParser:
    """Made anew for every call; the command chosen is the result's ``run``."""
    minigan = Parser(prog="minigan", description="Train GANs with a from-scratch engine.")
    minigan.add_argument("--version", action="version", version=f"minigan {__version__}")
    commands = minigan.add_subparsers(
        title="commands", required=True, metavar="COMMAND", parser_class=Parser
    )
    for name in _FILES:
        import_module(f"{__name__}.{name}").add(commands)
    return minigan
