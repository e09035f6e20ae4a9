"""Importing transformers without what a stream never uses.

Its models import torch's tensors over several machines, torch's compiler and sympy, for decorators and for ways of
computing that no stream goes: more than half of the seconds between a command and the first word. While transformers'
common modules are imported and weights are loaded, a few names stand in for them. torch itself stays whole: who wants
its compiler afterwards imports the real one, and who asks a stand-in for more gets it at once.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

from chatdev.llm.local.exports import remembered

COMMON = ("transformers.modeling_layers", "transformers.masking_utils", "transformers.generation.utils")
"""What every model's own module imports."""


def import_transformers() -> None:
    """Import torch, and of transformers what all models share. Where a release of transformers asks for more than is
    stood in for, what is missing is imported as usual when it is needed."""
    if COMMON[0] in sys.modules:
        return
    with _for_good():
        import torch  # noqa: F401 - before anything stands in for its parts

        with remembered(), _on_one_machine(), stood_in(), suppress(ImportError, AttributeError):
            for name in COMMON:
                import_module(name)


def import_quietly() -> None:
    """The same, and transformers shows no bars and warnings of its own: our screens tell how far loading is and what a
    person should know; those of others would tear them."""
    import_transformers()
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


@contextmanager
def _for_good() -> Iterator[None]:
    """What is imported meanwhile stays: nobody looks for garbage in it, now or later. Looking takes half a second
    before the first word."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


@contextmanager
def _on_one_machine() -> Iterator[None]:
    """transformers asks once whether torch can be distributed, and keeps the answer."""
    import torch

    asked = import_module("transformers.utils.import_utils").is_torch_distributed_available
    with _instead(torch.distributed, "is_available", lambda: False):
        with suppress(AttributeError):
            asked.cache_clear()
        asked()
        yield


@contextmanager
def stood_in() -> Iterator[None]:
    """Decorators that tell the compiler something leave a function as it is, and shapes of tensors are plain numbers.

    Embeddings are not drawn, as they are read from a file. What is loaded already is left alone.
    """
    import torch

    ours = {name: _StandIn(name, holds) for name, holds in STAND_INS.items() if name not in sys.modules}
    sys.modules.update(ours)
    try:
        with _instead(torch.compiler, "disable", _same), _instead(torch.nn.Embedding, "reset_parameters", _same):
            yield
    finally:
        _take_away(ours.values())


class _StandIn(ModuleType):
    """A module with a name or two. Who asks for more gets the real one."""

    def __init__(self, name: str, holds: dict[str, Any]) -> None:
        super().__init__(name)
        vars(self).update(holds)
        parent = name.rpartition(".")[0]
        spec = PathFinder.find_spec(name, sys.modules[parent].__path__ if parent in sys.modules else None)
        if spec is not None and spec.submodule_search_locations is not None:
            self.__path__ = list(spec.submodule_search_locations)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        _take_away([one for one in list(sys.modules.values()) if isinstance(one, _StandIn)])
        real = import_module(self.__name__)
        vars(self).update(vars(real))  # who took this one for a module keeps it
        return getattr(real, name)


def _take_away(modules: Iterable[ModuleType]) -> None:
    for module in modules:
        if sys.modules.get(module.__name__) is module:
            del sys.modules[module.__name__]


@contextmanager
def _instead(owner: Any, name: str, other: Any) -> Iterator[None]:
    real = getattr(owner, name)
    setattr(owner, name, other)
    try:
        yield
    finally:
        setattr(owner, name, real)


def _same(function: Callable[..., Any] | None = None, *_: object, **__: object) -> Any:
    return function if function is not None else _same


def _as_it_is(answer: Any, *_: object, **__: object) -> Any:
    return answer


def _always(_: object) -> bool:
    return True


def _never(_: object) -> bool:
    return False


def _equal(one: Any, other: Any) -> bool:
    lists = isinstance(one, (list, tuple)) and isinstance(other, (list, tuple))
    return list(one) == list(other) if lists else bool(one == other)


def _all(*answers: bool) -> bool:
    return all(answers)


def _any(*answers: bool) -> bool:
    return any(answers)


class _Later:
    """`TransformGetItemToIndex`, imported where a mask needs it."""

    def __enter__(self) -> Any:
        self.real = import_module(ITEMS).TransformGetItemToIndex()
        return self.real.__enter__()

    def __exit__(self, *error: object) -> Any:
        return self.real.__exit__(*error)


class _Formula:
    """`sympy.Basic`: nothing is one."""


ITEMS = "torch._dynamo._trace_wrapped_higher_order_op"
STAND_INS: dict[str, dict[str, Any]] = {
    "torch._dynamo": {"assume_constant_result": _same, "allow_in_graph": _same, "disable": _same},
    ITEMS: {"TransformGetItemToIndex": _Later},
    "torch.fx.experimental.symbolic_shapes": {
        **dict.fromkeys(("expect_true", "statically_known_true", "guard_size_oblivious"), _as_it_is),
        **dict.fromkeys(("guard_or_false", "guard_or_true", "guarding_hint_or_throw"), _as_it_is),
        "has_guarding_hint": _always,
        "is_nested_int": _never,
        "sym_eq": _equal,
        "sym_and": _all,
        "sym_or": _any,
    },
    "sympy": {"Basic": _Formula},
}
