"""What a prompt can name without any phase having written it, and the checks that a chain can hold.

Contract: the one table of built-in words. The linter, the schema export and the documents read it; adding a
word here is half of adding it (the chain room is the other half).
"""

from __future__ import annotations

BUILT_IN: dict[str, str] = {
    "task": "What the person asked for, word for word.",
    "pieces": "The task in numbered pieces, one line each; empty when the task is long.",
    "background": "What every agent is told about the company.",
    "gui": "A sentence asking for a graphical interface; empty when the company does not want one.",
    "files": "The files of the product as they are now.",
    "sources": "The files of the product without its tests.",
    "tests": "The tests of the product.",
    "interfaces": "What the program offers to its callers: names, signatures and first docstring lines, no bodies.",
    "suspects": "The files that the last test report speaks of; all of them when it names none.",
    "reviewed": "The files that the last review speaks of; all of them when it names none.",
    "planned": "The files that the artifact `plan` names; all of them when it names none.",
    "changed": "The files that the run has changed so far; all of them when it has changed none.",
    "imports": "The packages a Python product needs; empty where other languages are used.",
    "changes": "What was changed in the files since this agent last saw them.",
    "placeholders": "Places in the files that are still unfinished; kept current after every change.",
    "existing": "Says what the run started from when it was an existing folder; empty otherwise.",
}
"""Present in every run from the start, whatever the chain."""

FROM_CHECKS: dict[str, str] = {
    "test_report": "What the checks of `verify` found, with the evidence.",
}
"""Written by a check; a phase may read it only after that check."""

LOCAL: dict[str, str] = {
    "comment": "What the person said; only in a phase whose instructor is `human`.",
    "question": "What the reflection has to answer; only in the reflection phase.",
    "dialogue": "The dialogue that ended without a conclusion; only in the reflection phase.",
}
"""Present inside one kind of phase only."""

PROMPT_NAMES: dict[str, str] = {
    "role": "Who is spoken to: `role.name` and `role.title`.",
    "instructor": "The phase's instructor: `instructor.name` and `instructor.title`.",
    "assistant": "The phase's assistant: `assistant.name` and `assistant.title`.",
}
"""Known in every phase's prompts without being listed in `reads`."""

ROLE_NAMES: dict[str, str] = {
    "task": BUILT_IN["task"],
    "background": BUILT_IN["background"],
    "role": "The role itself: `role.name` and `role.title`.",
}
"""Known in a role's prompt."""

CHECKS: dict[str, str] = {
    "verify": "Climbs the ladder (parse, import, start, tests, acceptance tests) and writes `test_report`.",
    "placeholders": "Looks for unfinished places in the files and writes `placeholders`.",
}
"""Steps that no model takes part in, with what they do."""

CONDITIONS: dict[str, str] = {
    "verified": "The last `verify` passed and no file has changed since.",
    "no_placeholders": "No unfinished place is left in the files.",
    "unchanged": "A whole round changed no file.",
    "<phase>.done": "That phase's reply had its `done_when` line, or the person had nothing more to say.",
    "<phase>.unchanged": "That phase changed no file when it last ran.",
}
"""What a loop's `until` may say."""

PRODUCTS = frozenset({"files", "pictures"})
"""Artifacts that are part of the product: they need no reader."""

HUMAN = "human"
"""The word that stands in `instructor` for the person at the keyboard."""
