"""The sink-cache engine: endless dialogues with a local model at constant memory and constant time per token.

    from chatdev.llm.local import SinkCache, open_local

Names are imported when they are used, so that nothing here costs the command line an import of torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatdev.llm.local.cache import SinkCache
    from chatdev.llm.local.rope import UnsupportedModelError

_HOMES = {
    "SinkCache": "chatdev.llm.local.cache",
    "UnsupportedModelError": "chatdev.llm.local.rope",
}

__all__ = ["SinkCache", "UnsupportedModelError"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
