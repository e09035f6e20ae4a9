"""The last lines of a run: the verdict, where the product lies, how to start it, how to see it again."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

from chatdev.apprentice import NAME, families, what_it_is
from chatdev.cli.common import command_name, shown_name
from chatdev.run.product import Product
from chatdev.screen.text import safe, seconds_text


def ending(report: dict[str, Any], product: Product) -> list[str]:
    """Lines for a person; the last one is the product's folder."""
    command = command_name()
    name = shown_name(product)
    money = "price unknown" if report["money"] is None else f"${report['money']:.4f}"
    if report["unpriced_replies"] and report["money"] is not None:
        money += f" + {report['unpriced_replies']} replies of unknown price"
    tokens = f"{report['tokens']:,} tokens"
    if report["tokens"] > report["window"] > 0:
        tokens += f" ({report['tokens'] / report['window']:.1f} windows of {report['window']:,})"
    spent = f"{report['replies']} replies, {tokens}, {money}, {seconds_text(report['seconds'])}"
    lines = ["", f"{report['verdict'].upper()}  {safe(report['reason'])}", f"  spent   {spent}"]
    if any(str(model).startswith("scripted:") for model in report["models"].values()):
        lines.append("  model   scripted: recorded replies were played, nothing was generated")
    if report["verdict"] != "verified" and NAME in report["models"].values():
        lines.append(f"  model   {what_it_is()}")
        if report["gave_up"]:
            known = ", ".join(families())
            lines += wrap(known, 110, initial_indent="  knows   ", subsequent_indent="          ")
    if report["gave_up"]:
        lines.append(f"  go on   {command} resume {name} --model MODEL   (another one may know it)")
    elif report["state"] != "finished":
        lines.append(f"  go on   {command} resume {name}")
    elif report["files"]:
        lines.append(f"  start   {command} start {name}")
    lines.append(f"  see     {command} show {name}")
    if report["state"] == "finished" and report["verdict"] != "verified":
        lines.append(f"  again   {command} test {name}")
    return [*lines, str(product.root)]
