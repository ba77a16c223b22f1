"""``minigan list`` and ``minigan show``: the recipes, and one of them."""

from __future__ import annotations

import argparse
from dataclasses import fields
from importlib import import_module

from ..training import settings_from
from .arguments import positive


def add(commands: argparse._SubParsersAction) -> None:
    """Tell the parser of it."""
    commands.add_parser("list", help="the recipes").set_defaults(run=_list)

    show = commands.add_parser("show", help="a recipe's networks, objective and settings")
    show.set_defaults(run=_show)
    show.add_argument("recipe", metavar="RECIPE")
    show.add_argument("--image-size", type=positive, metavar="N", help="pixels (28, or 256)")
    show.add_argument("--channels", type=positive, default=1, metavar="N", help="of the images (1)")
    show.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting"
    )


def _list(arguments: argparse.Namespace) -> int:
    from ..gan import recipe, recipe_names

    width = max(len(name) for name in recipe_names())
    for name in recipe_names():
        print(f"{name:<{width}}  {recipe(name).summary}  ({recipe(name).source})")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from ..array import Generator
    from ..gan import ImageShape, recipe
    from ..nn.summary import summary

    chosen = recipe(arguments.recipe)
    settings = chosen.configure(settings_from(arguments.set))
    side = arguments.image_size or chosen.side
    size = (arguments.channels, side, side)
    shape = ImageShape(*size, classes=10, inputs=arguments.channels)
    networks = chosen.networks(settings, shape, Generator())
    print(f"{chosen.name}: {chosen.summary}\n{chosen.source}\n")
    module = import_module(f"minigan.gan.recipes.{chosen.name.replace('-', '_')}")
    print("\n".join(line for line in (module.__doc__ or "").strip().splitlines()[1:-1]).strip("\n"))
    for name, inputs in chosen.view.shapes(networks, shape).items():
        print(f"\n{name}\n{summary(getattr(networks, name), *inputs)}")
    print("\nsettings (--set NAME=VALUE)")
    fixed = getattr(settings, "fixed", ())
    for name in (item.name for item in fields(settings) if item.name not in fixed):
        value = getattr(settings, name)
        text = ",".join(map(str, value)) if isinstance(value, tuple) else value
        print(f"  {name:<16}{text}")
    print(f"\ndefaults: {chosen.steps} steps, batch size {chosen.batch_size}")
    return 0
