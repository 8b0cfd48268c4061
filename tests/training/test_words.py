"""What single words say of a pair."""

import numpy as np
import pytest

from training.words import first_words, left_over_weights, replaced


def test_a_word_weighs_what_its_pairs_say() -> None:
    names = [
        ["1 skill"],
        ["1 skill"],
        ["1 skill"],
        ["1 tax"],
        ["1 tax"],
        ["1 tax"],
        ["2 hot", "2 cold"],
        [],
        ["1 rare"],
    ]
    same = np.array([True, True, True, False, False, False, False, True, True])
    found = left_over_weights(names, same, np.array([1, 1, 1, 1, 1, 1, 9, 9, 1.0]))
    assert set(found) == {"1 skill", "1 tax", "2 hot", "2 cold"}
    assert found["1 skill"] > 0 > found["1 tax"]
    share = 5 / 9
    assert found["1 tax"] == pytest.approx(np.log(8 * share / (3 + 8 * (1 - share))), abs=1e-3)


def test_words_replace_each_other_that_do_so_in_two_concepts() -> None:
    """ "sell" and "vend" in two concepts of the two and three that leave them over; "car" and "lorry" in one."""
    found = replaced(
        {
            "u1": ["sell cars", "vend cars"],
            "u2": ["sell ships", "vend ships", "vend ships"],
            "u3": ["sell lorries", "sell lorries often"],
            "u4": ["vend apples", "apples"],
            "u5": ["wash cars", "wash lorries"],
            "u6": ["buy and sell land by auction", "let land"],  # too much is left over
        }
    )
    assert found == {"sell vend": pytest.approx(np.log(2 / np.sqrt((3 + 5) * (3 + 5))), abs=0.01)}


def test_first_words_tell_phrases_from_names() -> None:
    """ "managing" begins one text alone."""
    phrases = ["manage ships", "manage cars", "managing cars", "java games"]
    found = first_words(phrases, ["java", "java 8", "java", "manage"])
    assert set(found) == {"manage", "java"}
    mean = np.log(5 / 4)
    assert found["manage"] == pytest.approx(np.log(3 / 2) - mean, abs=0.01)
    assert found["java"] == pytest.approx(np.log(2 / 3) - mean, abs=0.01)
