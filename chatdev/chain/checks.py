"""Checks as steps of a chain, and the conditions that end a loop.

A check asks no model: it looks at the files (`placeholders`) or climbs the ladder (`verify`). Its result is an event,
an artifact that phases can read, and what loop conditions look at.
"""

from __future__ import annotations

from typing import Any

from chatdev.chain.context import Context
from chatdev.chain.views import changed_paths


def verify(ctx: Context, step: str) -> str:
    """Climb the ladder on the files as they are, write `test_report`, and return the verdict."""
    ctx.journal.once(
        "step_started", ctx.key(f"{step}/started"), lambda: {"step": step, "phase": "verify", "title": "Verify"}
    )

    def climb() -> dict[str, Any]:
        ctx.hands.keep(step)
        report = ctx.climb(step)
        return {"step": step, "report": report.to_json(), "for_model": report.for_model()}

    event = ctx.journal.once("checked", ctx.key(f"{step}/checked"), climb)
    ctx.brief.write(ctx.key(f"{step}/artifact:test_report"), "test_report", event["for_model"], "verify")
    ctx.progress.verdict = event["report"]["verdict"]
    still_open = [rung for rung in event["report"]["rungs"] if rung["state"] == "unverified"]
    mendable = bool(still_open) and all(rung.get("mendable") for rung in still_open)
    ctx.progress.blind = ctx.progress.verdict == "unverified" and not mendable
    ctx.progress.fingerprint = event["report"]["fingerprint"]
    ctx.progress.check = str(event.key)
    ctx.progress.checked = True
    return ctx.progress.verdict


def placeholders(ctx: Context, step: str) -> list[str]:
    """List the unfinished places of the files and write the artifact `placeholders`."""

    def look() -> dict[str, Any]:
        from chatdev.software.placeholders import find_placeholders

        texts = ctx.workspace.texts()
        if ctx.brief.has("existing"):  # what was left unfinished before is not this run's to finish
            written = changed_paths(ctx.journal)
            texts = {path: text for path, text in texts.items() if path in written}
        found = find_placeholders(texts)
        return {"found": [f"{one.path}:{one.line} {one.name}: {one.why}" for one in found], "step": step}

    event = ctx.journal.once("looked", ctx.key(f"{step}/looked"), look)
    ctx.brief.write(ctx.key(f"{step}/artifact:placeholders"), "placeholders", "\n".join(event["found"]), "placeholders")
    return list(event["found"])


def holds(ctx: Context, until: str | None, step: str, changes_before_round: int | None) -> bool:
    """Does a loop's `until` hold now?

    Args:
        step: where the question is asked, for the journal.
        changes_before_round: the number of commits before the round that just ended, None within a round.
    """
    progress = ctx.progress
    if until is None:
        return False
    if until == "verified":
        # Where nothing can be run, no repair would change the verdict: going on would only cost.
        return progress.checked and (progress.verdict == "verified" or progress.blind)
    if until == "no_placeholders":
        found, before = placeholders(ctx, f"{step}/until"), progress.placeholders
        progress.placeholders = found
        # What a whole round left exactly as it was is meant to be so; another round would only cost.
        return not found or (changes_before_round is not None and found == before)
    if until == "unchanged":
        return changes_before_round is not None and changes_before_round == progress.changes
    phase, _, what = until.rpartition(".")
    if what == "done":
        return phase in progress.done
    return progress.changed.get(phase) is False
