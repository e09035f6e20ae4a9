"""Snapshots of local streams: one safetensors file, tensors and a header that says what they belong to.

A snapshot fits a stream that was opened in the same way on the same model: name, revision, dtype, tokenizer, window
and head are compared, and the tokens carry a hash. Anything else, a damaged file included, is refused with one
notice, and the caller feeds the text again. Nothing is unpickled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from chatdev.llm.local.memory import SinkMemory
from chatdev.llm.local.window import Window

if TYPE_CHECKING:
    from chatdev.llm.local.layer import SinkLayer
    from chatdev.llm.local.stream import LocalStream

FORMAT = "2"
_STATE = ("seen", "evicted", "offset", "start", "capacity")


def save(stream: LocalStream, path: Path) -> None:
    """Write the snapshot, whole or not at all."""
    from safetensors.torch import save_file

    tensors: dict[str, Tensor] = {"tape": torch.tensor(stream.tape.ids, dtype=torch.int64)}
    memory = stream.memory
    kept = isinstance(memory, SinkMemory) and memory.can_rewind
    if isinstance(memory, SinkMemory) and kept:
        for i, layer in enumerate(memory.cache.sink_layers):
            if layer.is_initialized:
                keys, values = layer.view()
                tensors[f"{i}.keys"], tensors[f"{i}.values"] = keys.contiguous(), values.contiguous()
                if layer.pristine is not None:
                    tensors[f"{i}.pristine"] = layer.pristine.contiguous()
    header = {
        **_belongs(stream),
        "tokens": _hash(stream.tape.ids),
        "state": json.dumps({k: v for k, v in asdict(memory.plan).items() if k in _STATE} if kept else None),
        "tape_start": str(stream.tape.start),
        "last": stream.last,
        "drafts": json.dumps(stream.lookup.state() if stream.lookup is not None else None),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        save_file(tensors, temporary, metadata=header)
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load(stream: LocalStream, path: Path) -> bool:
    """Restore into a stream that has heard nothing yet or is to forget what it heard."""
    if not path.is_file():
        return False
    try:
        header, tensors = _read(path, stream)
        problem = _mismatch(stream, header, tensors)
        if not problem:
            _restore(stream, header, tensors)
            return True
    except Exception as error:  # noqa: BLE001  (whatever a damaged file leads to, the text is fed again)
        problem = f"it cannot be read ({' '.join(str(error).split())[:120] or type(error).__name__})"
    stream.model.notice(f"the snapshot {path.name} does not fit: {problem}; the text is fed again")
    return False


def _read(path: Path, stream: LocalStream) -> tuple[dict[str, str], dict[str, Tensor]]:
    from safetensors import safe_open

    device = str(stream.model.network.device)
    with safe_open(path, framework="pt", device=device) as file:
        return dict(file.metadata() or {}), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _belongs(stream: LocalStream) -> dict[str, str]:
    model, plan = stream.model, stream.memory.plan
    return {
        "format": FORMAT,
        "model": model.name,
        "revision": model.revision,
        "dtype": str(model.network.dtype),
        "tokenizer": _tokenizer_hash(model),
        "window": f"{plan.sinks}+{plan.window}, block {plan.block}, limit {plan.limit}",
        "head": _hash(stream.head),
    }


def _mismatch(stream: LocalStream, header: dict[str, str], tensors: dict[str, Tensor]) -> str:
    for key, ours in _belongs(stream).items():
        if header.get(key) != ours:
            return f"another {key}"
    if _hash(tensors["tape"].tolist()) != header["tokens"]:
        return "its tokens are damaged"
    if json.loads(header["state"]) is None:
        return "this kind of model keeps no snapshot of its keys"
    return ""


def _restore(stream: LocalStream, header: dict[str, str], tensors: dict[str, Tensor]) -> None:
    """Build everything first, so that a failure changes nothing."""
    model = stream.model
    tape = stream.tape.copy()
    tape.ids, tape.start = tensors["tape"].tolist(), int(header["tape_start"])
    memory = model.new_memory(stream.head, tape)
    assert isinstance(memory, SinkMemory)
    state = {key: int(json.loads(header["state"])[key]) for key in _STATE}
    _check_state(memory.plan, state, tape.total)
    for key, value in state.items():
        setattr(memory.plan, key, value)
    for i, layer in enumerate(memory.cache.sink_layers):
        if state["seen"]:
            _fill(layer, tensors, i)
    last = header["last"]
    if last not in ("head", "heard", "said"):
        raise ValueError(f"unknown state {last!r}")
    lookup = stream.lookup.copy(tape) if stream.lookup is not None else None
    drafts = json.loads(header["drafts"])
    if lookup is not None and drafts is not None:
        lookup.restore(drafts)
    stream.tape, stream.memory, stream.lookup, stream.last = tape, memory, lookup, last  # type: ignore[assignment]
    stream.forget_reply()


def _check_state(plan: Window, state: dict[str, int], total: int) -> None:
    held = state["seen"] - state["evicted"]
    sound = (
        0 <= state["evicted"] <= state["seen"] <= total
        and 0 <= state["offset"] <= state["evicted"]
        and state["start"] >= 0
        and state["start"] + held <= state["capacity"] <= 4 * plan.standard + held
    )
    if not sound:
        raise ValueError("its counts contradict each other")


def _fill(layer: SinkLayer, tensors: dict[str, Tensor], index: int) -> None:
    keys, values = tensors[f"{index}.keys"], tensors[f"{index}.values"]
    window = layer.window
    if keys.shape[2] != window.held or values.shape[2] != window.held:
        raise ValueError("its tensors have another length than its header says")
    layer.lazy_initialization(keys, values)
    held = slice(window.start, window.start + window.held)
    layer.keys[:, :, held], layer.values[:, :, held] = keys, values
    layer.pristine = tensors.get(f"{index}.pristine")
    if window.evicted and window.sinks and layer.pristine is None:
        raise ValueError("its sinks are missing")


def _hash(ids: Sequence[int]) -> str:
    return blake2b(" ".join(map(str, ids)).encode(), digest_size=16).hexdigest()


def _tokenizer_hash(model: Any) -> str:
    cached: str | None = getattr(model, "tokenizer_hash", None)
    if cached is None:
        vocabulary = sorted(model.tokenizer.get_vocab().items(), key=lambda item: item[1])
        text = json.dumps([vocabulary, asdict(model.chat)], ensure_ascii=False)
        cached = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        model.tokenizer_hash = cached
    return cached
