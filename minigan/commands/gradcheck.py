"""``minigan gradcheck``: the certificate of the derivatives."""

from __future__ import annotations

import argparse
from difflib import get_close_matches

from ..training import Usage
from .arguments import natural, positive


def add(commands: argparse._SubParsersAction) -> None:
    """Tell the parser of it."""
    check = commands.add_parser(
        "gradcheck",
        help="check the derivatives of every operation",
        description="Check the derivatives of every operation of the engine and print the table; "
        "ends with 1 if any falls short.",
    )
    check.set_defaults(run=_gradcheck)
    check.add_argument("--order", type=positive, default=3, metavar="N", help="up to (3)")
    check.add_argument("--op", metavar="NAME", help="only this operation")
    check.add_argument("--seed", type=natural, default=0, metavar="N", help="of the inputs (0)")
    check.add_argument(
        "--device", choices=("cpu", "cuda", "auto"), default="cpu", help="where to compute (cpu)"
    )
    check.add_argument("--markdown", action="store_true", help="as the README has it")
    check.add_argument("--json", metavar="FILE", help="write all numbers to FILE too")


def _gradcheck(arguments: argparse.Namespace) -> int:
    from .. import certificate
    from ..config import choose_device

    known, name = certificate.names(), arguments.op
    if name not in (None, *known):
        near = get_close_matches(name, known) or [*known[:3], "…"]
        raise Usage(f"--op: unknown operation {name!r}; there are: {', '.join(near)}")
    return certificate.run(
        arguments.order,
        name,
        arguments.seed,
        arguments.markdown,
        arguments.json,
        choose_device(arguments.device),
    )
