"""The frame of every stage: options that all share, a log on file and terminal, one plain line per error."""

import argparse
import errno
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from pipeline import provenance
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


def memory_option(made: argparse.ArgumentParser) -> None:
    """The option of stages that hold frames of many clips; beside the settings, since no result depends on it."""
    made.add_argument(
        "--memory-gb",
        type=float,
        default=None,
        help="frames that take more of the host's memory are read from their files batch by batch (device.memory_gb)",
    )


def start(arguments: argparse.Namespace, *, heads: bool = False) -> logging.Logger:
    """Send log lines to the terminal (standard error) and to `--log`; return the logger.

    Files that are opened from here on are inputs and outputs in the job's provenance; `heads`: of recordings the
    headers alone are read, so that none is read whole for a digest.
    """
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
    provenance.begin(arguments, heads=heads)
    return logger


def run(main: Callable[[], None]) -> None:
    """Call `main`, record what it made; a typed error becomes one line on terminal and in the log, and status 1."""
    try:
        main()
        _record(_stage_of(main))
    except DamagedFile as error:
        _stop(f"{error}{_put_aside(error)}")
    except OSError as error:
        _stop(f"{error}{_remedy(error)}")
    except (StageError, SettingsError, CorpusError, UnknownPlugin, Rejected, StrictError) as error:
        _stop(str(error))


def _record(stage: str) -> None:
    """Write what made the results. They are whole by now: where the disk is full, no training is lost for a record."""
    try:
        provenance.finish(stage)
    except OSError as error:
        logging.getLogger("ictograph").warning("the results are whole, but there is no record of provenance: %s", error)


def _stage_of(main: Callable[[], None]) -> str:
    """Name of the stage whose `main` this is, also where its module was started as a program."""
    module = main.__module__
    if module == "__main__":
        spec = getattr(sys.modules["__main__"], "__spec__", None)
        module = spec.name if spec is not None else Path(sys.argv[0]).stem
    return module.rpartition(".")[2]


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
