"""A curve over the share of labels: where learning starts, and what is learnt."""

from collections.abc import Mapping
from typing import NamedTuple

from facessl.studies._starts import Start
from facessl.studying import Done

_SAID = {"frozen": "frozen", "finetune": "fine-tuned"}


class Line(NamedTuple):
    """A curve: where learning starts, and what is learnt."""

    start: Start
    mode: str  # frozen or finetune

    @property
    def how(self) -> str:
        return _SAID[self.mode]

    @property
    def name(self) -> str:
        if not self.start.begins_with_nothing:
            return f"{self.start.title}, {self.how}"
        if self.mode == "frozen":
            return "untrained, frozen"
        read = " on the untrained embedding" if self.reads_embedding else ""
        return f"from nothing{read}, fine-tuned"

    @property
    def reads_embedding(self) -> bool:
        """Return whether it begins as a linear layer fitted on the embedding; else by chance on averaged features."""
        return self.mode == "frozen" or self.start.kind != "nothing"


Curves = Mapping[Line, Mapping[float, Mapping[int, Done]]]  # per cent of the labels -> seed -> run
