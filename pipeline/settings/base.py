"""What every section of config.yaml has in common: frozen, typed, and unforgiving of unknown keys.

A stage imports only the sections that it uses, so that a new option elsewhere does not change its code digest.
"""

import json
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Count = Annotated[int, Field(ge=1)]
NotNegative = Annotated[float, Field(ge=0)]
Number = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
GateBias = Annotated[float, Field(ge=-100, le=100)]  # far beyond it a gate is shut or open for good
Confidence = Annotated[float, Field(gt=0, lt=1)]


MOST_VALUES, DEEPEST = 100_000, 40  # of a configuration: ours has about 500 values, six levels deep


class SettingsError(ValueError):
    """A setting that is unknown or out of range; the message names the key, the value and the remedy."""


class Section(BaseModel):
    """A section of config.yaml: immutable after validation; unknown keys are errors, and so are .inf and .nan."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


S = TypeVar("S", bound=Section)
LONGEST_SHOWN = 100  # of a wrong value, in characters: it may be a whole section


def parse_section(kind: type[S], values: dict[str, Any], *, where: str = "") -> S:
    """Validate `values` as a section of type `kind`; `where` is its place in config.yaml, for messages.

    Raises SettingsError naming each wrong key or value and, for an unknown key, the nearest valid one.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(kind, problem, where) for problem in error.errors())) from None


def check_extent(content: Any, *, where: str) -> None:
    """Raise SettingsError where aliases make a small YAML file a huge value, or one that holds itself (row 24)."""
    if _extent(content, {}, ()) > MOST_VALUES:
        raise SettingsError(f"{where}: more than {MOST_VALUES} values once its aliases are filled in; write them out")


def _extent(content: Any, known: dict[int, int], above: tuple[int, ...]) -> int:
    """Number of values in `content`, each alias counted as often as it stands there, without filling them in."""
    if not isinstance(content, dict | list):
        return 1
    if id(content) in above or len(above) > DEEPEST:
        raise SettingsError(f"settings: a value that holds itself, or lies more than {DEEPEST} levels deep")
    if id(content) not in known:
        inner = list(content.values()) if isinstance(content, dict) else content
        known[id(content)] = 1 + sum(_extent(value, known, (*above, id(content))) for value in inner)
    return known[id(content)]


def parse_settings(kind: type[S], text: str) -> S:
    """Validate the JSON text of a stage's `--settings` option."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"--settings: {text[:80]!r} is no JSON: {error}") from None
    return parse_section(kind, values, where="--settings")


def _explain(kind: type[BaseModel], problem: Any, where: str) -> str:
    path = [str(part) for part in problem["loc"]]
    place = ".".join([*([where] if where else []), *path])
    if problem["type"] == "missing":
        return f"{place}: this key is missing"
    if problem["type"] != "extra_forbidden":
        got = repr(problem.get("input"))
        return f"{place}: {problem['msg']}; got {got if len(got) <= LONGEST_SHOWN else got[:LONGEST_SHOWN] + ' …'}"
    valid = _valid_keys(kind, path[:-1])
    near = get_close_matches(path[-1], valid, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else f"; valid keys are {', '.join(sorted(valid))}"
    return f"{place}: unknown key{hint}"


def _valid_keys(kind: Any, path: list[str]) -> list[str]:
    """Field names of the model reached from `kind` along `path`; dict keys and list positions are passed over."""
    for part in path:
        fields = getattr(kind, "model_fields", {})
        if part in fields:
            kind = _model_in(fields[part].annotation) or kind
    return list(getattr(kind, "model_fields", {}))


def _model_in(annotation: Any) -> Any:
    """The pydantic model inside an annotation such as `dict[str, M]`, `M | None` or `tuple[M, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if model := _model_in(argument):
            return model
    return None
