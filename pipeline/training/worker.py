"""A process of a training that is not its first: `python -m pipeline.training.worker`, started by processes.py.

In: one line of JSON on the standard input. It writes no file. It ends when its input does: then the first is gone.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from torch import distributed

from pipeline.settings.base import parse_section
from pipeline.settings.training import FitSettings
from pipeline.training.device import prepare_device
from pipeline.training.job import UNFIT, Inputs, follow_job
from pipeline.training.loop import Diverged
from pipeline.training.processes import READY, join
from pipeline.training.team import Team

FAREWELL_S = 30.0


def main() -> None:
    """Compute this process's part of the training until it ends."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the first decides: it may want the step at hand to be finished
        signal.signal(number, signal.SIG_IGN)
    told = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    team, settings = Team(told["rank"], told["size"]), parse_section(FitSettings, told["settings"])
    device = prepare_device(settings.device, rank=team.rank)
    print(READY, end="", flush=True)
    inputs = Inputs.from_json(told["inputs"])
    state = Path(told["state"])
    try:
        join(team, told["meeting"], device)
        follow_job(inputs, settings=settings, state=state, team=team, device=device, memory_gb=told["memory_gb"])
        distributed.destroy_process_group()
    except Diverged:
        threading.Event().wait()  # the first meets the same, says it and ends this process
    except UNFIT as error:
        sys.exit(f"error: process {team.rank + 1} of {team.size}: {error}")
    except RuntimeError:  # also what torch raises where the connection to a first that was killed breaks
        time.sleep(FAREWELL_S)  # the end of the input, which ends this process without a word, may come after it
        raise


def _end_with_the_first() -> None:
    os.read(0, 1)  # nothing more is ever written; not sys.stdin, whose lock a thread must not hold at the end
    os._exit(1)


if __name__ == "__main__":
    main()
