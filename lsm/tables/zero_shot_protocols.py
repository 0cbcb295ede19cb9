"""The figures of one split by each protocol, from the scores of every candidate."""

from collections.abc import Mapping, Sequence

from harness.selection import PASSING, History, Published, Validation
from lsm.zero_shot.retrieval import TOP_K
from lsm.zero_shot.selection import POOLS

Figures = Mapping[str, tuple[float | None, float | None]]  # direction -> seen and unseen, in %


def top1(direction: str, pool: str) -> str:
    """Name of a score."""
    return f"{direction}, {pool} top-1"


def published_rule(direction: str, floors: tuple[float | None, float | None]) -> Published:
    """The published scripts' choice of an epoch, each direction on its own.

    Args:
        direction: "audio -> image" for instance.
        floors: smallest seen and unseen top-1 of an epoch that may be reported.
    """
    lowest = {
        top1(direction, pool): floor
        for pool, floor in zip(POOLS, floors, strict=True)
        if floor is not None
    }
    return Published(top1(direction, "seen"), lowest)


def validated(history: History, directions: Sequence[str]) -> dict[str, float]:
    """Each direction and pool at the candidate that held-out items choose by its top-1.

    Args:
        history: of one split.
        directions: "audio -> image" for instance.
    """
    values = {}
    for direction in directions:
        for pool in POOLS:
            chosen = Validation(top1(direction, pool)).choose(history).candidate
            for k in TOP_K:
                name = f"{direction}, {pool} top-{k}"
                values[name] = history.test[chosen][name]
    return values


def published(history: History, floors: Figures) -> dict[str, float]:
    """Each direction at its own epoch, seen and unseen, and how many epochs pass its floors.

    Args:
        history: of one split.
        floors: of each direction, see `published_rule`.
    """
    values = {}
    for direction, lowest in floors.items():
        rule = published_rule(direction, lowest)
        chosen = rule.choose(history).candidate
        for pool in POOLS:
            name = top1(direction, pool)
            values[f"{name} (published)"] = history.test[chosen][name]
        if rule.floors:
            passing = [
                all(scores[name] >= low for name, low in rule.floors.items())
                for scores in history.test
            ]
            values[f"{direction}, {PASSING} (published)"] = float(sum(passing))
    return values


def floors_note(floors: Figures) -> str:
    """What a reader has to know of the floors, or "".

    Args:
        floors: of each direction, see `published_rule`.
    """
    parts = [
        f"{direction} seen {seen:g} and unseen {unseen:g}"
        for direction, (seen, unseen) in floors.items()
        if seen is not None
    ]
    if not parts:
        return ""
    none = "where no epoch passes, the best seen one is shown"
    return f"published rule's floors in %: {', '.join(parts)}; {none}"
