"""A local model through transformers, with a plain KV cache: exact, and as long as the model's own context.

Only what is new is fed: the rendering of the dialogue is compared with what the cache holds, the cache is
cropped to the common beginning, and the rest is prefilled. When the context is full, the oldest messages
behind the head are dropped and the rest is prefilled again. Non-goals: endless streams at constant cost,
batching, remote code.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from chatdev.errors import UserError
from chatdev.llm.base import Finish, Mark, Reply, Sampling, SayLimits, Usage, WindowState
from chatdev.llm.choose import TokenText, choose
from chatdev.llm.messages import Message, read_messages, to_wire, write_messages
from chatdev.llm.reply_text import ReplyText
from chatdev.llm.tokens import clean
from chatdev.llm.trimming import fit

BASIC_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ m.role|capitalize }}: {{ m.content }}\n\n{% endfor %}Assistant:"
)
"""For models without a chat template; such a model was not trained to talk."""


class PlainModel:
    """Weights from a folder or the hub.

    Args:
        where: a folder in the format of transformers, or a hub id.
        sampling: how tokens are chosen.
        on_notice: told when the model has no chat template.
        window: tokens of context; the model's own unless given.

    Raises:
        UserError: no such folder, no weights, no tokenizer.
    """

    resends = False

    def __init__(
        self,
        where: str,
        *,
        sampling: Sampling | None = None,
        on_notice: Callable[[str], None] | None = None,
        window: int | None = None,
    ) -> None:
        self.name = f"hf:{where}"
        self.sampling = sampling or Sampling()
        self.tokenizer, self.network = _load(where)
        own = getattr(self.network.config, "max_position_embeddings", None) or 4096
        self.window = min(window or own, own)
        self.stops: tuple[str, ...] = ()
        if not getattr(self.tokenizer, "chat_template", None):
            self.tokenizer.chat_template = BASIC_TEMPLATE
            self.stops = ("\n\nUser:", "\n\nSystem:")
            if on_notice is not None:
                on_notice(f"{self.name} has no chat template: it was not trained to talk, a basic one is used")
        self.system_role = self._takes_system()

    def open(self, head: str, *, seed: int = 0) -> PlainStream:
        """Open a stream with a cache of its own."""
        return PlainStream(self, head, seed or self.sampling.seed)

    def describe(self) -> str:
        """One line for the person: name, size, window, device."""
        millions = sum(p.numel() for p in self.network.parameters()) / 1e6
        return f"{self.name}: {millions:,.1f} M parameters, context {self.window:,}, on {self.network.device}"

    def close(self) -> None:
        """Let the weights go."""
        del self.network

    def render(self, head: str, messages: list[Message]) -> list[int]:
        """The token ids of a dialogue, up to where the model's reply begins."""
        wire = to_wire(head, messages, system_role=self.system_role)
        text = self.tokenizer.apply_chat_template(wire, tokenize=False, add_generation_prompt=True)
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def ends(self) -> set[int]:
        """Ids of the tokens that end a reply."""
        config = self.network.generation_config.eos_token_id
        ids = config if isinstance(config, list) else [config]
        return {i for i in [*ids, self.tokenizer.eos_token_id] if i is not None}

    def _takes_system(self) -> bool:
        """Some templates refuse a system message, some leave it out without a word."""
        try:
            wire = [{"role": "system", "content": "SYS-7"}, {"role": "user", "content": "x"}]
            return "SYS-7" in self.tokenizer.apply_chat_template(wire, tokenize=False)
        except Exception:  # noqa: BLE001  (templates are programs and fail as they like)
            return False


def _load(where: str) -> tuple[Any, Any]:
    import torch
    import transformers

    folder = Path(where).expanduser()
    looks_like_a_path = where.startswith((".", "~", "/")) or "\\" in where or where.count("/") > 1
    if not folder.is_dir() and looks_like_a_path:
        raise UserError("there is no such folder", where=where, fix="Name a folder with config.json, or a hub id")
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise UserError("there is no config.json in it", where=where, fix="Name the folder that has it")
    source = str(folder) if folder.is_dir() else where
    part = "tokenizer"
    quiet: Any = transformers.utils.logging
    quiet.disable_progress_bar()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source)
        part = "model"
        device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = "auto" if device == "cuda" else torch.float32
        network: Any = transformers.AutoModelForCausalLM.from_pretrained(source, dtype=dtype)
        network = network.to(device).eval()
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        fix = "Check the folder" if folder.is_dir() else "Check the hub id and the network, or name a folder"
        raise UserError(f"the {part} cannot be loaded ({reason})", where=where, fix=fix) from error
    return tokenizer, network


class PlainStream:
    """A conversation with local weights. Marks count messages behind the head."""

    def __init__(self, model: PlainModel, head: str, seed: int) -> None:
        import torch
        import transformers

        self.model, self.head = model, head
        self.messages: list[Message] = []
        self._start = 0
        self._cache: Any = transformers.DynamicCache()
        self._held: list[int] = []
        """Ids whose keys and values are in the cache."""
        self._total = 0
        self._chance = torch.Generator(device="cpu").manual_seed(seed)
        self._reply: Reply | None = None

    @property
    def reply(self) -> Reply:
        """The last reply; LookupError before the first one."""
        if self._reply is None:
            raise LookupError("this stream has not said anything yet")
        return self._reply

    @property
    def window(self) -> WindowState:
        """What the cache holds."""
        size = sum(
            tensor.nbytes
            for layer in self._cache.layers
            for tensor in (getattr(layer, "keys", None), getattr(layer, "values", None))
            if tensor is not None
        )
        usage = self._reply.usage if self._reply else Usage()
        rate = usage.completion_tokens / usage.seconds if usage.seconds else 0.0
        return WindowState(len(self._held), self._total, size, rate)

    def hear(self, text: str) -> Mark:
        """Append what was said to the agent; it is read when the agent speaks."""
        return self._append(Message("user", clean(text)))

    def recall(self, text: str) -> Mark:
        """Append a reply of an earlier life."""
        return self._append(Message("assistant", clean(text)))

    def say(self, limits: SayLimits) -> Iterator[str]:
        """Yield the reply token by token (several tokens where a character takes more than one).

        Raises:
            UserError: the head alone is too long for the model.
        """
        started = time.monotonic()
        prompt, room = self._prompt(limits.tokens)
        fresh, logits = self._feed(prompt)
        text = ReplyText((*limits.stop, *self.model.stops))
        pieces = TokenText(self.model.tokenizer)
        ends, said, finish = self.model.ends(), 0, "length"
        while said < room:
            token = choose(logits, prompt, self.model.sampling, self._chance)
            if token in ends:
                finish = "stop"
                break
            said += 1
            prompt.append(token)
            if shown := text.feed(pieces.add(token)):
                yield shown
            if text.ended or said == room:
                break
            logits = self._forward([token])
        if rest := text.feed(pieces.rest()) + text.finish():
            yield rest
        done: Finish = text.ended or ("stop" if finish == "stop" else "length")
        mark = self._append(Message("assistant", text.text))
        self._total += fresh + said
        usage = Usage(fresh, said, 0, money=0.0, seconds=time.monotonic() - started)
        self._reply = Reply(text.text, done, usage, mark)

    def holds(self, mark: Mark) -> bool:
        """True when none of the span was dropped to make room."""
        return self._start <= mark.start <= mark.end <= len(self.messages)

    def fork(self) -> PlainStream:
        """A copy with a cache of its own."""
        other = copy.copy(self)
        other.messages, other._held = list(self.messages), list(self._held)
        other._cache = copy.deepcopy(self._cache)
        other._chance = self._chance.clone_state()
        return other

    def save(self, path: Path) -> None:
        """Write the messages; the cache is made anew from them."""
        write_messages(path, self.head, self.messages, self._start)

    def load(self, path: Path) -> bool:
        """Restore a conversation with the same head."""
        found = read_messages(path, self.head)
        if found is None:
            return False
        self.messages, self._start = found
        self._reply = None
        return True

    def _append(self, message: Message) -> Mark:
        self.messages.append(message)
        return Mark(len(self.messages) - 1, len(self.messages))

    def _prompt(self, reply_tokens: int) -> tuple[list[int], int]:
        """The ids to have in the cache, and how many tokens of reply fit behind them."""
        model = self.model
        least = min(reply_tokens, model.window // 4)
        budget = most = model.window - least
        while budget > 0:
            fitted = fit(Message("system", self.head), self.messages, budget, model.count, self._start)
            ids = model.render(self.head, list(fitted.messages))
            if len(ids) <= most:
                self._start = fitted.start
                return ids, min(reply_tokens, model.window - len(ids))
            budget -= len(ids) - most
        size = model.count(self.head)
        raise UserError(
            f"the head of this agent ({size} tokens) does not fit into a context of {model.window}",
            where=model.name,
            fix="Use a model with a larger context, or shorten the role and the task",
        )

    def _feed(self, ids: list[int]) -> tuple[int, Any]:
        """Bring the cache to these ids; how many were new, and the logits behind the last one."""
        common = 0
        for ours, theirs in zip(self._held, ids[:-1], strict=False):
            if ours != theirs:
                break
            common += 1
        if common < len(self._held):
            self._cache.crop(common - len(self._held))
            del self._held[common:]
        return len(ids) - common, self._forward(ids[common:])

    def _forward(self, ids: list[int]) -> Any:
        import torch

        network = self.model.network
        with torch.inference_mode():
            out = network(
                input_ids=torch.tensor([ids], device=network.device),
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
            )
        self._held.extend(ids)
        return out.logits[0, -1].float().cpu()
