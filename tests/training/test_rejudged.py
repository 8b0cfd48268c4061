"""Agreement of two judgements, counted on literal pairs; and that the lexicon left out what differed."""

from pathlib import Path

import pandas as pd
import pytest

from skillsim.lexicon import builtin_lexicon
from training.judged import read_judged
from training.lexicon import agreement, read_rejudged

REAL = Path(__file__).parents[3] / "shared" / "data" / "gold"


def test_each_question_is_counted_over_the_pairs_it_is_about() -> None:
    rows = [
        ("skill", ("a", "b"), "skill", ("a",)),
        ("skill", ("b", "a"), "skill", ("a", "c")),
        ("skill", ("x",), "multi", ("a",)),
        ("skill", (), "skill", ("a",)),
        ("skill", ("a",), "junk", ()),
        ("title", (), "title", ()),
    ]
    pairs = pd.DataFrame(rows, columns=["kind", "accepted", "first_kind", "first_accepted"])
    assert agreement(pairs) == {
        "both or neither linked": (4, 6),
        "same kind": (4, 6),
        "linked, and the second links it": (3, 4),
        "linked, and the second accepts its first concept": (2, 4),
        "both linked, and they share a concept": (2, 3),
        "no concept, and the second finds none": (1, 2),
    }


@pytest.mark.skipif(not REAL.is_dir(), reason="the judged strings are not beside the repository")
def test_no_entry_decides_what_the_second_judgement_contradicts() -> None:
    lexicon = builtin_lexicon()
    pairs = read_rejudged(read_judged(REAL))
    assert len(pairs) == 450
    for row in pairs.itertuples():
        entry = lexicon.entries.get(row.text_key)
        if entry is not None and entry.decides:
            assert bool(row.accepted) == bool(entry.concepts), entry.string
            assert not entry.concepts or set(entry.concepts) & set(row.accepted), entry.string
