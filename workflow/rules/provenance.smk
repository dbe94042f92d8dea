# What made each result: the stages leave records (pipeline/provenance.py); this target shows those that are there.
import os

from pipeline import provenance, provenance_machine

# Read by the jobs: where results lie, and the commit, which only the first process asks git for.
os.environ[provenance.RESULTS] = CFG.results
if workflow.is_main_process:
    os.environ[provenance_machine.SOURCE] = provenance_machine.source_state(ROOT)


localrules:
    provenance,


# No input and no output: it builds nothing, and runs each time that it is asked for.
rule:
    name:
        "provenance"
    params:
        folder=f"{CFG.results}/{CFG.corpus}",
    message:
        "what made the results of {params.folder}"
    shell:
        "python -m pipeline.stages.provenance {params.folder:q}"
