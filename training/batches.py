"""Batches for losses that take every other row of a batch as a negative."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from sentence_transformers.base.sampler import DefaultBatchSampler


class NoFalseNegatives(DefaultBatchSampler):
    """Batches in which no text of a row is a right answer to another row.

    `texts`: of each row, what is a negative of the others: its positive, and its hard negative. `answers`: of each row,
    what is right for its anchor. As in the library's NoDuplicatesBatchSampler rows keep their shuffled order, and those
    that do not fit wait for a later batch. What still waits after as many batches as all rows fill is left out of this
    epoch: `left_out` counts it.
    """

    def __init__(self, texts: Sequence[frozenset[str]], answers: Sequence[frozenset[str]], **options: Any) -> None:
        super().__init__(texts, **options)
        self._texts, self._answers = texts, answers
        self.left_out = 0

    def __len__(self) -> int:
        return -(-len(self._texts) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        if self.generator is not None:
            self.generator.manual_seed(self.seed + self.epoch)
        waiting = torch.randperm(len(self._texts), generator=self.generator).tolist()
        batches = []
        for _ in range(len(self)):
            batch, waiting = self._take(waiting)
            batches.append(batch)
        self.left_out = len(waiting)
        yield from filter(None, batches)

    def _take(self, waiting: list[int]) -> tuple[list[int], list[int]]:
        """(a batch, what waits for the next one)."""
        batch: list[int] = []
        texts: set[str] = set()
        answers: set[str] = set()
        passed: list[int] = []
        for place, row in enumerate(waiting):
            if len(batch) == self.batch_size:
                return batch, passed + waiting[place:]
            if answers.isdisjoint(self._texts[row]) and texts.isdisjoint(self._answers[row]):
                batch.append(row)
                texts |= self._texts[row]
                answers |= self._answers[row]
            else:
                passed.append(row)
        return batch, passed
