"""The whole of config.yaml as one typed model; used when the workflow is parsed, never by a stage."""

from typing import Any, Literal

from pydantic import field_validator

from pipeline.plugins import load_plugin, plugin_names
from pipeline.settings.base import Section, SettingsError, parse_section
from pipeline.settings.clips import ClipSettings
from pipeline.settings.corpora import CorpusSettings, IngestSettings
from pipeline.settings.evaluation import LocalisationSettings
from pipeline.settings.experiments import ExperimentSettings
from pipeline.settings.features import FeatureSettings, GraphSettings
from pipeline.settings.report import ReportSettings
from pipeline.settings.runs import PlanEntry, RunSettings
from pipeline.settings.signals import ChannelSettings, SignalSettings
from pipeline.settings.training import DeviceSettings


class AugmentConfig(Section):
    """augment; the mirror switches come from compat."""

    reflect_probability: float
    scale_low: float
    scale_high: float


class LoopConfig(Section):
    """training.<task>.<length>; the compat switches are added when a job's settings are made."""

    epochs: int
    learning_rate: float
    batch: int
    batch_evaluation: int
    dropout: float
    weight_decay: float
    clip_norm: float
    patience: int
    checkpoint: Literal["auroc", "weighted_f1", "loss"]
    loss: Literal["bce", "ce", "mae"]
    gate_bias: float


class TrainingConfig(Section):
    """training: one entry per task and clip length in seconds."""

    pretraining: dict[int, LoopConfig]
    detection: dict[int, LoopConfig]
    classification: dict[int, LoopConfig]
    pretraining_seed: int


class EvaluationConfig(Section):
    """evaluation; `threshold_strict` comes from compat."""

    bootstrap: int
    confidence: float
    seed: int


class OcclusionConfig(Section):
    """occlusion."""

    value: Literal["mean", "raw_zero"]
    graph: Literal["held", "recomputed"]
    batch: int
    clips: Literal["correct", "all"]


class CompatConfig(Section):
    """compat: the published defects that have a switch (docs/compat.md)."""

    zero_unreadable: bool
    resample_length: Literal["seconds", "published"]
    mirror_pairs: Literal["all", "published"]
    mirror_graph: Literal["correct", "published"]
    negative_seed: Literal["run", "published"]
    diffusion_recursion: Literal["powers", "chebyshev", "published"]
    ssl_loss: Literal["mae", "rmse"]
    early_stopping: Literal["best", "published"]
    scale_zero_bins: bool
    label_edge: Literal["half_open", "touching"]
    clip_start_offset: bool
    threshold_strict: bool


class TrialConfig(Section):
    """trial: corpora on which nothing was tuned, and what is built for each of them."""

    corpora: list[str]
    plan: list[PlanEntry]


class RealSegmentsConfig(Section):
    """real_segments: the folder of EDFs to score, and the detector that scores them."""

    root: str | None
    run: str
    length_s: int
    seed: int


class Config(Section):
    """config.yaml."""

    results: str
    corpus: str
    corpora: dict[str, CorpusSettings]
    ingest: IngestSettings
    channels: ChannelSettings
    signals: SignalSettings
    clips: ClipSettings
    features: dict[str, FeatureSettings]
    graphs: GraphSettings
    models: dict[str, dict[str, Any]]
    augment: AugmentConfig
    device: DeviceSettings
    training: TrainingConfig
    evaluation: EvaluationConfig
    occlusion: OcclusionConfig
    localisation: LocalisationSettings
    experiments: ExperimentSettings
    report: ReportSettings
    runs: dict[str, RunSettings]
    plan: list[PlanEntry]
    grid_seeds: list[int]
    trial: TrialConfig
    real_segments: RealSegmentsConfig
    compat: CompatConfig

    @field_validator("models")
    @classmethod
    def _known_models(cls, models: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Each model has its section typed in pipeline/settings/model_<name>.py (light: no torch)."""
        for name, values in models.items():
            if f"model_{name}" not in plugin_names("settings"):
                raise ValueError(f"models.{name}: there is no pipeline/settings/model_{name}.py")
            parse_section(load_plugin("settings", f"model_{name}").ModelConfig, values, where=f"models.{name}")
        return models


def parse_config(values: dict[str, Any]) -> Config:
    """Validate config.yaml (as a mapping). Raises SettingsError with every wrong key and its nearest valid one.

    A corpus may say `like: <other corpus>`: it then has the other's settings except for those that it gives itself.
    """
    corpora = values.get("corpora", {})
    resolved = {name: _inherited(corpora, name) for name in corpora}
    return parse_section(Config, {**values, "corpora": resolved} if corpora else values)


def _inherited(corpora: dict[str, Any], name: str, asked: tuple[str, ...] = ()) -> Any:
    own = corpora[name]
    if not isinstance(own, dict) or "like" not in own:
        return own
    other = own["like"]
    if other not in corpora or other in (*asked, name):
        raise SettingsError(f"corpora.{name}.like: {other!r} is not another corpus; there are {', '.join(corpora)}")
    return _overlaid(_inherited(corpora, other, (*asked, name)), {key: own[key] for key in own if key != "like"})


def _overlaid(base: Any, over: Any) -> Any:
    """`over` on top of `base`: mappings are merged, anything else is replaced."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return {**base, **{key: _overlaid(base.get(key), value) for key, value in over.items()}}
