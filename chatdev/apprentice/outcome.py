"""What a training leaves behind: an ordinary Hugging Face folder, and the curve of its losses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from chatdev.run.files import write_atomic


def export(network: Any, tokenizer: Any, folder: Path) -> None:
    """Write an ordinary Hugging Face folder: config, bf16 safetensors, tokenizer, template, generation config."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tied = getattr(network.config, "tie_word_embeddings", False)
    weights = {
        name: weight.detach().to(torch.bfloat16).cpu().contiguous()
        for name, weight in network.state_dict().items()
        if not (tied and name == "lm_head.weight")
    }
    part = folder / "model.part"
    save_file(weights, part, metadata={"format": "pt"})
    part.replace(folder / "model.safetensors")
    config = network.config.to_dict() | {"architectures": [type(network).__name__], "dtype": "bfloat16"}
    for name in ("_attn_implementation", "_name_or_path"):  # the latter is a path of whoever trained it
        config.pop(name, None)
    write_atomic(folder / "config.json", json.dumps(config, indent=2) + "\n")
    network.generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def curve(folder: Path) -> None:
    """Draw the losses of the log into `loss.png`."""
    from chatdev.llm.local.plot import Line, draw

    lines = (
        [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        if (folder / "log.jsonl").is_file()
        else []
    )
    seen = [line for line in lines if "held_out" not in line]
    held = [line for line in lines if "held_out" in line]
    if len(seen) < 2:
        return

    def line(name: str, found: list[dict[str, Any]], key: str) -> Line:
        return Line(name, [one["tokens"] / 1e6 for one in found], [max(1e-4, one[key]) for one in found])

    drawn = [line("training", seen, "loss"), line("values", seen, "values")]
    if held:
        drawn.append(line("held out", held, "loss"))
        drawn.append(
            Line("slots right", [one["tokens"] / 1e6 for one in held], [max(1e-4, one["slots_forced"]) for one in held])
        )
    draw(drawn, folder / "loss.png", title="Loss by millions of tokens", x="million tokens", y="nats", log_y=True)
