"""How a plan looks on the terminal."""

from __future__ import annotations

import click

from chatdev.chain.dry_run import Plan
from chatdev.cli.common import echo_json


def show_plan(plan: Plan, as_json: bool) -> int:
    """Print what a run would do and cost; returns the exit code."""
    if as_json:
        echo_json(plan.to_json())
        return 0
    click.echo(f"company {plan.company}; nothing is run and nothing is spent")
    for role, model in plan.models.items():
        click.echo(f"  {role:<12} {model}")
    for step in plan.steps:
        name = "  " * step.depth + step.path
        size = f"prompt ~{step.prompt_tokens:>6,}  reply ~{step.reply_tokens:>6,} tokens" if step.prompt_tokens else ""
        click.echo(f"  {name:<38} {step.what:<38} {size}".rstrip())
    for most, word in ((False, "no repairs"), (True, "all repairs")):
        prompt, reply = plan.tokens(most)
        money = plan.money(most)
        cost = "price unknown" if money is None else f"${money:.4f}"
        click.echo(f"  {word:<11} ~{prompt + reply:,} tokens ({prompt:,} read, {reply:,} written), {cost}")
    return 0
