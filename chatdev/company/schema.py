"""Role, phase and company: the three kinds of YAML files, typed.

Contract: pydantic models with a docstring under each field (they become the descriptions in the JSON
Schemas). What can be said of one file by itself is checked here; what needs the other files is the
linter's. Non-goals: reading files (`loader`), wording of errors (`messages`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from chatdev.company.fields import Artifacts, Bool, Globs, Int, Name, Settings, kind_of, quoted
from chatdev.company.settings import LimitSettings, SamplingSettings, SandboxSettings, StreamSettings
from chatdev.company.steps import CheckStep, Loop, LoopStep, PhaseStep, Step, every_step

__all__ = [
    "CheckStep",
    "Company",
    "LimitSettings",
    "Loop",
    "LoopStep",
    "Phase",
    "PhaseStep",
    "Role",
    "RoleUse",
    "SamplingSettings",
    "SandboxSettings",
    "Step",
    "StreamSettings",
    "every_step",
]


class Role(Settings):
    """Who an agent is."""

    name: Name = ""
    """How companies and phases refer to the role; the file's name without `.yaml` when not given."""
    title: str = ""
    """What people and other agents call the role, such as "Chief Technology Officer"; made from the name
    when not given."""
    model: str | None = None
    """The model this role uses; null for the company's."""
    prompt: str = Field(min_length=1)
    """The system prompt: a jinja2 template that sees `task`, `background` and `role`."""

    @model_validator(mode="after")
    def _titled(self) -> Role:
        self.title = self.title or titled(self.name)
        return self


class Phase(Settings):
    """What two agents settle between them: who speaks, what they read, what they must produce."""

    name: Name = ""
    """How a chain refers to the phase; the file's name without `.yaml` when not given."""
    title: str = ""
    """Shown to people; made from the name when not given."""
    instructor: Name
    """The role that asks, or `human`: a person's comment is asked for and becomes the artifact `comment`."""
    assistant: Name
    """The role that answers and whose answer is the conclusion."""
    reads: Artifacts = Field(default_factory=list)
    """The artifacts that the prompts may name."""
    writes: Artifacts = Field(default_factory=list)
    """The artifact or artifacts that the conclusion becomes; with `line` a second one holds what is said besides it."""
    turns: Int = Field(default=1, ge=1, le=100)
    """Replies of the assistant at most; above 1 the instructor answers in between."""
    conclusion: Literal["text", "line", "files", "yaml", "pictures", "answers"] = "text"
    """What the reply is read as: the whole text, the line after `<INFO>`, files, a YAML mapping of the
    artifacts written, pictures, or questions to the person, whose answers become part of the task (the phase is
    passed over where nobody is there)."""
    questions: Int = Field(default=5, ge=1, le=20)
    """Questions that the person is asked at most (conclusion: answers)."""
    done_when: str | None = None
    """A control line, such as `<INFO> Finished`: when the assistant says it, the condition `<phase>.done`
    holds."""
    stop_when: str | None = None
    """A control line, such as `<INFO> Unknown`, by which the assistant says that it cannot do the task: the run stops
    there, not verified; resumed, it asks again."""
    choices: list[str] = Field(default_factory=list)
    """The conclusion must be one of these, whatever the case of its letters (conclusion: line)."""
    default: str | None = None
    """The conclusion when none was reached, not even by reflection."""
    reflect: str | None = None
    """The question put to the reflection phase when the dialogue ends with no conclusion; plain text."""
    reask: Int = Field(default=1, ge=0, le=5)
    """How many times a reply with faulty blocks goes back with the exact error."""
    reply_tokens: Annotated[Int, Field(ge=1)] | None = None
    """Tokens of one reply; null for the company's limit."""
    only: Globs | None = None
    """Globs of the file paths the phase may write, such as `tests/*`; null for all."""
    never: Globs = Field(default_factory=list)
    """Globs of file paths the phase may not write."""
    prompt: str = Field(min_length=1)
    """What the assistant is asked: a jinja2 template that sees what `reads` lists."""
    instructor_prompt: str | None = None
    """What the instructor is told in a dialogue of more than one turn (a jinja2 template)."""

    @model_validator(mode="after")
    def _titled(self) -> Phase:
        self.title = self.title or titled(self.name)
        return self


class RoleUse(Settings):
    """What is different about a role in this company."""

    model: str | None = None
    """The model this role uses here."""


def _roles(value: Any) -> Any:
    if isinstance(value, list):
        for number, name in enumerate(value):
            if not isinstance(name, str):
                raise ValueError(f"expected role names, found {kind_of(name)}")
            if name in value[:number]:
                raise ValueError(f"{quoted(name)} is listed twice")
        return {name: {} for name in value}
    if isinstance(value, dict):
        return {name: {} if use is None else use for name, use in value.items()}
    raise ValueError(f"expected a list of role names or a mapping from name to settings, found {kind_of(value)}")


def _review(value: Any) -> Any:
    if isinstance(value, list):
        for name in value:
            if not isinstance(name, str):
                raise ValueError(f"expected names of phases, found {kind_of(name)}")
        return value or "none"
    if value in ("none", "all"):
        return value
    if value is None:
        return "none"
    raise ValueError(f'expected "none", "all" or a list of phases, found {kind_of(value)}')


_ROLES_SCHEMA = {
    "anyOf": [
        {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        {
            "type": "object",
            "additionalProperties": {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {"model": {"type": ["string", "null"]}},
                        "additionalProperties": False,
                    },
                    {"type": "null"},
                ]
            },
        },
    ]
}


class Company(Settings):
    """Which roles work in which order, with which model and within which limits."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")] = ""
    """The company's name; the file's name without `.yaml` when not given."""
    description: str = ""
    """One sentence for people who choose a company."""
    extends: str | None = None
    """Another company, by name or file, whose settings hold where this one says nothing: mappings are
    merged, the chain and other lists are replaced as a whole."""
    model: str = "auto"
    """`auto`, `apprentice`, `hf:<id or folder>`, `openai:<name>`, `scripted:<name or file>`,
    `mailbox:<folder>` or `human`."""
    background: str = ""
    """What every agent is told about the company."""
    gui: Bool = True
    """Ask for a graphical interface where the task leaves it open."""
    roles: Annotated[dict[Name, RoleUse], BeforeValidator(_roles), WithJsonSchema(_ROLES_SCHEMA)] = Field(min_length=1)
    """The roles that work here: a list of names, or a mapping from name to what is different here."""
    stream: StreamSettings = Field(default_factory=StreamSettings)
    """How the agents' conversations are kept."""
    limits: LimitSettings = Field(default_factory=LimitSettings)
    """Where a run stops on purpose."""
    sampling: SamplingSettings = Field(default_factory=SamplingSettings)
    """How the next token is drawn."""
    sandbox: SandboxSettings = Field(default_factory=SandboxSettings)
    """Where the product is run and tested."""
    accept: str | None = None
    """A file or folder of acceptance tests that the product must pass too."""
    review: Annotated[Literal["none", "all"] | list[str], BeforeValidator(_review)] = "none"
    """Phases whose result a person signs off: `none`, `all` or a list of phases."""
    reflection: Name | None = "reflection"
    """The phase that finds the conclusion when a dialogue ended without one; used only where a phase has
    `reflect`. Null: never."""
    chain: list[Step] = Field(min_length=1)
    """What happens, in order: names of phases and checks, phases with settings, and loops."""


def titled(name: str) -> str:
    """`code_review` → "Code review"."""
    words = name.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]
