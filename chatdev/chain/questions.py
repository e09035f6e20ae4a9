"""Questions of the agents to the person, answers that become part of the task, and the person in a role's chair.

What the person says is told to every agent with the task, at the pinned head of its stream: nobody has to remember it.
Where nobody is there to ask, the phase costs nothing.
"""

from __future__ import annotations

import re

from chatdev.chain.conclusion import is_done, own_lines
from chatdev.chain.context import Context
from chatdev.chain.dialogue import Dialogue
from chatdev.chain.people import Question
from chatdev.chain.table import Table
from chatdev.company import CompanyBundle, Phase
from chatdev.llm.by_hand import Page

LONGEST = 400
"""Characters of one question."""
_MARK = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.):])\s+")


def questions_of(reply: str, most: int) -> list[str]:
    """The lines of a reply that ask something, without their numbers; each once."""
    lines = (_MARK.sub("", line).strip().strip("*_").strip() for line in own_lines(reply))
    found = [line[:LONGEST] for line in lines if line.endswith("?")]
    return list(dict.fromkeys(found))[:most]


def clarify(ctx: Context, phase: Phase, step: str) -> bool:
    """Let the assistant ask, the person answer, and everybody know; returns whether nothing had to be asked."""
    there = ctx.journal.once(
        "attended", ctx.key(f"{step}/attended"), lambda: {"person": ctx.table.occupied, "step": step}
    )
    if not there["person"]:
        key = ctx.key(f"{step}/notice")
        text = f'nobody is there to answer: "{phase.title}" is passed over'
        ctx.journal.once("notice", key, lambda: {"text": text, "step": step})
        return True
    talk = Dialogue(ctx, phase, step, {}).hold()
    done = is_done(talk.last.text, phase.done_when)
    asked = [] if done else questions_of(talk.last.text, phase.questions)
    answers = [(one, answer) for one in asked if (answer := _answer(ctx, phase, step, one))]
    if answers:
        values = [{"question": question, "answer": answer} for question, answer in answers]
        _tell(ctx, phase, step, ctx.words.say("answers", answers=values))
    return done or not asked


def _answer(ctx: Context, phase: Phase, step: str, question: str) -> str:
    """The person's words; empty when they leave it open."""

    def make() -> Question:
        return Question(step, phase.name, phase.title, "question", question, ("comment", "skip", "stop"))

    answer = ctx.table.ask(ctx.key(f"{step}/answered"), make)
    return answer.text.strip() if answer.kind == "comment" else ""


def _tell(ctx: Context, phase: Phase, step: str, text: str) -> None:
    """Make the answers part of the task."""
    task = f"{ctx.brief.text('task')}\n\n{text.strip()}"
    ctx.brief.write(ctx.key(f"{step}/artifact:task"), "task", task, "human")
    for agent in ctx.crew.learn(task):
        key = ctx.key(f"{step}/{agent.name}/told")
        agent.hear(key, phase.name, "human", lambda: (text, []))


def chair(table: Table, bundle: CompanyBundle, page: Page) -> str:
    """Lay what an agent is told before the person who sits in its chair, and return what they say."""
    step, _, rest = page.key.partition("/")
    role = rest.partition("/")[0]

    def make() -> Question:
        title = f"You are the {bundle.roles[role].title}"
        return Question(step, page.phase, title, "question", page.new, ("comment", "stop"))

    return table.ask(f"{page.key}/answered", make).text
