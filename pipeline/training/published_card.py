"""The card of an imported encoder: what is known of how it was trained."""

from typing import Any

from pipeline.settings.training import FitSettings
from pipeline.training.model_io import class_names
from pipeline.training.published_weights import Published

ELECTRODES = (  # Tang et al. 2022, appendix; the order of the published features
    "FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6", "FZ", "CZ", "PZ",
)  # fmt: skip
N_FEATURES = 100  # log amplitudes of 0-99 Hz
SCALERS = {12: (3.808461, 1.551609), 60: (3.808307, 1.544007)}  # published code: mean and std of its training clips
SOURCE = "github tsy935/eeg-gnn-ssl (Tang et al., ICLR 2022)"
UNKNOWN_SEED = 0  # settings need a number; the card's own `seed` is null


def published_settings(published: Published, length_s: int) -> FitSettings:
    """The published pre-training (section 6 and the published code) as settings of the stage `pretrain`."""
    recursion = "published" if published.graph == "correlation" else "powers"  # D10; one support: no difference
    return FitSettings.model_validate({
        "model": "dcrnn", "graph": published.graph, "task": "pretraining", "length_s": length_s, "horizon_s": 12,
        "options": {
            "units": 64, "layers": 2, "pretraining_layers": 3, "diffusion_steps": 2, "decoder_tied": published.tied,
            "init": {"gate_bias": 0.0}, "diffusion_recursion": recursion,
        },
        "features": {"kind": "fft", "floor_amplitude": 1e-8},
        "scheme": "four", "seed": UNKNOWN_SEED, "gate_bias": None, "electrodes": ELECTRODES,
        "loop": {
            "epochs": 350, "learning_rate": 5e-4, "batch": 40, "batch_evaluation": 128, "dropout": 0.0,
            "weight_decay": 5e-4, "clip_norm": 5.0, "patience": 5, "checkpoint": "loss", "loss": "rmse",
            "early_stopping": "published",
        },
        "augment": {
            "reflect_probability": 0.5, "scale_low": 0.8, "scale_high": 1.2, "mirror_pairs": "published",
            "mirror_graph": "published", "scale_zero_bins": True,
        },
        "sampling": {"balance": False, "negative_seed": "published", "label_fraction": 1.0},
        "device": {"device": "auto", "threads": 2, "mixed_precision": "off"},
    })  # fmt: skip


def published_card(published: Published, length_s: int, *, file_name: str, digest: str) -> dict[str, Any]:
    """The card as JSON content, with the keys of `make_card` as far as they are known."""
    settings = published_settings(published, length_s)
    mean, std = SCALERS[length_s]
    return {
        "task": "pretraining",
        "length_s": length_s,
        "graph": published.graph,
        "seed": None,
        "classes": list(class_names(settings)),
        "threshold": None,
        "scaler": {"mean": mean, "std": std},
        "n_features": N_FEATURES,
        "electrodes": list(ELECTRODES),
        "parameters": sum(value.numel() for value in published.weights.values()),
        "epochs": None,
        "kept_epoch": None,
        "counts": None,
        "settings": settings.model_dump(mode="json"),
        "compat": {"diffusion_recursion": settings.options["diffusion_recursion"]},
        "decoder_tied": published.tied,
        "inputs": {"checkpoint": [digest]},
        "imported": {"file": file_name, "source": SOURCE},
    }
