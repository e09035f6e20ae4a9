"""The sink-cache engine: endless dialogues with a local model at constant memory and constant time per token.

    from chatdev.llm.local import SinkCache, open_local

Names are imported when they are used, so that nothing here costs the command line an import of torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatdev.llm.local.cache import SinkCache
    from chatdev.llm.local.load import open_local
    from chatdev.llm.local.model import LocalModel, Settings
    from chatdev.llm.local.rope import UnsupportedModelError

_HOMES = {
    "LocalModel": "model",
    "Settings": "model",
    "SinkCache": "cache",
    "UnsupportedModelError": "rope",
    "open_local": "load",
}

__all__ = ["LocalModel", "Settings", "SinkCache", "UnsupportedModelError", "open_local"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
