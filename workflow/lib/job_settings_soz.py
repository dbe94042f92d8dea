"""What each job of the SOZ arm is told: one JSON string of just the sections that its stage uses (job_settings.py)."""

from typing import Any

from pipeline.settings.base import SettingsError
from pipeline.settings.config import Config
from pipeline.settings.soz import SozTokens
from workflow.lib.soz import dealt_name, tokens_name


def soz_index(config: Config, corpus: str) -> dict[str, Any]:
    chosen = config.corpora[corpus]
    return {
        "index": {"corpus": corpus, "reader": chosen.reader, "version": chosen.version},
        "reading": config.soz.reading_of(corpus),
    }


def soz_ingest(config: Config, corpus: str) -> dict[str, Any]:
    return {"corpus": corpus, "reading": config.soz.reading_of(corpus)}


def soz_clips(config: Config) -> dict[str, Any]:
    return {"clips": config.soz.clips}


def soz_tokens(config: Config, tokens: str) -> dict[str, Any]:
    """`tokens`: the name of the store's folder (`tokens_name`)."""
    return {"tokens": _tokens(config, tokens), "clips": config.soz.clips, "rate_hz": config.soz.reading.rate_hz}


def _tokens(config: Config, name: str) -> SozTokens:
    for run in config.soz.runs:
        if tokens_name(tokens := config.soz.of(run).tokens) == name:
            return tokens
    raise SettingsError(f"{name}: no run of soz.runs has tokens of that name")


def soz_folds(config: Config, dealt: str) -> dict[str, Any]:
    """`dealt`: what the folds add to the name of their file (`dealt_name`)."""
    for run in config.soz.runs:
        folds = config.soz.of(run).folds
        if dealt_name(config, folds) == dealt:
            return {"folds": folds.model_copy(update={"labels": "soz"})}
    raise SettingsError(f"folds{dealt}: no run of soz.runs deals its patients so")


def soz_pretrain(config: Config, run: str, fold: int, seed: int) -> dict[str, Any]:
    chosen = config.soz.of(run)
    return {
        "model": chosen.model, "pretraining": chosen.pretraining, "labels": chosen.folds.labels,
        "conditions": chosen.finetuning.conditions, "fold": fold, "seed": seed, "device": config.device,
    }  # fmt: skip


def soz_train(config: Config, run: str, fold: int, seed: int) -> dict[str, Any]:
    chosen = config.soz.of(run)
    return {
        "model": chosen.model, "finetuning": chosen.finetuning, "calibration": chosen.calibration,
        "labels": chosen.folds.labels, "fold": fold, "seed": seed, "device": config.device,
    }  # fmt: skip


def soz_predict(config: Config) -> dict[str, Any]:
    return {"device": config.device}
