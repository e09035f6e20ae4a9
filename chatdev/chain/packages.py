"""Packages that nobody here has heard of: a person decides, once for each set of names, whether they are installed."""

from __future__ import annotations

from chatdev.chain.people import Question
from chatdev.chain.table import Table
from chatdev.chain.words import Words

YES = ("yes", "y", "install")
PACKAGES = "packages"
"""The name by which these questions are answered, as those of a phase are by its name."""


def agreed(table: Table, words: Words, step: str, names: list[str]) -> bool:
    """The person's answer, recorded or given now; False where nobody can be asked."""
    key = f"packages/{','.join(names)}/answered"
    if not table.attended and not table.recorded(key):
        return False

    def make() -> Question:
        text = words.say("packages", names=names).strip()
        return Question(step, PACKAGES, "Unknown packages", "question", text, ("comment", "skip", "stop"))

    answer = table.ask(key, make)
    return answer.kind == "comment" and answer.text.strip().lower() in YES
