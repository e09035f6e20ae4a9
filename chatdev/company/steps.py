"""The steps of a chain: a phase, a check, or a loop of steps.

Contract: YAML may write a step as a bare name; here every step is one of three typed objects, so that
readers never guess. A bare name that is a check's becomes a `CheckStep`, any other a `PhaseStep`; whether
such a phase exists is for the linter to say. Steps are written back in their shortest form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
)

from chatdev.company.artifacts import CHECKS
from chatdev.company.fields import Int, Name, Settings, kind_of, quoted

if TYPE_CHECKING:
    from chatdev.company.schema import Phase


class PhaseStep(Settings):
    """A phase in the chain, with what is different about it here."""

    phase: Name
    """The phase's name."""
    title: str | None = None
    """Shown instead of the phase's own title."""
    turns: Annotated[Int, Field(ge=1, le=100)] | None = None
    """Instead of the phase's own turns."""
    reask: Annotated[Int, Field(ge=0, le=5)] | None = None
    """Instead of the phase's own reask."""
    reply_tokens: Annotated[Int, Field(ge=1)] | None = None
    """Instead of the phase's own reply_tokens."""

    def applied(self, phase: Phase) -> Phase:
        """`phase` as it runs at this step: a copy with this step's overrides."""
        changed = {k: v for k, v in self if k != "phase" and v is not None}
        return phase.model_copy(update=changed) if changed else phase

    @model_serializer(mode="wrap")
    def _shortest(self, handler: SerializerFunctionWrapHandler) -> Any:
        full = {k: v for k, v in handler(self).items() if v is not None}
        return self.phase if len(full) == 1 and self.phase not in CHECKS else full


class CheckStep(Settings):
    """A check that the framework makes by itself; no model is asked."""

    check: Literal["verify", "placeholders"]
    """The check's name."""

    @model_serializer
    def _shortest(self) -> str:
        return self.check


class Loop(Settings):
    """Steps that are repeated until a condition holds."""

    name: Name
    """Shown to people and kept in the journal."""
    times: Int = Field(ge=1, le=1000)
    """Rounds at most."""
    until: str | None = None
    """`verified`, `no_placeholders`, `unchanged` (a whole round changed no file), `<phase>.done` or
    `<phase>.unchanged`; tested before each step in the loop. Null: always all rounds."""
    do: list[Step] = Field(min_length=1)
    """The steps of one round; loops may hold loops."""


class LoopStep(Settings):
    """A loop in the chain."""

    loop: Loop
    """What is repeated."""


def _spelled_out(value: Any) -> Any:
    if isinstance(value, str):
        return {"check": value} if value in CHECKS else {"phase": value}
    return value


def _form(value: Any) -> str:
    """The discriminator: which form of a step this is. Tags hold a colon, so none can be taken for a key."""
    if isinstance(value, PhaseStep | CheckStep | LoopStep):
        return next(tag for tag, form in STEP_TAGS.items() if isinstance(value, form))
    if isinstance(value, dict):
        for key in ("loop", "check", "phase"):
            if key in value:
                return f"step:{key}"
    found = ", ".join(quoted(str(k)) for k in value) if isinstance(value, dict) and value else kind_of(value)
    raise ValueError(f"a step is the name of a phase or check, or has the key `phase` or `loop`; found {found}")


def _checked(value: Any) -> Any:
    spelled = _spelled_out(value)
    _form(spelled)
    return spelled


Step = Annotated[
    Annotated[PhaseStep, Tag("step:phase")]
    | Annotated[CheckStep, Tag("step:check")]
    | Annotated[LoopStep, Tag("step:loop")],
    Discriminator(_form),
    BeforeValidator(_checked),
]

Loop.model_rebuild()

STEP_TAGS: dict[str, type[Settings]] = {
    "step:phase": PhaseStep,
    "step:check": CheckStep,
    "step:loop": LoopStep,
}
"""The forms of a step by the tags that stand for them in a validator's findings."""


AnyStep = PhaseStep | CheckStep | LoopStep


def every_step(steps: Sequence[AnyStep]) -> Iterator[AnyStep]:
    """All steps in chain order; a loop comes before what it holds."""
    for step in steps:
        yield step
        if isinstance(step, LoopStep):
            yield from every_step(step.loop.do)
