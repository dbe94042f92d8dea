"""SIGTERM during a training: the scheduler takes the machine back (time limit, preemption, scancel).

The signal is noted, and the training ends itself at a moment at which its state is kept. SLURM gives KillWait seconds
(30 by default) between SIGTERM and SIGKILL; a training of which one step, or one batch of validation, takes longer
loses what came after its last state.
"""

import signal
import threading
from types import FrameType, TracebackType

STATUS = 128 + signal.SIGTERM  # what a shell says of a process that SIGTERM ended


class Ended(SystemExit):
    """The training was told to end, and its state is kept."""

    def __init__(self) -> None:
        super().__init__(STATUS)


class Ending:
    """While the `with` block lasts, SIGTERM sets `asked` and does no more. Outside the main thread: nothing."""

    def __init__(self) -> None:
        self.asked = False
        self._before: signal.Handlers | None = None

    def __enter__(self) -> "Ending":
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._note)  # type: ignore[assignment]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
