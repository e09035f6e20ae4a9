"""Chunks of batches made ahead of the training by other processes, so that no step waits for its data.

The processes are forked before a GPU is touched and share the rows; a chunk depends on its number alone, so the batches
are those that one process would make.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

import torch

from chatdev.apprentice.batches import Batch, Packed

Make = Callable[[int], list[Batch]]
_make: Make | None = None


def _made(number: int) -> list[Packed]:
    assert _make is not None
    return [batch.packed() for batch in _make(number)]


class Ahead:
    """Chunks in order, from `first` on.

    Args:
        make: makes the chunk of a number.
        workers: processes; 0 makes each chunk when it is wanted. Only where processes can be forked.
    """

    def __init__(self, make: Make, first: int, workers: int) -> None:
        global _make
        self._local, self._number, self._waiting = make, first, list[Future[list[Packed]]]()
        self._pool: ProcessPoolExecutor | None = None
        if workers and sys.platform.startswith("linux"):
            _make = make
            # One thread: those of the parent are not forked with it, and a child that waits for them waits for ever.
            self._pool = ProcessPoolExecutor(workers, get_context("fork"), torch.set_num_threads, (1,))
            for number in range(first, first + 2 * workers):
                self._waiting.append(self._pool.submit(_made, number))

    def __iter__(self) -> Iterator[list[Batch]]:
        while True:
            if self._pool is None:
                yield self._local(self._number)
            else:
                self._waiting.append(self._pool.submit(_made, self._number + len(self._waiting)))
                yield [Batch.unpacked(one) for one in self._waiting.pop(0).result()]
            self._number += 1

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
