"""What each job of the SOZ arm is told: one JSON string of just the sections that its stage uses (job_settings.py)."""

from typing import Any

from pipeline.settings.base import SettingsError
from pipeline.settings.config import Config
from pipeline.settings.soz_data import SozTokens
from workflow.lib.soz import compared_with, dealing_of, run_of_encoder, tokens_name


def soz_index(config: Config, corpus: str) -> dict[str, Any]:
    chosen = config.corpora[corpus]
    return {
        "index": {"corpus": corpus, "reader": chosen.reader, "version": chosen.version},
        "reading": config.soz.reading_of(corpus),
    }


def soz_ingest(config: Config, corpus: str) -> dict[str, Any]:
    return {"corpus": corpus, "reading": config.soz.reading_of(corpus)}


def soz_clips(config: Config, corpus: str) -> dict[str, Any]:
    return {"corpus": corpus, "clips": config.soz.clips}


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
    return {"folds": dealing_of(config, dealt)}


def soz_pretrain(config: Config, pretrained: str, fold: int, seed: int) -> dict[str, Any]:
    """`pretrained`: the name of the encoder's folder (`encoder_name`)."""
    run = run_of_encoder(config, pretrained)
    return _job(config, run, fold, seed) | {"pretraining": config.soz.of(run).pretraining}


def soz_train(config: Config, run: str, fold: int, seed: int) -> dict[str, Any]:
    chosen = config.soz.of(run)
    return _job(config, run, fold, seed) | {"finetuning": chosen.finetuning, "calibration": chosen.calibration}


def _job(config: Config, run: str, fold: int, seed: int) -> dict[str, Any]:
    """What both trainings are told."""
    chosen = config.soz.of(run)
    return {
        "fold": fold, "seed": seed, "labels": chosen.folds.labels, "model": chosen.model, "device": config.device,
    }  # fmt: skip


def soz_predict(config: Config) -> dict[str, Any]:
    return {"device": config.device}


def soz_baselines(config: Config) -> dict[str, Any]:
    return {"seed": config.soz.evaluation.seed}


def soz_evaluate(config: Config, run: str) -> dict[str, Any]:
    soz = config.soz
    made = {
        "corpora": soz.corpora, "reading": soz.reading_of(soz.corpus), "clips": soz.clips, "tokens": soz.of(run).tokens,
    }  # fmt: skip
    told = {"run": run, "corpus": soz.corpus, "compared": compared_with(config, run), "evaluation": soz.evaluation}
    return told | {"made": made}


def soz_ablations(config: Config) -> dict[str, Any]:
    return {"run": config.soz.run, "ablations": config.soz.ablations, "evaluation": config.soz.evaluation}


def soz_attention(config: Config) -> dict[str, Any]:
    soz = config.soz
    return {"attention": soz.attention, "clips": soz.clips, "rate_hz": soz.reading.rate_hz, "device": config.device}


def soz_connectivity(config: Config) -> dict[str, Any]:
    """No section: what the graphs hold was settled when they were made."""
    return {}


def soz_page(config: Config, run: str) -> dict[str, Any]:
    """What both pages are told."""
    soz = config.soz
    synthetic = any(config.corpora[name].simulated for name in soz.corpora)
    return {"corpus": soz.corpus, "run": run, "synthetic": synthetic, "report": config.report}
