"""Disparate impact: whether outcomes differ between groups of people, from each group's counts alone. No Spark.

The ratio of a group's rate to the highest one is held to the four-fifths rule (Uniform Guidelines on Employee Selection
Procedures, 29 CFR 1607.4 D, 1978), which asks for statistical significance too. So each ratio has an interval,
by the delta method on its logarithm (Katz et al., Biometrics 1978, for rates), wide enough that all of them hold at
once: as the group of the highest rate is found in the same data, every pair of groups counts (Bonferroni).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from scipy.stats import norm

from skillsim.errors import AuditError

FOUR_FIFTHS = 0.8
SMALLEST_GROUP = 30  # people of whom nothing is told, so that nobody is found out, and nothing is read into chance
OTHERS = "(groups too small)"


class Verdict(StrEnum):
    HIGHEST = "the highest"
    ADVERSE = "below four fifths"  # and below 1 beyond chance
    LOWER = "lower, within four fifths"  # and below 1 beyond chance
    UNCLEAR = "below four fifths, by chance perhaps"
    NONE = "no difference shown"


@dataclass(frozen=True)
class Group:
    """How an outcome (0 or 1, or a share or a score from 0 to 1) came out for the people of a group.

    `variance`: of the sample, n - 1 below the line; 0 for a group of one.
    """

    name: str
    n: int
    mean: float
    variance: float


@dataclass(frozen=True)
class Compared:
    """A group beside the one with the highest mean: the ratio of both, and its interval."""

    group: str
    n: int
    mean: float
    ratio: float
    low: float
    high: float | None  # None where nobody has the outcome
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """`untold`: groups and people of whom nothing is said, as they are too few even together."""

    groups: tuple[Compared, ...]  # the highest mean first
    untold: tuple[int, int]
    level: float

    @property
    def adverse(self) -> tuple[Compared, ...]:
        return tuple(one for one in self.groups if one.verdict is Verdict.ADVERSE)


@dataclass(frozen=True)
class Audit:
    """`found`: by column of groups and outcome; `notes`: what was left out, and why."""

    found: dict[str, dict[str, Comparison]]
    notes: tuple[str, ...]


def compare_all(outcomes: Mapping[str, Sequence[Group]], smallest: int) -> tuple[dict[str, Comparison], list[str]]:
    """Of each outcome that two groups have enough people for, and why not of the others.

    Raises AuditError where there is none.
    """
    found, notes, short = {}, [], AuditError("no record of the output has a group.")
    for outcome, groups in outcomes.items():
        try:
            found[outcome] = compare(groups, smallest)
        except AuditError as error:
            short = error
            notes.append(f"{outcome}: not compared, {error}")
    if not found:
        raise short
    return found, notes


def compare(groups: Sequence[Group], smallest: int = SMALLEST_GROUP, level: float = 0.95) -> Comparison:
    """Every group of `smallest` people or more, the smaller ones pooled where they are as many together.

    Of groups that stay untold something can be found out by whoever knows the total, or audits the same people by
    another column. Raises AuditError where fewer than two groups are left.
    """
    told, untold = _pooled(groups, smallest)
    if len(told) < 2:
        raise AuditError(
            f"an audit compares two groups of {smallest} people or more; there are {len(told)}. Take a coarser group "
            "column, or more records."
        )
    ordered = sorted(told, key=lambda one: (-one.mean, one.name))
    pairs = len(ordered) * (len(ordered) - 1) / 2
    z = float(norm.ppf(1 - (1 - level) / (2 * pairs)))
    best = ordered[0]
    rows = [Compared(best.name, best.n, best.mean, 1.0, 1.0, 1.0, Verdict.HIGHEST)]
    rows += [_beside(one, best, z) for one in ordered[1:]]
    return Comparison(tuple(rows), untold, level)


def _pooled(groups: Sequence[Group], smallest: int) -> tuple[list[Group], tuple[int, int]]:
    told = [one for one in groups if one.n >= smallest]
    small = [one for one in groups if 0 < one.n < smallest]
    people = sum(one.n for one in small)
    if people < smallest or len(small) < 2:
        return told, (len(small), people)
    mean = sum(one.n * one.mean for one in small) / people
    squares = sum((one.n - 1) * one.variance + one.n * (one.mean - mean) ** 2 for one in small)
    return [*told, Group(OTHERS, people, mean, squares / (people - 1))], (0, 0)


def _beside(one: Group, best: Group, z: float) -> Compared:
    if best.mean <= 0:
        return Compared(one.name, one.n, one.mean, 1.0, 0.0, None, Verdict.NONE)
    ratio = one.mean / best.mean
    centre, error = _log_ratio(one, best)
    low, high = math.exp(centre - z * error), math.exp(centre + z * error)
    if high < 1:
        verdict = Verdict.ADVERSE if ratio < FOUR_FIFTHS else Verdict.LOWER
    else:
        verdict = Verdict.UNCLEAR if ratio < FOUR_FIFTHS else Verdict.NONE
    return Compared(one.name, one.n, one.mean, ratio, low, high, verdict)


def _log_ratio(one: Group, best: Group) -> tuple[float, float]:
    """Logarithm of the ratio, and its standard error; with half a success and half a failure more for each where a
    group has none or nothing else (Pettigrew, Gart and Thomas, Biometrika 1986)."""
    if one.mean > 0 and one.variance > 0 and best.variance > 0:
        relative = [of.variance / (of.n * of.mean**2) for of in (one, best)]
        return math.log(one.mean / best.mean), math.sqrt(sum(relative))
    means = [(of.n * of.mean + 0.5) / (of.n + 1) for of in (one, best)]
    relative = [(1 - mean) / ((of.n + 1) * mean) for of, mean in zip((one, best), means, strict=True)]
    return math.log(means[0] / means[1]), math.sqrt(sum(relative))
