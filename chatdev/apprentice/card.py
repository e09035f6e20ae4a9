"""The model card that lies beside the weights."""

from __future__ import annotations

from typing import Any

from chatdev.apprentice.rehearsal import BLOCK, WINDOW

CARD = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
tags: [code, attention-sinks]
---
# The apprentice

A language model of at most 16 million parameters that plays every role of a small software company and builds {count}
kinds of small Python programs. It was trained by this project's own scripts on text that this project's own company
wrote with a generator in the model's place; no other text was used.

**It knows**: {families}.

**It does not know anything else**, and is trained to say so. It reads English tasks. It is no general assistant.

**Format.** Llama architecture, byte-level BPE, a chat template whose first token is the same sink token always. It was
trained with the attention it is run with: a pinned head and a recent window of {window:,} tokens in all, evicted in
blocks of {block}.

**Use.** `python run.py --task "build a snake game"` takes it when no other model is set up; as any other local model it
opens with `--model hf:FOLDER`.

**Measured on lessons it never saw**: {measured}.

**Trained with**: {options}.{averaged}
"""


def card(facts: dict[str, Any]) -> str:
    """The card for what was trained."""
    kept = ("loss", "slots_forced", "slots_free", "tokens", "step")
    found = facts.get("measured") or {}
    measured = ", ".join(f"{name} {found[name]}" for name in kept if name in found)
    options = ", ".join(f"{name} {value}" for name, value in facts["options"].items() if name != "curriculum")
    families = facts["families"]
    averaged = ""
    if shares := facts.get("averaged"):
        told = " and then ".join(f"{one:.0%}" for one in shares)
        averaged = f" The weights are an average with those before the training, of which {told} is of the later ones."
    return CARD.format(
        count=len(families), families=", ".join(families), measured=measured or "nothing", options=options,
        averaged=averaged, window=WINDOW, block=BLOCK,
    )  # fmt: skip
