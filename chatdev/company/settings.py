"""The settings of a company that are not its chain: stream, limits, sampling and sandbox.

Contract: plain values with bounds, each described by the docstring under it. Non-goal: what the numbers do;
the rooms that use them (llm, run, sandbox) say that.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from chatdev.company.fields import Float, Int, Settings, Size, kind_of

__all__ = ["LimitSettings", "SamplingSettings", "SandboxSettings", "StreamSettings"]


def _sinks(value: Any) -> Any:
    if value == "pinned" or (type(value) is int and value >= 0):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 8:
        return int(value)
    raise ValueError(f'expected "pinned" or a number of tokens, found {kind_of(value)}')


class StreamSettings(Settings):
    """How the agents' conversations are kept."""

    scope: Literal["auto", "phase", "run"] = "auto"
    """`run`: one stream for the whole project; `phase`: a fresh chat in every phase; `auto`: the cheaper
    one for the model in use."""
    sinks: Annotated[Literal["pinned"] | Annotated[int, Field(ge=0)], BeforeValidator(_sinks)] = "pinned"
    """Tokens at the head of a stream that are never evicted: `pinned` (system prompt, role and task) or a
    count."""
    window: Annotated[Int, Field(ge=64)] | None = None
    """Tokens a stream keeps, sinks included (local models); null for what the model asks for in its config
    (`stream_window`) or was trained for, up to 4,096."""
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8", "int4"] = "auto"
    """How a local model's weights are held; `auto` chooses by model and machine."""


class LimitSettings(Settings):
    """Where a run stops on purpose; it can be resumed with a higher limit."""

    tokens: Int = Field(default=400_000, ge=1)
    """Tokens read and written in one run."""
    money: Annotated[Float, Field(ge=0)] | None = 1.00
    """US dollars a run may cost; null for no limit."""
    minutes: Float = Field(default=60, gt=0)
    """Wall-clock minutes of one run."""
    reply_tokens: Int = Field(default=4096, ge=1)
    """Tokens of one reply, where the phase does not say otherwise."""
    turns: Int = Field(default=200, ge=1)
    """Replies in one run."""
    file_bytes: Int = Field(default=1_000_000, ge=1)
    """Bytes of one file of the product."""
    files: Int = Field(default=200, ge=1)
    """Files in the product."""
    project_bytes: Int = Field(default=5_000_000, ge=1)
    """Bytes of all files of the product together."""


class SamplingSettings(Settings):
    """How the next token is drawn."""

    temperature: Float = Field(default=0.2, ge=0, le=2)
    """0 always takes the likeliest token."""
    top_p: Float = Field(default=1.0, gt=0, le=1)
    """Draw from the likeliest tokens that together have this probability."""
    top_k: Int = Field(default=0, ge=0)
    """Draw from this many likeliest tokens; 0 for all."""
    repetition_penalty: Float = Field(default=1.0, ge=0.5, le=2)
    """Above 1, tokens that were already used become less likely."""


class SandboxSettings(Settings):
    """Where the product is run and tested, and what it may use there."""

    engine: Literal["auto", "docker", "bubblewrap", "host", "none"] = "auto"
    """`auto` takes Docker, else bubblewrap, else none; `host` runs on this machine unprotected and is never
    chosen by itself; `none` runs nothing, and the verdict is `unverified`."""
    image: str | None = None
    """The container image; null for the engine's own."""
    memory: Size = "512m"
    """Memory, as `512m` or `1g`."""
    cpus: Float = Field(default=1, gt=0)
    """Processor cores."""
    pids: Int = Field(default=128, ge=4)
    """Processes and threads."""
    network: Literal["none"] = "none"
    """Always none: a program under test reaches nothing but itself."""
    seconds: Int = Field(default=60, ge=1)
    """Seconds one check may take."""
    start_seconds: Float = Field(default=6, gt=0)
    """Seconds a program is watched after its start."""
    runtime: str | None = None
    """The container runtime, such as `runsc`; null for Docker's default."""
    disk: Size = "256m"
    """Size of the writable scratch space."""
