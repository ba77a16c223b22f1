"""``minigan toy``: the toy experiments, and one of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._console import say
from ..training import say_device
from .arguments import natural, path

if TYPE_CHECKING:
    from ..toys import Toy


def add(commands: argparse._SubParsersAction) -> None:
    """Tell the parser of it."""
    from ..toys import flag

    toy = commands.add_parser(
        "toy",
        help="experiments whose exact answer is known",
        description="Do a toy experiment and leave its figures and results.json in a folder; "
        "without NAME, list them.",
    )
    toy.set_defaults(run=_toy)
    toy.add_argument("name", nargs="?", metavar="NAME", help="see: minigan toy --list")
    toy.add_argument("--list", action="store_true", help="the toys, and how long they take")
    toy.add_argument("--out", type=path, metavar="DIR", help="the folder (toys/NAME)")
    toy.add_argument("--seed", type=natural, default=0, metavar="N", help="of all that is random")
    toy.add_argument("--quick", action="store_true", help="fewer steps and samples")
    toy.add_argument("--force", action="store_true", help="replace what a toy has left in DIR")
    toy.add_argument(
        "--device",
        choices=("cpu", "cuda", "auto"),
        default="cpu",
        help="where its networks compute (cpu, as they are small)",
    )
    for name, (words, kind) in _options().items():
        toy.add_argument(flag(name), help=words, **kind)


def _options() -> dict[str, tuple[str, dict[str, Any]]]:
    """What only some toys take, by name: its help and how it is read."""
    from ..toys import toy, toy_names

    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for name in toy_names():
        for each in toy(name).options:
            kind = {"metavar": each.word} if each.word else {"action": "store_true"}
            words = f"{found[each.name][0]}; " if each.name in found else ""
            found[each.name] = (f"{words}{name}: {each.help}", kind)
    return found


def _toy(arguments: argparse.Namespace) -> int:
    from ..config import RunError
    from ..toys import ToyError, toy

    if arguments.list or arguments.name is None:
        return _list()
    try:
        return _run(toy(arguments.name), arguments)
    except ToyError as error:
        raise RunError(str(error)) from error


def _run(chosen: Toy, arguments: argparse.Namespace) -> int:
    from ..config import choose_device

    device = choose_device(arguments.device)
    folder = arguments.out or Path("toys") / chosen.name
    given = {name: getattr(arguments, name) for name in _options()}
    options = {name: value for name, value in given.items() if value not in (None, False)}
    chosen.check(arguments.seed, arguments.quick, options, device)
    say_device(arguments.device, device)
    if arguments.quick:
        say(f"{chosen.name}: quick; in full about {chosen.full}")
    else:
        say(f"{chosen.name}: takes about {chosen.full}; with --quick {chosen.quick}")
    results = chosen.run(folder, arguments.seed, arguments.quick, arguments.force, options, device)
    _print_rows(results.get("rows", []))
    for left in sorted(folder.iterdir()):
        print(f"  {left}")
    return 0


def _list() -> int:
    from ..toys import toy, toy_names

    width = max(len(name) for name in toy_names())
    for name in toy_names():
        each = toy(name)
        print(f"{name:<{width}}  {each.summary}  ({each.source})")
        print(f"{'':<{width}}  takes about {each.full}; with --quick {each.quick}")
    return 0


def _print_rows(rows: list[dict[str, Any]]) -> None:
    """What was measured beside what is exact."""
    table = [("", "measured", "exact")]
    table += [(r["what"], _number(r["measured"]), _number(r["exact"])) for r in rows]
    widths = [max(len(line[i]) for line in table) for i in range(3)]
    for what, measured, exact in table if rows else []:
        print(f"{what:<{widths[0]}}  {measured:>{widths[1]}}  {exact:>{widths[2]}}")


def _number(value: Any) -> str:
    """As the table has it: six digits, ∞ as inf, – where there is none."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, (int, float)) else str(value)
