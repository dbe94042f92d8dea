"""What stages that train a model share: the options on which no result depends, and the job itself."""

import argparse
from pathlib import Path

from pipeline.settings.training import FitSettings
from pipeline.stages import command
from pipeline.training.job import Inputs, Outputs, run_job


def training_options(made: argparse.ArgumentParser) -> None:
    """`--checkpoints`, `--checkpoint-minutes` and `--memory-gb`."""
    made.add_argument("--checkpoints", type=Path, required=True, help="folder for what a killed training goes on from")
    made.add_argument("--checkpoint-minutes", type=float, default=None, help="keep parts of longer epochs, too")
    command.memory_option(made)


def run_fit(arguments: argparse.Namespace, inputs: Inputs, outputs: Outputs, settings: FitSettings) -> None:
    """`run_job` with what the command line says of it."""
    run_job(
        inputs,
        outputs,
        settings=settings,
        code=arguments.code,
        checkpoints=arguments.checkpoints,
        checkpoint_minutes=arguments.checkpoint_minutes,
        memory_gb=arguments.memory_gb,
    )
