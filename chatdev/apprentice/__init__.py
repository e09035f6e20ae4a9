"""The apprentice: a small language model that ships with the program, and the school it went through.

    curriculum/     families of small programs, generated: tasks, programs, tests, faults
    course, oracle, rehearsal       the real company plays a lesson; its journal is the text to learn from
    streams, shards, drills         journals to token streams, exactly as the local engine feeds them
    tokenizer, network, attention, train        the model, trained with the attention it is run with
    slots, digest                   what is measured beside the loss, and the prompts it was trained on

It knows the families of the curriculum and says of anything else that it does not know it. Weights, where they are
bundled, are an ordinary Hugging Face folder and open like any other model (`hf:FOLDER`); this module stays light,
because the choice of a model asks it at every start.
"""

from __future__ import annotations

import json
from pathlib import Path

NAME = "apprentice"
"""What the bundled model is called wherever a model is named."""
WEIGHTS = Path(__file__).resolve().parent / "weights"
"""Where the bundled model lies."""
FACTS = "apprentice.json"
"""Beside the weights: what they were trained on."""


def bundled() -> Path | None:
    """The folder of the bundled model; None where the package has none."""
    return WEIGHTS if (WEIGHTS / "config.json").is_file() and any(WEIGHTS.glob("*.safetensors")) else None


def facts(folder: Path | None = None) -> dict[str, object]:
    """What is written beside the weights (families, prompts' digests, recipe); empty where there is nothing."""
    try:
        found = json.loads(((folder or WEIGHTS) / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def families() -> list[str]:
    """The kinds of programs that the bundled model was taught."""
    found = facts().get("families")
    return [str(name) for name in found] if isinstance(found, list) else []


def what_it_is() -> str:
    """One line for the person who did not choose a model."""
    return (
        f"the bundled apprentice knows {len(families()) or 'some'} kinds of small programs; for anything else: "
        "set OPENAI_API_KEY, or name a model with --model"
    )
