"""What a run would do and cost, as far as that can be known without asking a model.

Prompts are rendered with what is known before the first reply; files that do not exist yet count with a typical size.
Loops are counted twice: with no round (everything right at once) and with all rounds. Characters are counted as a
quarter of a token, so the numbers are a guide, not a bill.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from chatdev.chain.crew import Crew, model_name
from chatdev.chain.pieces import numbered
from chatdev.company import CompanyBundle, Phase
from chatdev.company.steps import CheckStep, LoopStep, PhaseStep
from chatdev.errors import UserError
from chatdev.llm.prices import Price, PriceTable
from chatdev.llm.select import resolve

CHARS_PER_TOKEN = 4
TYPICAL_FILES = 1500
"""Tokens of a small product's files, wherever a phase reads or writes them."""
TYPICAL_REPLY = {"line": 60, "text": 150, "yaml": 200, "files": TYPICAL_FILES, "pictures": 120, "answers": 90}


@dataclass(frozen=True)
class PlannedStep:
    """One line of the plan."""

    path: str
    depth: int
    what: str
    prompt_tokens: int = 0
    reply_tokens: int = 0
    least: int = 1
    """How often it runs when everything is right at once."""
    most: int = 1
    """How often it runs when every loop is used up."""


@dataclass
class Plan:
    """The whole plan of a run."""

    company: str
    models: dict[str, str]
    steps: list[PlannedStep] = field(default_factory=list)

    def tokens(self, most: bool) -> tuple[int, int]:
        """(prompt, reply) tokens of the cheapest or the dearest way through."""
        times = [(step.most if most else step.least, step) for step in self.steps]
        return (
            sum(n * step.prompt_tokens for n, step in times),
            sum(n * step.reply_tokens for n, step in times),
        )

    def money(self, most: bool) -> float | None:
        """US dollars, None when a model's price is not known."""
        prices = [_price(name) for name in sorted(set(self.models.values()))]
        known = [price for price in prices if price is not None]
        if len(known) < len(prices) or not known:
            return None
        prompt, reply = self.tokens(most)
        return max((prompt * price.input + reply * price.output) / 1e6 for price in known)

    def to_json(self) -> dict[str, Any]:
        least, most = self.tokens(False), self.tokens(True)
        return {
            "company": self.company,
            "models": self.models,
            "steps": [asdict(step) for step in self.steps],
            "tokens": {"least": sum(least), "most": sum(most)},
            "money": {"least": self.money(False), "most": self.money(True)},
        }


def _price(name: str) -> Price | None:
    """The price of a model by its full name; what runs here or is played back costs nothing."""
    scheme, _, model = name.partition(":")
    return PriceTable.load().of(model) if scheme == "openai" else Price(0.0, 0.0, 0.0) if "(" not in name else None


def plan(bundle: CompanyBundle, task: str) -> Plan:
    """Work out a company's plan for a task; opens no model and writes nothing."""
    models = {role: _named(bundle, role) for role in bundle.used_roles()}
    made = Plan(bundle.company.name, models)
    _steps(made, bundle, task, bundle.company.chain, "", 0, 1, 1)
    return made


def _named(bundle: CompanyBundle, role: str) -> str:
    name = model_name(bundle, role)
    try:
        return resolve(name)
    except UserError:
        return f"{name} (not set up)"


def _steps(
    made: Plan,
    bundle: CompanyBundle,
    task: str,
    steps: Sequence[PhaseStep | CheckStep | LoopStep],
    under: str,
    depth: int,
    least: int,
    most: int,
) -> None:
    for number, step in enumerate(steps):
        if isinstance(step, LoopStep):
            loop = step.loop
            path = f"{under}{loop.name}"
            until = f" until {loop.until}" if loop.until else ""
            made.steps.append(PlannedStep(path, depth, f"loop, at most {loop.times} rounds{until}", 0, 0, 0, 0))
            # A condition on a phase of the loop needs its first step at least; so does `verified`.
            inner = 0 if loop.until == "no_placeholders" else least
            _steps(made, bundle, task, loop.do, f"{path}.", depth + 1, inner, most * loop.times)
            continue
        once = least if number == 0 or depth == 0 else 0
        if isinstance(step, CheckStep):
            made.steps.append(PlannedStep(f"{under}{step.check}", depth, "check, no model", 0, 0, once, most))
            continue
        phase = step.applied(bundle.phases[step.phase])
        prompt, reply = _sizes(bundle, phase, task)
        who = f"{phase.instructor} -> {phase.assistant}"
        made.steps.append(PlannedStep(f"{under}{phase.name}", depth, who, prompt, reply, once, most))


def _sizes(bundle: CompanyBundle, phase: Phase, task: str) -> tuple[int, int]:
    head = Crew.head_of(bundle, phase.assistant, task)
    text = len(head) + len(phase.prompt) + (len(numbered(task)) if "pieces" in phase.reads else 0)
    whole = {"files", "sources", "suspects", "reviewed"} & set(phase.reads)
    files = TYPICAL_FILES if whole else TYPICAL_FILES // 5 if "interfaces" in phase.reads else 0
    limit = phase.reply_tokens or bundle.company.limits.reply_tokens
    return text // CHARS_PER_TOKEN + files, min(limit, TYPICAL_REPLY[phase.conclusion])
