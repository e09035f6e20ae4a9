"""`show --costs`: what a run has spent, by role and by phase."""

from __future__ import annotations

from typing import Any

from chatdev.screen.text import safe, seconds_text

_HEAD = f"{'':<24} {'replies':>7} {'read':>11} {'written':>9} {'money':>10} {'model time':>12}  share"


def cost_lines(report: dict[str, Any]) -> list[str]:
    """Two tables and their sum; tokens read and written, US dollars, seconds of the model."""
    lines = [_HEAD]
    for title, accounts in (("by role", report["by_role"]), ("by phase", report["by_phase"])):
        lines.append(title)
        ordered = sorted(accounts.items(), key=lambda item: -item[1]["tokens"])
        lines += [_row(name, account, report["tokens"]) for name, account in ordered]
    lines.append("together")
    lines.append(_row("", report, report["tokens"]))
    if report["unpriced_replies"]:
        lines.append(f"{report['unpriced_replies']} replies are of unknown price")
    return lines


def costs_json(report: dict[str, Any]) -> dict[str, Any]:
    """The same for programs."""
    names = ("replies", "prompt_tokens", "completion_tokens", "tokens", "money", "unpriced_replies", "model_seconds")
    total = {name: report[name] for name in names}
    return {**total, "seconds": report["seconds"], "by_role": report["by_role"], "by_phase": report["by_phase"]}


def _row(name: str, account: dict[str, Any], of: int) -> str:
    money = "unknown" if account["money"] is None else f"${account['money']:.4f}"
    share = f"{account['tokens'] / of:.0%}" if of else "-"
    return (
        f"  {safe(name):<22} {account['replies']:>7,} {account['prompt_tokens']:>11,} "
        f"{account['completion_tokens']:>9,} {money:>10} {seconds_text(account['model_seconds']):>12}  {share:>5}"
    )
