"""A chat template as text around what is said, learned once, so that a turn costs only its own tokens.

The template renders a short dialogue of markers; what stands between the markers is what it puts around a message.
A stream then only appends. A template that renders earlier messages differently from the way they were said (it
drops the thoughts of former replies, say) is detected; the stream keeps what was really said, and `note` says so.

What people, files and models write is tokenised as plain text: an end-of-turn marker inside it stays text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

HEAD, USER, REPLY, NEXT = "qHEADq", "qUSERq", "qREPLYq", "qNEXTq"
PLAIN = (
    "{{ bos_token or '' }}{% for m in messages %}{{ m.role|capitalize }}: {{ m.content }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""For models without a template; such a model was not trained to talk."""
PLAIN_STOPS = ("\n\nUser:", "\n\nSystem:")


@dataclass(frozen=True)
class ChatFormat:
    """The text around messages."""

    before_head: str
    after_head: str
    """Up to where the first message begins."""
    before_user: str
    after_user: str
    before_reply: str
    before_recalled: str
    """Like `before_reply`, for a reply whose text is known; the model begins some replies with a blank itself."""
    after_reply: str
    stops: tuple[str, ...] = ()
    note: str = ""
    """What a person should know about this template; empty when nothing."""

    @classmethod
    def of(cls, tokenizer: Any) -> ChatFormat:
        """Learn the template of a tokenizer, or use a plain one where there is none."""
        template = None if getattr(tokenizer, "chat_template", None) else PLAIN
        chat = _learn(tokenizer, template)
        if chat is None:
            chat = _learn(tokenizer, PLAIN)
            assert chat is not None
            return _plain(chat, "its chat template cannot render a dialogue")
        return _plain(chat, "it has no chat template") if template else chat


def _plain(chat: ChatFormat, why: str) -> ChatFormat:
    note = f"{why}: a plain one is used, and a model that was not trained to talk may not answer well"
    return replace(chat, stops=PLAIN_STOPS, note=note)


def _learn(tokenizer: Any, template: str | None) -> ChatFormat | None:
    def render(ask: bool, *messages: tuple[str, str]) -> str:
        wire = [{"role": role, "content": content} for role, content in messages]
        text = tokenizer.apply_chat_template(wire, chat_template=template, tokenize=False, add_generation_prompt=ask)
        return str(text)

    try:
        opening = _opening(render)
        if opening is None:
            return None
        start, middle = opening
        heard = render(False, *start)
        asked = render(True, *start)
        said = render(False, *start, ("assistant", REPLY))
        whole = render(True, *start, ("assistant", REPLY), ("user", NEXT))
        thought = render(True, *start, ("assistant", f"<think>{HEAD}z</think>{REPLY}"), ("user", NEXT))
    except Exception:  # noqa: BLE001  (templates are programs and fail as they like)
        return None
    if not all(whole.count(mark) == 1 for mark in (HEAD, USER, REPLY, NEXT)) or REPLY not in said:
        return None
    between = whole.split(REPLY)[1].split(NEXT)[0]
    closing = said.split(REPLY)[1]
    after_reply = closing if between.startswith(closing) else ""
    after_user = heard.split(USER)[1]
    if not asked.startswith(heard):
        after_user = ""
    before_reply = asked.split(USER)[1][len(after_user) :]
    kept = whole.split(REPLY)[0]
    before_recalled = kept[len(asked) - len(before_reply) :] if kept.startswith(asked) else before_reply
    rewrites = not kept.startswith(asked) or f"{HEAD}z" not in thought
    note = "its chat template rewrites earlier messages; a stream keeps them as they were said" if rewrites else ""
    return ChatFormat(
        before_head=whole.split(HEAD)[0],
        after_head=middle,
        before_user=between[len(after_reply) :],
        after_user=after_user,
        before_reply=before_reply,
        before_recalled=before_recalled,
        after_reply=after_reply,
        note=note,
    )


def _opening(render: Any) -> tuple[list[tuple[str, str]], str] | None:
    """The first messages, and the text between head and first message: some templates refuse a system role."""
    for start in ([("system", HEAD), ("user", USER)], [("user", f"{HEAD}\n\n{USER}")]):
        try:
            text = render(False, *start)
        except Exception:  # noqa: BLE001  (the second form is the answer to that)
            continue
        if text.count(HEAD) == 1 and text.count(USER) == 1 and text.index(HEAD) < text.index(USER):
            return start, text.split(HEAD)[1].split(USER)[0]
    return None


class Speller:
    """Text to tokens, with markers where the template puts them and nowhere else."""

    def __init__(self, tokenizer: Any, chat: ChatFormat) -> None:
        self.tokenizer, self.chat = tokenizer, chat

    def markers(self, text: str) -> list[int]:
        """Tokens of a piece of the template."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []

    def plain(self, text: str) -> list[int]:
        """Tokens of what somebody wrote; nothing in it is special."""
        if not text:
            return []
        return list(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def head(self, text: str) -> list[int]:
        """The pinned prefix, up to where the first message begins."""
        return self.markers(self.chat.before_head) + self.plain(text) + self.markers(self.chat.after_head)

    def heard(self, text: str, *, first: bool, after_reply: bool) -> list[int]:
        """One message to the agent, with the end of the reply before it."""
        chat = self.chat
        opening = "" if first else (chat.after_reply if after_reply else "") + chat.before_user
        return self.markers(opening) + self.plain(text) + self.markers(chat.after_user)

    def recalled(self, text: str) -> list[int]:
        """A reply of an earlier life."""
        return self.markers(self.chat.before_recalled) + self.plain(text)

    def asked(self) -> list[int]:
        """What makes the model speak."""
        return self.markers(self.chat.before_reply)
