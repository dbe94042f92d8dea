"""Look at configuration files before they are trusted: python -m workflow.lib.config_file FILE ...

Snakemake itself loads YAML, and runs what stands in a file that says `__use_yte__` (a template language whose
expressions are Python). So a file is checked first: size, tags, templates, and how large its aliases make it. The
Snakefile checks config.yaml before it is loaded. Files after --configfile are loaded by Snakemake before it opens the
Snakefile: check a stranger's file with this command before its first use (faults.md, row 24; docs/privacy.md).
"""

import sys
from pathlib import Path
from typing import Any

import yaml

from pipeline.settings.base import SettingsError, check_extent

MAX_BYTES = 1 << 20
TEMPLATE = "__use_yte__"


def check_config_file(path: Path | str) -> None:
    """Raise SettingsError for a file that is too large, no plain YAML, a template, or a bomb of aliases."""
    try:
        size = Path(path).stat().st_size
        text = Path(path).read_bytes().decode("utf-8") if size <= MAX_BYTES else ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read as text: {error}") from None
    if size > MAX_BYTES:
        raise SettingsError(f"{path}: {size} bytes; a configuration has {MAX_BYTES} at most")
    try:
        content: Any = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: no plain YAML: {str(error)[:300]}") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: keys with values are needed; has {type(content).__name__}")
    if TEMPLATE in content:
        raise SettingsError(f"{path}: {TEMPLATE} would run Python from this file; remove it")
    check_extent(content, where=str(path))


def main() -> None:
    """Check the files named; say the first thing that is wrong."""
    if len(sys.argv) < 2:
        sys.exit("usage: python -m workflow.lib.config_file FILE ...")
    try:
        for path in sys.argv[1:]:
            check_config_file(path)
            print(f"{path}: plain settings")
    except SettingsError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
