# Before config.yaml is loaded: where our modules are, and whether the file is plain settings (fault row 24).
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(workflow.basedir))

from pipeline.settings.base import SettingsError
from workflow.lib.config_file import check_config_file

try:
    if workflow.is_main_process:
        own = [path for path in ("config.yaml",) if Path(path).exists()]
        for path in (*own, *workflow.overwrite_configfiles):
            check_config_file(path)
except SettingsError as error:
    raise WorkflowError(str(error))
