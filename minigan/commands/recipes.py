"""``minigan list`` and ``minigan show``: the recipes, and one of them."""

from __future__ import annotations

import argparse
from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING

from ..training import Usage, settings_from
from .arguments import positive

if TYPE_CHECKING:
    from ..gan import ImageShape, Recipe


def add(commands: argparse._SubParsersAction) -> None:
    """Tell the parser of it."""
    commands.add_parser("list", help="the recipes").set_defaults(run=_list)

    show = commands.add_parser("show", help="a recipe's networks, objective and settings")
    show.set_defaults(run=_show)
    show.add_argument("recipe", metavar="RECIPE")
    show.add_argument("--image-size", type=positive, metavar="N", help="pixels (28, or 256)")
    show.add_argument("--channels", type=positive, metavar="N", help="of the images (1)")
    show.add_argument(
        "--data", metavar="NAME", help="as it plays on points: ring, ring-2, grid or roll"
    )
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
    from ..gan import recipe, recipe_for
    from ..gan.points import has_choice
    from ..generators import Generator
    from ..nn.summary import summary

    asked, points = arguments.recipe, arguments.data
    chosen = recipe(asked) if points is None else recipe_for(asked, points)
    settings = chosen.configure(settings_from(arguments.set))
    shape = _shape(arguments, chosen)
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
    if points is None and has_choice(chosen):
        print(f"on points in the plane other networks play: minigan show {asked} --data ring")
    return 0


def _shape(arguments: argparse.Namespace, chosen: Recipe) -> ImageShape:
    """What the networks are shown for."""
    from ..data import is_points, mixture
    from ..data.mixtures import MIXTURES
    from ..gan import ImageShape
    from ..gan.trainer import shape_of

    if arguments.data is None:
        channels, side = arguments.channels or 1, arguments.image_size or chosen.side
        return ImageShape(channels, side, side, classes=10, inputs=channels)
    if not is_points(arguments.data):
        raise Usage(
            f"--data expects one of {', '.join(MIXTURES)} here, got {arguments.data!r}; of images "
            "--image-size and --channels say enough"
        )
    if arguments.image_size or arguments.channels:
        raise Usage(f"--image-size and --channels are for images, {arguments.data} has points")
    return shape_of(mixture(arguments.data, 1, seed=0))
