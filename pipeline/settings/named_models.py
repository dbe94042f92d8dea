"""Models by name: a section `models.<name>` is a plug-in's, or `like` another section with some keys changed.

`sglc_prior: {like: sglc, adjacency: prior}` is the plug-in `sglc` with another option. A run names a section, so that
encoders, results and cards of different options never share a folder.
"""

import re
from typing import Any

from pipeline.plugins import load_plugin, plugin_names
from pipeline.settings.base import SettingsError, parse_section
from pipeline.settings.overlay import overlaid

NAME = re.compile(r"[a-z][a-z0-9_]*")  # a hyphen would end the model's part in the name of an encoder


def completed(models: Any) -> tuple[Any, dict[str, str]]:
    """Every section with what it takes over from the one that it is like, and the plug-in of each.

    Anything that is no mapping of mappings is returned as it is: the types of `Config` say what is wrong with it.
    Raises SettingsError for a section that is like itself or like none, and for a plug-in's own that is like another.
    """
    if not isinstance(models, dict) or not all(isinstance(own, dict) for own in models.values()):
        return models, {}
    chains = {name: _chain(models, name) for name in models}
    sections: dict[str, Any] = {}
    for name, chain in chains.items():
        made: dict[str, Any] = {}
        for ancestor in reversed(chain):
            made = overlaid(made, {key: value for key, value in models[ancestor].items() if key != "like"})
        sections[name] = made
    return sections, {name: chain[-1] for name, chain in chains.items()}


def _chain(models: dict[str, Any], name: str) -> list[str]:
    """The section `name`, the one it is like, and so on; the last bears the name of its plug-in."""
    chain = [name]
    while (other := models[chain[-1]].get("like")) is not None:
        where = f"models.{chain[-1]}.like"
        if not isinstance(other, str) or other not in models or other in chain:
            known = ", ".join(str(known) for known in models)
            raise SettingsError(f"{where}: {str(other)[:80]!r} is not another model; there are {known}")
        if _is_plugin(chain[-1]):
            raise SettingsError(f"{where}: {chain[-1]} is a plug-in of its own; give the other options another name")
        chain.append(other)
    return chain


def check_sections(sections: dict[str, dict[str, Any]], plugins: dict[str, str]) -> None:
    """Raise SettingsError, with everything that is wrong, unless each section holds what its plug-in's type asks for.

    The types stand in pipeline/settings/model_<plug-in>.py (light: no torch).
    """
    wrong = []
    for name, values in sections.items():
        if not NAME.fullmatch(name):
            wrong.append(f"models.{name}: a model is named in small letters, digits and _, a letter first")
        elif not _is_plugin(plugins[name]):
            remedy = "write it, or say `like: <other model>`"
            wrong.append(f"models.{name}: there is no pipeline/settings/model_{plugins[name]}.py; {remedy}")
        else:
            try:
                parse_section(model_settings(plugins[name]).ModelConfig, values, where=f"models.{name}")
            except SettingsError as error:
                wrong.append(str(error))
    if wrong:
        raise SettingsError("\n".join(wrong))


def model_settings(plugin: str) -> Any:
    """The module pipeline/settings/model_<plug-in>.py."""
    return load_plugin("settings", f"model_{plugin}")


def _is_plugin(name: str) -> bool:
    return f"model_{name}" in plugin_names("settings")
