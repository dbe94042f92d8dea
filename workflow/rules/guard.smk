# Before config.yaml is loaded: where our modules are, and whether the file is plain settings (fault row 24).
import gc
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(workflow.basedir))

from pipeline.settings.base import SettingsError
from workflow.lib.config_file import check_config_file
from workflow.lib.own_metadata import write_own_metadata
from workflow.lib.producers import remember_producers

try:
    if workflow.is_main_process:
        own = [path for path in ("config.yaml",) if Path(path).exists()]
        for path in (*own, *workflow.overwrite_configfiles):
            check_config_file(path)
except SettingsError as error:
    raise WorkflowError(str(error))

# A plan of thousands of jobs is a large graph of objects that all stay: looking for garbage among them takes a sixth of
# the planning time. lock.smk turns it on again when the jobs start.
gc.disable()
if not workflow.is_main_process:
    write_own_metadata()
remember_producers()
