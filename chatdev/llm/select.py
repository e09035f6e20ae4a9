"""From what a user writes (`openai:gpt-4o-mini`, `hf:./weights`, `scripted:snake`, `human`, `auto`) to a model.

`open_model` opens it, `resolve` only says what would be opened (no network, no weights), and `preflight` asks
an opened model whether it can be reached before anything is spent. Heavy libraries are imported when a model
that needs them is opened, not before.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from chatdev.apprentice import NAME as APPRENTICE
from chatdev.apprentice import bundled, what_it_is
from chatdev.data import library_root
from chatdev.errors import UserError
from chatdev.llm.base import Model, Sampling
from chatdev.llm.by_hand import ByHandModel, Page
from chatdev.llm.redact import shown_url
from chatdev.llm.scripted import ScriptedModel

OnWait = Callable[[float, str], None]
"""Called before a pause: seconds, and why."""
OnNotice = Callable[[str], None]
"""Called with one line that a person should see once."""
OnProgress = Callable[[str, float], None]
"""Called while weights are fetched and loaded: what is being done, and how much of it is, 0 to 1."""

OnPage = Callable[[Page], str]
"""Lays a page before the person who sits in a role's chair, and waits for what they say."""

DEFAULT_OPENAI_MODEL = "gpt-4o-mini"
THREE_WAYS = (
    "Set OPENAI_API_KEY (or OPENAI_BASE_URL for a server of your own), or name a local model with "
    "--model hf:<folder or hub id> or CHATDEV_MODEL, or try the demonstration with --model scripted:snake"
)


@dataclass(frozen=True)
class Memory:
    """How a local model's streams remember; endpoints and scripts take no notice."""

    sinks: int | Literal["pinned"] = "pinned"
    """Tokens at the head that are never evicted: the whole head, or a number."""
    window: int | None = None
    """Tokens a stream holds; what the model was trained for, up to 4,096, unless given."""
    precision: str = "auto"
    """Of the weights: auto, fp32, bf16, fp16 and what else the engine offers."""


@dataclass(frozen=True)
class Setting:
    """What an opener may use beside the part of the name after the colon."""

    sampling: Sampling
    env: Mapping[str, str]
    on_wait: OnWait | None
    on_notice: OnNotice | None
    on_progress: OnProgress | None
    memory: Memory
    on_page: OnPage | None = None


def open_model(
    spec: str,
    *,
    sampling: Sampling | None = None,
    env: Mapping[str, str] | None = None,
    on_wait: OnWait | None = None,
    on_notice: OnNotice | None = None,
    on_progress: OnProgress | None = None,
    memory: Memory = Memory(),
    on_page: OnPage | None = None,
) -> Model:
    """Open the model that a user named.

    Args:
        spec: `auto`, `openai:<model>`, `hf:<folder or hub id>`, `scripted:<name or file>`, `mailbox:<folder>`, `human`
            or `apprentice`.
        sampling: how tokens are chosen; greedy unless given.
        env: where OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL, OPENAI_IMAGE_MODEL, CHATDEV_MODEL,
            CHATDEV_PRICES (a file) and CHATDEV_API_TIMEOUT (seconds of silence) are looked up; the process
            environment unless given.
        on_wait: told before every pause of a retry.
        on_notice: told what a person should know, such as a chat template that had to be made up.
        on_progress: told how fetching and loading weights go on.
        memory: how the streams of a local model remember.
        on_page: asks the person, for `human`.

    Raises:
        UserError: unknown name, missing file, key, endpoint or weights.
    """
    found = os.environ if env is None else env
    setting = Setting(sampling or Sampling(), found, on_wait, on_notice, on_progress, memory, on_page)
    scheme, rest = split(resolve_auto(spec, setting.env))
    return OPENERS[scheme](rest, setting)


def resolve(spec: str, *, env: Mapping[str, str] | None = None) -> str:
    """The model that `open_model` would open, as text; asks neither the network nor the disk.

    Raises:
        UserError: as `open_model`, as far as that can be known from the name and the environment alone.
    """
    env = os.environ if env is None else env
    found = resolve_auto(spec, env)
    if found == "openai:":
        return f"openai:<the first model listed by {shown_url(env.get('OPENAI_BASE_URL', ''))}>"
    split(found)
    return found


def resolve_auto(spec: str, env: Mapping[str, str]) -> str:
    """`auto` as an explicit name: an endpoint, else the model that CHATDEV_MODEL names, else the bundled one.

    A bare `openai:` means the first model that the endpoint lists.
    """
    if spec.strip() != "auto":
        return spec.strip()
    if env.get("OPENAI_API_KEY") or env.get("OPENAI_BASE_URL"):
        default = "" if env.get("OPENAI_BASE_URL") else DEFAULT_OPENAI_MODEL
        return f"openai:{env.get('OPENAI_MODEL') or default}"
    named = env.get("CHATDEV_MODEL", "").strip()
    if named and named != "auto":
        return named
    if bundled() is not None:
        return APPRENTICE
    raise UserError("no model is set up", fix=THREE_WAYS)


def absolute(spec: str) -> str:
    """A model's name that means the same from every folder: a path that is there, and any mailbox, becomes absolute."""
    scheme, colon, rest = spec.partition(":")
    if scheme not in ("hf", "scripted", "mailbox") or not colon or not rest:
        return spec
    try:
        path = Path(rest).expanduser()
        if scheme == "mailbox":  # it need not be there yet
            return f"{scheme}:{path.resolve()}"
        shipped = scheme == "scripted" and (library_root() / "scripts" / f"{rest}.yaml").is_file()
        return f"{scheme}:{path.resolve()}" if not shipped and path.exists() else spec
    except (OSError, ValueError, RuntimeError):  # a NUL, too long, or the home of nobody
        return spec


def split(spec: str) -> tuple[str, str]:
    """`scheme, rest` of a model's name.

    Raises:
        UserError: there is no such scheme, or nothing behind the colon.
    """
    scheme, colon, rest = spec.partition(":")
    if spec == "human":
        return "human", ""
    if not colon and scheme not in OPENERS:
        raise UserError(
            f'the model "{spec}" does not say where it runs',
            fix=f"Write openai:{spec or '<model>'}, hf:<folder or hub id> or scripted:<name>",
        )
    if scheme == APPRENTICE and not rest:
        return APPRENTICE, ""
    if scheme not in OPENERS:
        near = difflib.get_close_matches(scheme.lower(), OPENERS, n=1)
        hint = f'Did you mean "{near[0]}:{rest}"?' if near else f"Known are auto, {', '.join(OPENERS)}"
        raise UserError(f'unknown kind of model "{scheme}" in "{spec}"', fix=hint)
    if not rest and not (scheme == "openai" and colon):
        raise UserError(f'the model "{spec}" has no name', fix=f"Write {scheme}:<name>")
    return scheme, rest


@runtime_checkable
class Checkable(Protocol):
    """A model that can be asked whether it is there."""

    def preflight(self) -> None: ...


def preflight(model: Model) -> None:
    """Check that the model can be used, before a token is spent.

    Raises:
        UserError: it cannot, with the reason and what to do.
    """
    if isinstance(model, Checkable):
        model.preflight()


def _open_scripted(rest: str, setting: Setting) -> Model:
    return ScriptedModel(find_script(rest), name=f"scripted:{rest}")


def find_script(name: str) -> Path:
    """The file of a script: one that ships with the package, or a path.

    Raises:
        UserError: there is none; the message lists those that ship.
    """
    shipped = library_root() / "scripts"
    if re.fullmatch(r"[A-Za-z0-9_-]+", name) and (shipped / f"{name}.yaml").is_file():
        return shipped / f"{name}.yaml"
    path = Path(name).expanduser()
    if path.is_file():
        return path
    known = sorted(p.stem for p in shipped.glob("*.yaml"))
    near = difflib.get_close_matches(name, known, n=1)
    hint = f'Did you mean "scripted:{near[0]}"?' if near else f"Shipped are: {', '.join(known) or 'none'}"
    raise UserError(f'no script "{name}"', fix=f"{hint} (or name a YAML file)")


def _open_endpoint(rest: str, setting: Setting) -> Model:
    from chatdev.llm.api import ApiModel
    from chatdev.llm.prices import PriceTable

    env = setting.env
    own_prices = env.get("CHATDEV_PRICES")
    return ApiModel(
        rest,
        env.get("OPENAI_BASE_URL"),
        env.get("OPENAI_API_KEY"),
        sampling=setting.sampling,
        prices=PriceTable.load(Path(own_prices).expanduser() if own_prices else None),
        on_wait=setting.on_wait,
        on_notice=setting.on_notice,
        read_timeout=_seconds(env.get("CHATDEV_API_TIMEOUT"), 120.0),
        image_model=env.get("OPENAI_IMAGE_MODEL") or "gpt-image-1",
    )


def _seconds(text: str | None, usual: float) -> float:
    if not text:
        return usual
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise UserError(f'"{text}" is no time limit', where="CHATDEV_API_TIMEOUT", fix="Write seconds, such as 600")
    return seconds


def _open_apprentice(rest: str, setting: Setting) -> Model:
    folder = bundled()
    if rest or folder is None:
        why = "takes no name behind it" if rest else "is not in this package"
        raise UserError(f"the bundled apprentice {why}", fix=THREE_WAYS)
    if setting.on_notice is not None:
        setting.on_notice(what_it_is())
    model = _open_local(str(folder), setting)
    model.name = APPRENTICE
    return model


def _open_local(rest: str, setting: Setting) -> Model:
    from chatdev.llm.local import open_local
    from chatdev.llm.local.lean import import_quietly

    import_quietly()
    made: Model = open_local(
        rest,
        sinks=setting.memory.sinks,
        window=setting.memory.window,
        precision=setting.memory.precision,
        sampling=setting.sampling,
        on_notice=setting.on_notice,
        on_progress=setting.on_progress,
    )
    return made


def _open_human(rest: str, setting: Setting) -> Model:
    if rest:
        raise UserError(f'"human:{rest}" has a name too many', fix="The person at the table is: human")
    if setting.on_page is None:
        raise UserError("a role's chair is a person's, and there is nobody to ask")
    return ByHandModel("human", False, setting.on_page, "a person sits in this chair")


def _open_mailbox(rest: str, setting: Setting) -> Model:
    from chatdev.llm.mailbox import mailbox

    return mailbox(Path(rest).expanduser(), f"mailbox:{rest}", setting.on_notice)


OPENERS: dict[str, Callable[[str, Setting], Model]] = {
    "openai": _open_endpoint,
    "hf": _open_local,
    "scripted": _open_scripted,
    "mailbox": _open_mailbox,
    "human": _open_human,
    APPRENTICE: _open_apprentice,
}
"""Back ends by the word before the colon; other parts of the program may add theirs."""
