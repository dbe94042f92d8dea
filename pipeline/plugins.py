"""The one place where a module is chosen by a name in config.yaml: `models`, `corpora`, `features`.

No module imports its neighbours by listing them, so a new file in one of these folders changes nothing that exists:
the digest of a job's code covers the plug-ins that its settings name and no others (workflow/lib/code.py).
"""

import importlib
import pkgutil
import re
from types import ModuleType

import pipeline


class UnknownPlugin(ValueError):
    """No plug-in of that name; the message lists those that exist."""


def load_plugin(family: str, name: str) -> ModuleType:
    """Import `pipeline.<family>.<name>`, e.g. `load_plugin("corpora", "tusz")`.

    Raises UnknownPlugin if the name is not a module of that family.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name not in plugin_names(family):
        raise UnknownPlugin(f"no {family} plug-in {name!r}; there are {', '.join(plugin_names(family))}")
    return importlib.import_module(f"pipeline.{family}.{name}")


def plugin_names(family: str) -> list[str]:
    """Names of the modules in `pipeline/<family>/`, sorted."""
    folders = [f"{path}/{family}" for path in pipeline.__path__]
    return sorted(module.name for module in pkgutil.iter_modules(folders) if not module.name.startswith("_"))
