"""Pictures for a product: drawn by the endpoint's images API, else as SVG written by the agent and rendered.

SVG from a model is as hostile as any program, so it is rendered in the sandbox, never here. Without a sandbox the SVG
files stay as they are and a notice says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatdev.chain.context import Context
from chatdev.chain.dialogue import Dialogue, Talk
from chatdev.chain.filing import Filing
from chatdev.llm.base import ImageModel, ImagesUnavailable
from chatdev.run.files import write_atomic
from chatdev.sandbox.engine import Engine, run
from chatdev.software.blocks import parse_reply

FOLDER = "pictures"
MOST = 8
RENDER = """
import pathlib, subprocess
for svg in sorted(pathlib.Path().glob("*.svg")):
    subprocess.run(["rsvg-convert", "-w", "128", "-h", "128", "-a", "-o", svg.with_suffix(".png"), svg], timeout=20)
"""
"""Runs in the sandbox, beside the SVG files."""
_LINE = re.compile(
    r"^\W*([a-z0-9][a-z0-9_-]{0,40})\.(?:png|svg)\W*[:\u2013-]\W*(\S.{0,300})$", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True)
class Picture:
    """One picture asked for: a file name without its ending, and what it shows."""

    name: str
    about: str


def wanted(reply: str) -> list[Picture]:
    """The pictures a reply names, one line each; a name said twice counts once."""
    found = {match[1].lower(): match[2].strip() for match in _LINE.finditer(reply)}
    return [Picture(name, about) for name, about in list(found.items())[:MOST]]


def draw(ctx: Context, dialogue: Dialogue, talk: Talk, step: str) -> None:
    """Turn the reply's list into picture files, commit them and write the artifact the phase names."""
    pictures = wanted(talk.last.text)
    for _ in range(dialogue.phase.reask):
        if pictures:
            break
        pictures = wanted(dialogue.again(ctx.words.say("reask_pictures")).text)
    filing = Filing(ctx, dialogue, step)
    if pictures and not _from_endpoint(ctx, filing, pictures, step):
        _from_agent(ctx, filing, dialogue, pictures, step)
    there = [f"{path}" for path in sorted(ctx.workspace.files()) if path.startswith(f"{FOLDER}/")]
    about = {picture.name: picture.about for picture in pictures}
    lines = [f"{path}: {about.get(path.split('/')[-1].rsplit('.', 1)[0], '')}".rstrip(": ") for path in there]
    for name in dialogue.phase.writes[:1]:
        ctx.brief.write(ctx.key(f"{step}/artifact:{name}"), name, "\n".join(lines), dialogue.phase.assistant)


def _from_endpoint(ctx: Context, filing: Filing, pictures: list[Picture], step: str) -> bool:
    """Ask the images API; False when the model has none."""

    def ask() -> dict[str, Any]:
        model = ctx.crew.model_of(filing.phase.assistant)
        if not isinstance(model, ImageModel):
            return {"files": []}
        usage = {"prompt_tokens": 0, "completion_tokens": 0, "money": None, "seconds": 0.0}
        try:
            for picture in pictures:
                ctx.crew.check()
                write_atomic(_kept(ctx) / f"{picture.name}.png", model.image(picture.about, "256x256"))
                who, phase = filing.phase.assistant, filing.phase.name
                ctx.journal.append("spent", agent=who, phase=phase, model=model.name, usage=usage)
        except ImagesUnavailable as error:
            ctx.journal.append("notice", text=f"no pictures from the endpoint: {error}", step=step)
            return {"files": []}
        return {"files": [f"{picture.name}.png" for picture in pictures]}

    names = ctx.journal.once("images", ctx.key(f"{step}/images"), ask)["files"]
    if names:
        filing.commit([], [], _pictures(ctx, names))
    return bool(names)


def _from_agent(ctx: Context, filing: Filing, dialogue: Dialogue, pictures: list[Picture], step: str) -> None:
    """Let the agent write SVG, and render it to PNG in the sandbox."""
    spoken = dialogue.again(ctx.words.say("draw", pictures=pictures, folder=FOLDER))
    drawn = [
        file for file in parse_reply(spoken.text).files if re.fullmatch(rf"{FOLDER}/[\w-]+\.svg", file.path, re.ASCII)
    ]
    filing.commit(drawn, [])

    def render() -> dict[str, Any]:
        found = _rendered(ctx.engine, ctx.product.root / FOLDER) if drawn and ctx.engine else {}
        for name, data in found.items():
            write_atomic(_kept(ctx) / name, data)
        if not found:
            why = "no sandbox to render them in" if drawn else "the agent drew none"
            ctx.journal.append("notice", text=f"there are no PNG pictures: {why}", step=step)
        return {"files": sorted(found)}

    names = ctx.journal.once("images", ctx.key(f"{step}/images"), render)["files"]
    if names:
        filing.commit([], [], _pictures(ctx, names))


def _rendered(engine: Engine, folder: Path) -> dict[str, bytes]:
    """PNG pictures of a folder's SVG files, made in the sandbox."""
    done = run(engine, folder, ["python3", "-c", RENDER], collect=["*.png"])
    return {name: data for name, data in done.collected.items() if data.startswith(b"\x89PNG")}


def _kept(ctx: Context) -> Path:
    """Pictures are kept beside the journal, which holds their names: too large for a line, too dear to draw twice."""
    return ctx.product.ours / "pictures"


def _pictures(ctx: Context, names: list[str]) -> dict[str, bytes]:
    return {f"{FOLDER}/{name}": (_kept(ctx) / name).read_bytes() for name in names}
