"""Proofs that were made here before, remembered beside the kernels.

A proof (`check.py`) takes a third of a second between a command and the first word, and nothing that it depends on
changes from one start to the next. So what was proved is kept under a digest of all of that: the weights' identity,
their dtype, this room's own sources, the releases of torch and transformers, the processor and the number of threads.
Whatever is another one, or cannot be read, is proved anew. Only proofs that held are kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from contextlib import suppress
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

import torch

from chatdev.llm.local.fast.build import cache_folder

SOURCES = ("*.py", "*.cpp", "*.h")
CHANGING = ("cpu MHz", "bogomips", "apicid", "initial apicid", "core id", "processor", "physical id")
"""Lines of /proc/cpuinfo that say which core it was, or how busy, and not what it can do."""


class Proofs:
    """What was proved of one model.

    Args:
        identity: tells these weights from all others; empty remembers nothing.
        network: the model, as it is loaded.
    """

    def __init__(self, identity: str, network: Any) -> None:
        self._path: Path | None = None
        self._known: dict[str, float] = {}
        if not identity:
            return
        self._path = cache_folder() / "proofs" / f"{_digest(identity, network)}.json"
        with suppress(OSError, ValueError, AttributeError, TypeError, OverflowError, RecursionError):
            found = json.loads(self._path.read_text(encoding="utf-8"))
            self._known = {str(what): float(value) for what, value in found.items() if 0 <= value < inf}

    def recall(self, what: str) -> float | None:
        """The difference from the model that was measured when `what` was proved; None where it was not."""
        return self._known.get(what)

    def keep(self, what: str, difference: float) -> None:
        """Remember a proof that held. Where nothing can be written, the next start proves again."""
        if self._path is None or self._known.get(what) == difference:
            return
        self._known[what] = difference
        part = self._path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_text(json.dumps(self._known), encoding="utf-8")
            part.replace(self._path)


def _digest(identity: str, network: Any) -> str:
    import transformers

    weight = next(network.parameters())
    parts = [identity, str(weight.dtype), weight.device.type, torch.__version__, transformers.__version__]
    parts += [_processor(), str(torch.get_num_threads())]
    digest = hashlib.sha256("\0".join(parts).encode())
    room = Path(__file__).parents[1]
    for path in sorted(path for kind in SOURCES for path in room.rglob(kind)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


@cache
def _processor() -> str:
    """What the first core is and can do."""
    with suppress(OSError):
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
        return "\n".join(line for line in first.splitlines() if line.partition("\t")[0].strip() not in CHANGING)
    return f"{platform.machine()} {platform.processor()}"
