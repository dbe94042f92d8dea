"""The frame of every stage: options that all share, a log on file and terminal, one plain line per error."""

import argparse
import errno
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from pipeline.findings import CorpusError, Rejected, StrictError
from pipeline.plugins import UnknownPlugin
from pipeline.sealing import DamagedFile
from pipeline.settings.base import SettingsError

# Read by OpenMP when torch is loaded. By default its threads spin while they wait: where another job wants the core, a
# training step with two threads takes 4.5 s rather than 0.27. A short spin keeps the speed of an idle machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")


class StageError(Exception):
    """Something that stops a stage; the message names the file, the value and the remedy."""


def parser(doc: str | None) -> argparse.ArgumentParser:
    """An argument parser with the options that every stage has; `doc` is the stage's module docstring."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--settings", required=True, help="JSON with the sections of config.yaml that this stage uses")
    made.add_argument("--code", default="", help="digest of the code, part of a checkpoint's identity")
    made.add_argument("--log", type=Path, default=None, help="also write the log to this file")
    return made


def start(arguments: argparse.Namespace) -> logging.Logger:
    """Send log lines to the terminal (standard error) and to `--log`; return the logger."""
    logger = logging.getLogger("ictograph")
    logger.setLevel(logging.INFO)
    line = logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S")
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if arguments.log is not None:
        arguments.log.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(arguments.log, mode="w", encoding="utf-8", errors="backslashreplace"))
    for handler in handlers:
        handler.setFormatter(line)
        logger.addHandler(handler)
    logger.propagate = False
    return logger


def run(main: Callable[[], None]) -> None:
    """Call `main`; a typed error becomes one line on the terminal and in the log, and exit status 1."""
    try:
        main()
    except DamagedFile as error:
        _stop(f"{error}{_put_aside(error)}")
    except OSError as error:
        _stop(f"{error}{_remedy(error)}")
    except (StageError, SettingsError, CorpusError, UnknownPlugin, Rejected, StrictError) as error:
        _stop(str(error))


def _stop(message: str) -> None:
    logger = logging.getLogger("ictograph")
    if logger.handlers:
        logger.error("error: %s", message)
    else:
        print(f"error: {message}", file=sys.stderr)
    sys.exit(1)


def _remedy(error: OSError) -> str:
    """What to do where a result could not be written (faults.md, row 19)."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "; make room, then run the same command again: what is finished stays"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "; give the right to write there, or set `results` to another folder, then run again"
    return ""


def _put_aside(error: DamagedFile) -> str:
    """Rename a damaged result that this program made, so that the next run makes it anew (faults.md, row 21)."""
    if not error.sealed:
        return ""
    aside = error.path.with_name(f"{error.path.name}.damaged")
    try:
        error.path.replace(aside)
    except OSError:
        return ""
    return f" (done: it is now {aside.name}; run the same command again)"
