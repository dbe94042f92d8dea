"""Inventories of named targets: which file is which, as JSON, made and written only for what is asked for."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from workflow.lib.corpus import Corpora, write_if_changed
from workflow.lib.inventory import files_of

Content = dict[str, Any]


@dataclass
class Targets:
    """Inventories and inputs of the targets, each made once. `make` gives a target's content; `place`: their folder."""

    corpora: Corpora
    make: Callable[[str], Content]
    place: str

    def __post_init__(self) -> None:
        self._known: dict[str, Content] = {}

    def inventory(self, target: str) -> Content:
        """Content of a target's inventory."""
        if target not in self._known:
            self._known[target] = self.make(target)
        return self._known[target]

    def inputs(self, target: str) -> list[str]:
        """Every file that a target's inventory names."""
        return files_of(self.inventory(target))

    def digest(self, target: str) -> str:
        """Digest of the inventory: a param, so that a changed one makes the target anew."""
        text = json.dumps(self.inventory(target), sort_keys=True)
        return blake2b(text.encode(), digest_size=8).hexdigest()

    def write(self, target: str) -> str:
        """Write the inventory where it changed; its path. Only what is asked for is ever written or scanned."""
        path = Path(self.place, "inventories", f"{target}.json")
        if self.corpora.main_process:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_if_changed(path, self.inventory(target))
        return str(path)
