"""Ratios and intervals against scipy's, and on simulated people whose bias is known."""

import numpy as np
import pytest
from scipy.stats.contingency import relative_risk

from skillsim.audit import OTHERS, Comparison, Group, Verdict, compare
from skillsim.errors import AuditError


def group(name: str, outcomes: np.ndarray) -> Group:
    return Group(name, len(outcomes), float(outcomes.mean()), float(outcomes.var(ddof=1)))


def of_rates(random: np.random.Generator, n: int, **rates: float) -> list[Group]:
    return [group(name, (random.random(n) < rate).astype(float)) for name, rate in rates.items()]


@pytest.mark.parametrize(("few", "many"), [(30, 60), (55, 60), (3, 90)])
def test_of_rates_it_is_the_interval_of_a_relative_risk(few: int, many: int) -> None:
    n, m = 400, 300
    rates = [group("a", np.repeat([1.0, 0.0], (few, n - few))), group("b", np.repeat([1.0, 0.0], (many, m - many)))]
    one = compare(rates).groups[1]
    expected = relative_risk(few, n, many, m)
    interval = expected.confidence_interval(0.95)
    assert one.ratio == pytest.approx(expected.relative_risk)
    # scipy's variance of a rate has n below the line, ours n - 1.
    assert (one.low, one.high) == pytest.approx((interval.low, interval.high), rel=0.01)


@pytest.mark.parametrize(
    ("mean", "n", "verdict"),
    [
        (0.50, 2_000, Verdict.NONE),
        (0.46, 200, Verdict.NONE),
        (0.44, 2_000, Verdict.LOWER),
        (0.30, 2_000, Verdict.ADVERSE),
        (0.38, 40, Verdict.UNCLEAR),
        (0.00, 2_000, Verdict.ADVERSE),
        (0.00, 31, Verdict.ADVERSE),
    ],
)
def test_verdicts(mean: float, n: int, verdict: Verdict) -> None:
    best = Group("best", 2_000, 0.5, 0.25)
    found = compare([Group("other", n, mean, mean * (1 - mean)), best])
    assert [one.group for one in found.groups] == ["best", "other"]
    assert found.groups[0].verdict is Verdict.HIGHEST
    assert found.groups[1].verdict is verdict
    assert bool(found.adverse) == (verdict is Verdict.ADVERSE)


def test_a_rate_of_one_is_not_known_exactly() -> None:
    """26 of 30 against 30 of 30: p is .11 by Fisher's test."""
    rates = [group("a", np.ones(30)), group("b", np.repeat([1.0, 0.0], (26, 4)))]
    one = compare(rates).groups[1]
    assert one.verdict is Verdict.NONE
    assert one.low < 0.867 < one.high


def test_nobody_selected_is_no_difference() -> None:
    found = compare([Group("a", 50, 0.0, 0.0), Group("b", 60, 0.0, 0.0)])
    assert [one.verdict for one in found.groups] == [Verdict.HIGHEST, Verdict.NONE]


def test_small_groups_are_told_together_or_not_at_all() -> None:
    random = np.random.default_rng(0)
    people = random.random((3, 20))
    large = of_rates(random, 500, a=0.5, b=0.5)
    small = [group(name, of) for name, of in zip("xyz", people, strict=True)]
    found = compare([*large, *small])
    pooled = next(one for one in found.groups if one.group == OTHERS)
    assert (pooled.n, pooled.mean) == (60, pytest.approx(people.mean()))
    alone = compare([large[0], group(OTHERS, people.ravel())])
    together = compare([large[0], *small])
    assert together == alone
    few = compare([*large, small[0]])
    assert [one.group for one in few.groups if one.group not in ("a", "b")] == []
    assert few.untold == (1, 20)
    with pytest.raises(AuditError, match="two groups of 30 people or more; there are 1"):
        compare([large[0], small[0]])


def adverse(found: Comparison) -> set[str]:
    return {one.group for one in found.adverse}


def test_planted_bias_is_recovered_and_none_is_made_up() -> None:
    """200 draws of 1,500 people a group; the error rates are binomial at .05, so that 20 of 200 is four deviations."""
    random = np.random.default_rng(8)
    lower, covered, seen, wrong = 0, 0, 0, 0
    for _ in range(200):
        fair = compare(of_rates(random, 1_500, a=0.4, b=0.4, c=0.4, d=0.4))
        lower += any(one.high < 1 for one in fair.groups[1:])
        biased = compare(of_rates(random, 1_500, a=0.5, b=0.48, c=0.3))
        of_c = next(one for one in biased.groups if one.group == "c")
        best = {"a": 0.5, "b": 0.48}[biased.groups[0].group]
        covered += of_c.low <= 0.3 / best <= of_c.high
        seen += "c" in adverse(biased)
        wrong += bool(adverse(biased) - {"c"})
    assert lower <= 20
    assert covered >= 190
    assert seen == 200
    assert wrong == 0
