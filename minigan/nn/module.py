"""Module: a tree of parameters, buffers and sub-modules with a ``forward``.

Here is what a module owns and how it is walked; how it is called stands in ``hooks``, how its state
is taken out and put back in ``state``, dtypes and devices in ``moving``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .._tensor import Tensor
from ..ops.creation import zeros_like
from .hooks import HOOKS, Hooked
from .moving import Moving
from .parameter import Parameter
from .state import State


class Module(Hooked, State, Moving):
    """The base of all networks and layers.

    Assign Parameters, Tensors given to ``register_buffer`` and Modules as attributes, and define
    ``forward``.

    >>> import minigan
    >>> class Scale(minigan.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = minigan.nn.Parameter(minigan.ones(1))
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> list(Scale().state_dict())
    ['factor']
    """

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _transient: set[str]  # buffers that state_dict leaves out
    training: bool

    def __init__(self):
        for kind in _KINDS:
            object.__setattr__(self, kind, {})
        for kind in HOOKS:
            object.__setattr__(self, kind, OrderedDict())
        self._transient = set()
        self.training = True

    # -- attributes

    def __setattr__(self, name: str, value: Any) -> None:
        home = next((kind for kind in _KINDS if name in self.__dict__.get(kind, ())), None)
        if isinstance(value, Parameter):
            kind = "_parameters"
        elif isinstance(value, Module) and home != "_parameters":
            kind = "_modules"
        else:
            kind = home
        if kind is None:
            object.__setattr__(self, name, value)
            return
        if kind != home:
            for place in (self.__dict__, self.__dict__.get(home, {})):
                place.pop(name, None)
        self._register(kind, name, value)

    def _register(self, kind: str, name: str, value: Any) -> None:
        what = f"{type(self).__name__}.{name}"
        if kind not in self.__dict__:
            raise AttributeError(f"{what}: call super().__init__() before assigning")
        if not isinstance(name, str):
            raise TypeError(f"{what}: expected a string as name, got {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f"{what}: a name must not be empty nor hold a dot")
        if name not in self.__dict__[kind] and hasattr(self, name):
            raise KeyError(f"{what}: this attribute exists already")
        expected = _KINDS[kind]
        if value is not None and not isinstance(value, expected):
            raise TypeError(
                f"{what}: expected a {expected.__name__} or None, got {type(value).__name__}"
            )
        self.__dict__[kind][name] = value

    def __getattr__(self, name: str) -> Any:
        for kind in _KINDS:
            if name in self.__dict__.get(kind, ()):
                return self.__dict__[kind][name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for kind in _KINDS:
            if name in self.__dict__.get(kind, ()):
                del self.__dict__[kind][name]
                return
        object.__delattr__(self, name)

    def __dir__(self) -> Iterable[str]:
        """What a notebook completes: parts that are no words (a Sequential's "0") are left out."""
        parts = {name for kind in _KINDS for name in self.__dict__.get(kind, ())}
        return [*object.__dir__(self), *filter(str.isidentifier, parts)]

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Make ``param`` a parameter called ``name`` (None: there is none)."""
        self._register("_parameters", name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Make ``tensor`` part of the module's state that is not trained."""
        self._register("_buffers", name, tensor)
        (self._transient.discard if persistent else self._transient.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Make ``module`` a sub-module called ``name``."""
        self._register("_modules", name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """Another name of ``add_module``."""
        self.add_module(name, module)

    # -- parts by their dotted names

    def get_submodule(self, target: str) -> Module:
        """The module at the dotted name ``target``; "" is this one.

        Raises:
            AttributeError: there is none.

        >>> from minigan import nn
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Tanh()))
        >>> net.get_submodule("1.0")
        Tanh()
        """
        module: Any = self
        for name in target.split(".") if target else ():
            inner = module._modules.get(name)
            if inner is None:
                raise AttributeError(
                    f"get_submodule: {type(module).__name__} has no sub-module {name!r} "
                    f"(asked for {target!r})"
                )
            module = inner
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at the dotted name ``target`` (AttributeError: there is none).

        >>> from minigan import nn
        >>> nn.Sequential(nn.Linear(2, 3)).get_parameter("0.bias").shape
        (3,)
        """
        return self._part("get_parameter", "_parameters", target)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at the dotted name ``target`` (AttributeError: there is none)."""
        return self._part("get_buffer", "_buffers", target)

    def _part(self, where: str, kind: str, target: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        part = module.__dict__[kind].get(name)
        if part is None:
            what = kind.strip("_").removesuffix("s")
            raise AttributeError(
                f"{where}: {type(module).__name__} has no {what} {name!r} (asked for {target!r})"
            )
        return part

    # -- walking the tree

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it with their dotted names.

        Args:
            memo: modules to leave out; those that are visited are added.
            prefix: stands before every name.
            remove_duplicate: give a shared module once (False: under each of its names).
        """
        seen: set[Any] = set() if memo is None else memo
        stack: list[tuple[str, Any]] = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if module in seen:
                continue
            if remove_duplicate:
                seen.add(module)
            yield name, module
            children = [(k, m) for k, m in module._modules.items() if m is not None]
            stack += [(f"{name}.{k}" if name else k, m) for k, m in reversed(children)]

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below it."""
        return (m for _, m in self.named_modules(remove_duplicate=remove_duplicate))

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct sub-modules with their names, each once."""
        seen: set[int] = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self) -> Iterator[Module]:
        """The direct sub-modules."""
        return (module for _, module in self.named_children())

    def _named(
        self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        own = [(prefix, self)]
        for path, module in self.named_modules(None, prefix, remove_duplicate) if recurse else own:
            for name, value in module.__dict__[kind].items():
                if value is None or (remove_duplicate and id(value) in seen):
                    continue
                seen.add(id(value))
                yield (f"{path}.{name}" if path else name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Parameters with their dotted names.

        Args:
            prefix: stands before every name.
            recurse: those of the modules below too.
            remove_duplicate: give a shared one once (False: under each of its names).
        """
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, each once."""
        return (value for _, value in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Buffers with their dotted names; arguments as of ``named_parameters``."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers, each once."""
        return (value for _, value in self.named_buffers(recurse=recurse))

    def apply(self, fn: Callable[[Module], None]) -> Module:
        """Call ``fn`` on every module, children first; returns the module."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # -- modes and gradients

    def train(self, mode: bool = True) -> Module:
        """Training (or, with False, evaluation) behaviour for BatchNorm, Dropout, …"""
        if not isinstance(mode, bool):
            raise ValueError(f"train: expected True or False, got {mode!r}")
        self.training = mode
        for child in self.children():  # not self.modules(): a module may define its own train
            child.train(mode)
        return self

    def eval(self) -> Module:
        """Evaluation behaviour."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Ask, or stop asking, for the parameters' gradients."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the parameters' gradients (or make them zero)."""
        for p in self.parameters():
            p.grad = None if set_to_none or p.grad is None else zeros_like(p.grad)

    # -- printing

    def extra_repr(self) -> str:
        """A layer's own settings, for printing."""
        return ""

    def __repr__(self) -> str:
        settings = self.extra_repr()
        lines = settings.split("\n") if settings else []
        if not self._modules and len(lines) < 2:
            return f"{type(self).__name__}({settings})"
        lines += [f"({name}): {module!r}" for name, module in self._modules.items()]
        body = "\n".join(lines).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)"


_KINDS = {"_parameters": Parameter, "_buffers": Tensor, "_modules": Module}
