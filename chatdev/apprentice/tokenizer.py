"""The apprentice's tokenizer: byte-level BPE on the curriculum's dialogues.

Two digits are a token at most. The text that the merges are learned from is cut where the values of slots (names,
titles, texts) stand, so that open words fall into short pieces which have to be copied one by one, and not into words
that can be known by heart. Only words that are said often take the blank before them along, so that an open word is
spelled alike in a sentence and between quotes. Indented code is merged beyond words, whole lines at best: a program
takes half the tokens so, and what varies in it, numbers and quoted texts, stays apart. A stream always begins with the
same sink token.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatdev.apprentice.curriculum import Lesson

SINK, END, PAD = "<|sink|>", "<|end|>", "<|pad|>"
SPECIAL = [PAD, SINK, END, "<|system|>", "<|user|>", "<|assistant|>"]
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
CODE = r"[^\n\p{N}\"']*"
LINES = rf"\n+(?: {{4}})+{CODE}|(?<=\n)(?:def|class|import|from|@|if __name__|<file|</file){CODE}\n*"
"""An indented line, or one that can only be code, up to the first digit or quote."""
SENTENCES = r"\"\"\"[^\n\p{N}\"]*(?:\"\"\")?"
"""A docstring of one line."""
NAMES = r" ?\p{L}+(?:[_.(\[=)]+\p{L}+)+[(\[)\]:,.]*"
"""Words that signs of code join."""
WORDS = r"\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""A word, two digits, a run of signs, a run of blanks."""
OFTEN = 1_200
"""Words that take the blank before them along."""
NUMBERS = 300
"""Times that all numbers of two digits are read, so that each becomes a token."""
LONGEST = 120
"""Bytes of a token."""


def merged(texts: Iterable[str]) -> str:
    """What is merged at most, as a regular expression."""
    counts = Counter(word for text in texts for word in re.findall(r"(?<= )[^\W\d_]+", text))
    often = "|".join(word for word, _ in counts.most_common(OFTEN))
    return rf"{LINES}|{SENTENCES}|{NAMES}| (?:{often})(?!\p{{L}})|{WORDS}"


def train(texts: Iterable[str], size: int) -> Any:
    """A `PreTrainedTokenizerFast` with `size` tokens."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    texts = [*texts, *([" ".join(f"{number:02d}" for number in range(100))] * NUMBERS)]
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(merged(texts)), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        max_token_length=LONGEST,
    )
    inner.train_from_iterator(texts, trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token=SINK, eos_token=END, pad_token=PAD, additional_special_tokens=SPECIAL[3:]
    )  # type: ignore[no-untyped-call]
    made.chat_template = TEMPLATE
    return made


def masked(text: str, lesson: Lesson) -> list[str]:
    """`text` in pieces, without the texts that its lesson's program has in quotes."""
    program = "".join(lesson.program.files.values())
    values = [value for value in lesson.choices.values() if isinstance(value, str) and len(value) > 2]
    values = [value for value in values if f'"{value}"' in program]
    if not values:
        return [text]
    return re.split("|".join(re.escape(value) for value in sorted(values, key=len, reverse=True)), text)


def dialogues(lessons: Iterable[Lesson], seed: int = 0) -> Iterator[str]:
    """What is said in the company about some lessons, slot values masked."""
    from chatdev.apprentice.course import course_of
    from chatdev.apprentice.rehearsal import default_company, rehearse, reworded
    from chatdev.chain.crew import Crew

    bundle = default_company()
    for number, lesson in enumerate(lessons):
        rng = random.Random(f"{seed}/{number}/tokenizer")
        company = reworded(bundle, rng) if number % 2 else bundle
        for role in sorted(company.used_roles()):
            yield from masked(Crew.head_of(company, role, lesson.task), lesson)
        done = rehearse(lesson, course_of(lesson, rng), company, None, seed=number)
        for event in done.events:
            if event.kind in ("told", "said"):
                yield from masked(event["text"], lesson)


def save(tokenizer: Any, folder: Path) -> None:
    """Write the files that `AutoTokenizer` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)


def load(folder: Path) -> Any:
    """Read them again."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)
