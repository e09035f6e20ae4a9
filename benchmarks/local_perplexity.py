"""Perplexity of a text under dense, window, recompute and sink caches, as a table and the paper's figure.

python -m benchmarks.local_perplexity --model FOLDER --text FILE --plot figure.png
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from chatdev.errors import UserError
from chatdev.llm.local import open_local
from chatdev.llm.local.perplexity import Plan, of_text


def main() -> int:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", required=True)
    options.add_argument("--text", type=Path, required=True)
    options.add_argument("--plot", type=Path)
    options.add_argument("--window", type=int)
    options.add_argument("--pinned", type=int, default=0)
    options.add_argument("--dense", type=int, default=16_384)
    given = options.parse_args()
    start = time.monotonic()
    try:
        model = open_local(given.model, window=given.window)
        plan = Plan(window=model.settings.window, pinned=given.pinned, dense=given.dense)
        text = given.text.read_text(encoding="utf-8")
        print(of_text(model, text, plan, given.plot, lambda what, done: _show(what, done)))
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"\n{time.monotonic() - start:.0f} s")
    return 0


def _show(what: str, done: float) -> None:
    print(f"\r{what} {done:4.0%} ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
