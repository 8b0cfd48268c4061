"""Slices cut the keys into ranges that hold each key once."""

from hashlib import sha256

import pytest

from skillsim.spark.slices import key_ranges
from skillsim.spark.sql import predicate


@pytest.mark.parametrize("slices", [1, 2, 3, 7, 13, 1000, 65_536, 100_000])
def test_every_key_is_in_one_slice_and_none_is_much_larger(slices: int) -> None:
    ranges = key_ranges(slices)
    keys = ["0" * 32, "f" * 32, *(sha256(str(number).encode()).hexdigest()[:32] for number in range(2_000))]
    if slices > 1000:
        keys = keys[:20]
    held = [[key for key in keys if start <= key < end] for start, end in ranges]
    assert len(ranges) == slices
    assert sorted(key for part in held for key in part) == sorted(keys)
    if slices <= 13:
        assert max(map(len, held)) < 1.3 * len(keys) / slices


def test_a_scope_is_values_and_ranges_with_quotes_escaped() -> None:
    scope = {"model_id": r"a\b's", "text_key": ("0a", "g")}
    expected = r"t.`model_id` = 'a\\b\'s' AND t.`text_key` >= '0a' AND t.`text_key` < 'g'"
    assert predicate(scope, "t.") == expected
