"""What a reply costs, from a dated table in YAML.

Prices go by the model's name alone: a model served on a machine of your own has the price of its name if
the table knows that name, and none otherwise. No price is never 0: the ledger then says that the money is
unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from chatdev.errors import UserError

TABLE = Path(__file__).with_name("prices.yaml")
_VERSION = re.compile(r"-(?:latest|\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{4})")


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens."""

    input: float
    cached: float
    output: float

    def cost(self, prompt_tokens: int, cached_tokens: int, completion_tokens: int) -> float:
        """Dollars; `cached_tokens` is the part of the prompt tokens that was read from a cache."""
        cached = min(cached_tokens, prompt_tokens)
        dollars = (prompt_tokens - cached) * self.input + cached * self.cached
        return (dollars + completion_tokens * self.output) / 1_000_000


class PriceTable:
    """Prices by model name; a name also covers its dated versions."""

    def __init__(self, prices: Mapping[str, Price]) -> None:
        self._prices = dict(prices)

    @classmethod
    def load(cls, own: Path | None = None) -> PriceTable:
        """The table that ships with the package, and the rows of a user's file above it.

        Raises:
            UserError: the user's file is missing or no price table.
        """
        prices = _read(TABLE)
        if own is not None:
            prices.update(_read(own))
        return cls(prices)

    def of(self, model: str) -> Price | None:
        """The price of a model, None when the table does not know it."""
        if model in self._prices:
            return self._prices[model]
        version = _VERSION.search(model)
        if version and version.end() == len(model):
            return self._prices.get(model[: version.start()])
        return None


def _read(path: Path) -> dict[str, Price]:
    shape = "Write rows such as: prices: {my-model: {price: [0.5, 0.1, 2.0]}}"
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        rows = data["prices"]
        return {str(name): _price(row) for name, row in rows.items()}
    except OSError as error:
        raise UserError(f"the price table cannot be read ({error.strerror})", where=str(path)) from None
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError):
        raise UserError("not a price table", where=str(path), fix=shape) from None


def _price(row: object) -> Price:
    numbers = row["price"] if isinstance(row, dict) else row
    if not isinstance(numbers, list) or len(numbers) != 3:
        raise ValueError("a price is [input, cached, output]")
    price = Price(*(float(number) for number in numbers))
    if not all(0 <= number < 1e6 for number in (price.input, price.cached, price.output)):
        raise ValueError("a price is a number of dollars from 0 on")
    return price
