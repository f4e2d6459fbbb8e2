"""The runs that studies started: they are many, and left out of lists unless somebody asks for them."""

from collections.abc import Collection, Sequence

from facessl.run import Run
from pages._shared.backend import studio
from pages._shared.compare.link import switch
from pages._shared.words import count


def without_those_of_studies(runs: Sequence[Run], asked: Collection[str | None], *, key: str) -> list[Run]:
    """Return the runs to show, those of studies only where a person wants to see them, or where there are no others.

    Args:
        runs: All that could be shown.
        asked: Ids that a link or a person has chosen: is one of them a study's, its like are shown at first.
        key: Of the switch, which is drawn where there is something to choose.
    """
    studies = {run.id for run in studio().runs("study")}
    theirs = [run for run in runs if run.config["group"] in studies]
    if not theirs or len(theirs) == len(runs):
        return list(runs)
    linked = any(run.id in asked for run in theirs)
    both = switch(f"With the {count(len(theirs), 'run')} of studies", name="of-studies", key=key, at_first=linked)
    return list(runs) if both else [run for run in runs if run not in theirs]
