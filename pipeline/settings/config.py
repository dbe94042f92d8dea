"""The whole of config.yaml as one typed model; used when the workflow is parsed, never by a stage."""

from typing import Any, Literal

from pydantic import PrivateAttr

from pipeline.settings.base import (
    Count,
    GateBias,
    NotNegative,
    Positive,
    Section,
    Seed,
    SettingsError,
    check_extent,
    parse_section,
)
from pipeline.settings.clip_lists import EvaluationSection
from pipeline.settings.clips import ClipSettings, MyoclonicSplit
from pipeline.settings.comparison import ComparisonConfig
from pipeline.settings.compat_report import CompatReportConfig
from pipeline.settings.corpora import IngestSettings, PathText
from pipeline.settings.corpus_section import CorpusSettings
from pipeline.settings.evaluation import LocalisationSettings, OcclusionSettings
from pipeline.settings.experiments import ExperimentSettings
from pipeline.settings.features import FeatureSettings, GraphSettings
from pipeline.settings.learned_graphs import LearnedGraphSettings
from pipeline.settings.named_models import check_sections, completed
from pipeline.settings.overlay import overlaid
from pipeline.settings.paper import PaperConfig
from pipeline.settings.planted import PlantedConfig
from pipeline.settings.report import ReportSettings
from pipeline.settings.runs import PlanEntry, RunSettings
from pipeline.settings.search import SearchConfig
from pipeline.settings.sglc import SglcConfig
from pipeline.settings.signals import ChannelSettings, SignalSettings
from pipeline.settings.soz_runs import SozConfig
from pipeline.settings.training import (
    AugmentConfig,
    AuxiliaryConfig,
    DeviceConfig,
    EarlyStopping,
    ForecastLoss,
    LoopNumbers,
    SamplingConfig,
)


class LoopConfig(LoopNumbers):
    """training.<task>.<length>; the compat switches are added when a job's settings are made."""

    gate_bias: GateBias | None  # null: models.<name>.init.gate_bias


class PretrainingConfig(LoopConfig):
    """training.pretraining.<length>; what is minimised is compat.ssl_loss."""

    checkpoint: Literal["loss"]


class DetectionConfig(LoopConfig):
    """training.detection.<length>."""

    checkpoint: Literal["auroc", "loss"]
    loss: Literal["bce"]


class ClassificationConfig(LoopConfig):
    """training.classification.<length>."""

    checkpoint: Literal["weighted_f1", "loss"]
    loss: Literal["ce", "weighted_ce", "focal"]
    focal_gamma: NotNegative  # of loss: focal


class TrainingConfig(Section):
    """training: one entry per task and clip length in seconds."""

    pretraining: dict[int, PretrainingConfig]
    detection: dict[int, DetectionConfig]
    classification: dict[int, ClassificationConfig]
    auxiliary: dict[int, AuxiliaryConfig]  # of runs with an auxiliary loss
    pretraining_seed: Seed
    checkpoint_minutes: Positive  # changes no result: given to stages beside their settings


class CompatConfig(Section):
    """compat: the published defects that have a switch (docs/compat.md)."""

    zero_unreadable: bool
    resample_length: Literal["seconds", "published"]
    mirror_pairs: Literal["all", "published"]
    mirror_graph: Literal["correct", "published"]
    negative_seed: Literal["run", "published"]
    diffusion_recursion: Literal["powers", "chebyshev", "published"]
    ssl_loss: ForecastLoss
    early_stopping: EarlyStopping
    cnn_lstm_batch_axis: bool
    padding: Literal["after", "before"]
    time_scaler: Literal["own", "fft"]
    scale_zero_bins: bool
    label_edge: Literal["half_open", "touching"]
    clip_start_offset: bool
    mysz_split: MyoclonicSplit
    threshold_strict: bool


class TrialConfig(Section):
    """trial: corpora on which nothing was tuned, and what is built for each of them."""

    corpora: list[str]
    plan: list[PlanEntry]


class RealSegmentsConfig(Section):
    """real_segments: the folder of EDFs to score, and the detector that scores them."""

    root: PathText | None
    pseudonyms: bool  # recordings by pseudonyms rather than by the names of their files (docs/privacy.md)
    run: str
    length_s: Count
    seed: Seed


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
    sampling: SamplingConfig
    device: DeviceConfig
    training: TrainingConfig
    evaluation: EvaluationSection
    occlusion: OcclusionSettings
    learned_graphs: LearnedGraphSettings
    localisation: LocalisationSettings
    experiments: ExperimentSettings
    report: ReportSettings
    runs: dict[str, RunSettings]
    plan: list[PlanEntry]
    trial: TrialConfig
    real_segments: RealSegmentsConfig
    paper: PaperConfig
    comparisons: ComparisonConfig
    search: SearchConfig
    sglc: SglcConfig
    planted_graph: PlantedConfig
    soz: SozConfig
    compat_report: CompatReportConfig
    compat: CompatConfig
    _plugins: dict[str, str] = PrivateAttr(default_factory=dict)  # of each section of `models`

    def of(self, corpus: str) -> "Config":
        """The configuration that holds for a corpus: this one, with the corpus's own switches of `compat`."""
        own = self.corpora[corpus].compat
        if not own:
            return self
        values = self.compat.model_dump() | own
        compat = parse_section(CompatConfig, values, where=f"corpora.{corpus}.compat")
        if own.get("resample_length") != "published":
            return self.model_copy(update={"compat": compat})
        signals = self.signals.model_copy(update={"resampling": "fft"})  # D2 is a property of the published resampling
        return self.model_copy(update={"compat": compat, "signals": signals})

    def plugin_of(self, model: str) -> str:
        """The plug-in (`pipeline/models/<plug-in>.py`) behind a section of `models`."""
        return self._plugins[model]


def parse_config(values: dict[str, Any]) -> Config:
    """Validate config.yaml (as a mapping). Raises SettingsError with every wrong key and its nearest valid one.

    A corpus may say `like: <other corpus>`: it then has the other's settings except for those that it gives itself. One
    with a `root` of its own does not take over how the other is simulated. A fold (`folds: {of: <corpus>, ...}`) is
    like the corpus that it is a fold of. A model may be `like` another in the same way (named_models.py).
    """
    check_extent(values, where="config.yaml (with its overlays)")
    corpora = values.get("corpora")
    if isinstance(corpora, dict):
        values = {**values, "corpora": {name: _inherited(corpora, name) for name in corpora}}
    models, plugins = completed(values.get("models"))
    config = parse_section(Config, {**values, "models": models} if plugins else values)
    check_sections(config.models, plugins)
    config._plugins.update(plugins)
    for name in config.corpora:
        config.of(name)  # a switch that is none stops here
    for run in config.soz.runs:
        config.soz.of(run)  # and a key that a run cannot change
    return config


def _inherited(corpora: dict[str, Any], name: str, asked: tuple[str, ...] = ()) -> Any:
    own = corpora[name]
    if not isinstance(own, dict):
        return own
    folds = own.get("folds")
    other = own.get("like", folds.get("of") if isinstance(folds, dict) else None)  # a fold is like its corpus
    if other is None:
        return own
    if not isinstance(other, str) or other not in corpora or other in (*asked, name):
        known = ", ".join(str(known) for known in corpora)
        raise SettingsError(f"corpora.{name}.like: {str(other)[:80]!r} is not another corpus; there are {known}")
    from_folder = {"simulate": None} if own.get("root") is not None else {}
    given = {key: own[key] for key in own if key != "like"}
    return overlaid(_inherited(corpora, other, (*asked, name)), {**from_folder, **given})
