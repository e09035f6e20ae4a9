"""A dialogue: the turns two agents exchange inside a phase until a conclusion or the turn limit.

The assistant hears the phase's prompt and answers. With more than one turn the instructor, who leads, hears the answer
and replies. Whoever has the turn may end it with a control line of its own (see `conclusion`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from chatdev.chain.agent import Agent, Spoken
from chatdev.chain.brief import Item
from chatdev.chain.conclusion import control_line
from chatdev.chain.context import Context
from chatdev.chain.prompt import CHARS_PER_TOKEN
from chatdev.chain.requests import ROUNDS, wanted
from chatdev.company import Phase
from chatdev.llm.base import SayLimits

DEFAULT_WINDOW = 4096
"""Tokens, where the company leaves the window to the model."""
ENDPOINT_ROOM = 100_000
"""Characters of files in one prompt to an endpoint, whose own window is cut to fit by the client."""


@dataclass(frozen=True)
class Talk:
    """How a dialogue went."""

    agent: Agent
    last: Spoken
    """The assistant's last reply."""
    conclusion: str | None
    """The text after the control line that ended it."""
    transcript: list[tuple[str, str]]
    """(role, text) of everything said, the prompt left out."""


class Dialogue:
    """One phase's conversation at one step of the chain."""

    def __init__(self, ctx: Context, phase: Phase, step: str, names: dict[str, Any], more: str = "") -> None:
        """`names` are the values of this phase besides what it reads: comment, question, dialogue. `more` is said to
        the assistant behind the phase's own prompt."""
        self.ctx, self.phase, self.step, self.names, self._more = ctx, phase, step, names, more
        self.limits = SayLimits(tokens=phase.reply_tokens or ctx.bundle.company.limits.reply_tokens)
        self.assistant = ctx.crew.agent(phase.assistant, step)

    def hold(self, enough: Callable[[Spoken], bool] = lambda spoken: False) -> Talk:
        """Let them talk; returns when somebody concluded, the turns are used up, or the assistant said `enough`."""
        prompt = self.put(self.assistant, self.phase.prompt, self.phase.instructor, self._more)
        transcript: list[tuple[str, str]] = []
        spoken = self._reply(self.assistant, transcript)
        leader = None
        for _ in range(self.phase.turns - 1):
            if control_line(spoken.text) is not None or enough(spoken):
                break
            leader = leader or self._leader(prompt)
            asked = self._lead(leader, spoken, transcript)
            if control_line(asked.text) is not None:
                return Talk(self.assistant, spoken, control_line(asked.text), transcript)
            self.tell(self.assistant, asked.text, self.phase.instructor)
            spoken = self._reply(self.assistant, transcript)
        return Talk(self.assistant, spoken, control_line(spoken.text), transcript)

    def again(self, text: str) -> Spoken:
        """Put a request of the house to the assistant (a faulty block, a missing choice) and hear the answer."""
        self.tell(self.assistant, text, "house")
        return self._reply(self.assistant, [])

    def tell(self, agent: Agent, text: str, by: str) -> None:
        """Let an agent hear a ready text."""
        key = self.ctx.key(f"{self.step}/{agent.name}/told")
        agent.hear(key, self.phase.name, by, lambda: (text, []))

    def put(self, agent: Agent, template: str, by: str, more: str = "") -> str:
        """Render a template of the phase for an agent and let it hear the result, and `more` behind it."""

        def make() -> tuple[str, list[Item]]:
            source = self.ctx.bundle.sources.get(f"phase:{self.phase.name}", self.phase.name)
            text, shown = self.ctx.composer.compose(
                template, str(source), agent, self.phase.reads, self._room(agent), **self._roles(agent), **self.names
            )
            return (f"{text}\n{more.strip()}\n" if more else text), shown

        key = self.ctx.key(f"{self.step}/{agent.name}/told")
        return agent.hear(key, self.phase.name, by, make)

    def _roles(self, agent: Agent) -> dict[str, Any]:
        roles = self.ctx.bundle.roles
        return {
            "role": roles[agent.name],
            "assistant": roles[self.phase.assistant],
            "instructor": roles.get(self.phase.instructor),
        }

    def _reply(self, agent: Agent, transcript: list[tuple[str, str]]) -> Spoken:
        """An agent's answer; before it, the agent may ask for files and is shown them."""
        spoken = self._say(agent, transcript)
        for turn in range(1, ROUNDS + 1):
            asked = wanted(spoken.text)
            if not asked:
                break
            key = self.ctx.key(f"{self.step}/{agent.name}/told")
            requested = partial(self.ctx.composer.requested, asked, self._room(agent) // 2, turn == ROUNDS)
            agent.hear(key, self.phase.name, "house", requested)
            spoken = self._say(agent, transcript)
        return spoken

    def _room(self, agent: Agent) -> int:
        """Characters that files may take in one prompt to an agent."""
        window = self.ctx.bundle.company.stream.window or DEFAULT_WINDOW
        return window * CHARS_PER_TOKEN if self.ctx.crew.keeps(agent.name) else ENDPOINT_ROOM

    def _say(self, agent: Agent, transcript: list[tuple[str, str]]) -> Spoken:
        key = self.ctx.key(f"{self.step}/{agent.name}/said")
        spoken = agent.say(key, self.phase.name, self.limits)
        transcript.append((agent.name, spoken.text))
        return spoken

    def _leader(self, prompt: str) -> Agent:
        """The instructor, who is told what it asked before it hears the first answer."""
        leader = self.ctx.crew.agent(self.phase.instructor, self.step)
        if self.phase.instructor_prompt:
            self.put(leader, self.phase.instructor_prompt, "house")
        else:
            text = self.ctx.words.say("listen", prompt=prompt, **self._titles())
            self.tell(leader, text, "house")
        return leader

    def _lead(self, leader: Agent, answer: Spoken, transcript: list[tuple[str, str]]) -> Spoken:
        self.tell(leader, self.ctx.words.say("answer", text=answer.text, **self._titles()), self.phase.assistant)
        return self._reply(leader, transcript)

    def _titles(self) -> dict[str, str]:
        roles = self.ctx.bundle.roles
        return {
            "assistant": roles[self.phase.assistant].title,
            "instructor": roles[self.phase.instructor].title,
        }
