"""The checkpoints of a training as its other processes see them: the first one's, to be read alone."""

from pathlib import Path
from typing import Any

from torch import Tensor

from pipeline.training.checkpoints import Checkpoints


class FollowedCheckpoints(Checkpoints):
    """Keeps and removes nothing, and holds no lock. The first process has found the state sound before it is read."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def due(self) -> bool:
        """Never."""
        return False

    def end_if_asked(self) -> None:
        """The first is asked, and ends all."""

    def save(self, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
        """The first does."""

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The last state, or None."""
        if not self.state.exists():
            return None
        tensors, record, _ = self._read()
        return tensors, record
