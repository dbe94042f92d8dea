"""One of several processes that compute the cases of test_processes.py; the first is the test itself."""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from pipeline.settings.training import FitSettings
from pipeline.training.job import Inputs, follow_job
from pipeline.training.processes import join
from pipeline.training.team import Team

CPU = torch.device("cpu")


def compute(team: Team, inputs: dict[str, Any], settings: dict[str, Any], state: str) -> None:
    """This process's part of one training."""
    told = FitSettings.model_validate(settings)
    follow_job(Inputs.from_json(inputs), settings=told, state=Path(state), team=team, device=CPU, memory_gb=None)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    folder, team = Path(sys.argv[1]), Team(int(sys.argv[2]), int(sys.argv[3]))
    join(team, str(folder / "meeting"), CPU)
    for case in json.loads((folder / "cases.json").read_text()):
        compute(team, **case)
    distributed.destroy_process_group()
