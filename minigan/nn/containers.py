"""Modules that hold modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from .fusing import as_one
from .module import Module


class Sequential(Module):
    """Modules called one after the other.

    A batch normalisation and the ReLU or LeakyReLU after it are computed in one pass over memory,
    and so are a Conv2d or ConvTranspose2d and the ReLU, LeakyReLU or Tanh after it, unless one of
    the two has hooks.

    >>> import minigan.nn as nn
    >>> list(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).state_dict())
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *modules: Any):
        super().__init__()
        given_names = len(modules) == 1 and isinstance(modules[0], dict)
        for name, module in modules[0].items() if given_names else enumerate(modules):
            self.add_module(str(name), module)

    def forward(self, x: Any) -> Any:
        modules = list(self._modules.values())
        following = [*modules[1:], None][: len(modules)]
        skip = False
        for module, after in zip(modules, following, strict=True):
            if skip:
                skip = False
            elif (both := as_one(module, after)) is not None:
                x, skip = both(x), True
            else:
                x = module(x)
        return x

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return Sequential(dict(list(self._modules.items())[index]))
        return list(self._modules.values())[index]

    def append(self, module: Module) -> Sequential:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self


class ModuleList(Module):
    """A list whose modules count as sub-modules; it has no forward of its own.

    >>> import minigan.nn as nn
    >>> len(nn.ModuleList([nn.ReLU(), nn.Tanh()]))
    2
    """

    def __init__(self, modules: Iterable[Module] = ()):
        super().__init__()
        self.extend(modules)

    def append(self, module: Module) -> ModuleList:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Add modules at the end."""
        if not isinstance(modules, Iterable):
            raise TypeError(
                f"ModuleList: expected an iterable of modules, got {type(modules).__name__}"
            )
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> None:
        """Put a module before the one at ``index``."""
        self.append(module)  # which refuses what is no module
        modules = list(self)[:-1]
        modules.insert(index, module)
        self._renumber(modules)

    def pop(self, index: int) -> Module:
        """Take the module at ``index`` out."""
        module = self[index]
        del self[index]
        return module

    def _renumber(self, modules: Iterable[Module]) -> None:
        self._modules = {str(i): module for i, module in enumerate(modules)}

    def _name(self, index: int) -> str:
        if not -len(self) <= index < len(self):
            raise IndexError(
                f"ModuleList: index {index} is out of range, there are {len(self)} modules"
            )
        return str(index % len(self))

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __add__(self, modules: Iterable[Module]) -> ModuleList:
        return ModuleList(self).extend(modules)

    def __iadd__(self, modules: Iterable[Module]) -> ModuleList:
        return self.extend(modules)

    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return ModuleList(list(self)[index])
        return self._modules[self._name(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        self.add_module(self._name(index), module)

    def __delitem__(self, index: int | slice) -> None:
        modules = list(self)
        del modules[index if isinstance(index, slice) else int(self._name(index))]
        self._renumber(modules)

    def __repr__(self) -> str:
        """As of any module, but equal ones that follow each other are printed once."""
        if not len(self):
            return f"{type(self).__name__}()"
        lines, first = [], 0
        for text, equal in groupby(map(repr, self)):
            count = len(list(equal))
            last = first + count - 1
            lines.append(
                f"({first}): {text}" if count == 1 else f"({first}-{last}): {count} x {text}"
            )
            first = last + 1
        body = "\n".join(lines).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)"


class ModuleDict(Module):
    """A dict whose modules count as sub-modules; it has no forward of its own.

    >>> import minigan.nn as nn
    >>> list(nn.ModuleDict({"up": nn.Linear(1, 2), "act": nn.ReLU()}).state_dict())
    ['up.weight', 'up.bias']
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()):
        super().__init__()
        if modules is not None:
            self.update(modules)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace modules, given as a mapping or as pairs of name and module."""
        if not isinstance(modules, Iterable):
            raise TypeError(
                f"ModuleDict: expected a mapping or pairs, got {type(modules).__name__}"
            )
        pairs = modules if isinstance(modules, (Mapping, ModuleDict)) else dict(modules)
        for name, module in pairs.items():
            self[name] = module

    def pop(self, name: str) -> Module:
        """Take the module called ``name`` out."""
        return self._modules.pop(name)

    def clear(self) -> None:
        """Take all modules out."""
        self._modules.clear()

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, module)

    def __getitem__(self, name: str) -> Module:
        return self._modules[name]

    def __delitem__(self, name: str) -> None:
        del self._modules[name]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, name: str) -> bool:
        return name in self._modules

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Module]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Module]]:
        """Names with modules."""
        return self._modules.items()
