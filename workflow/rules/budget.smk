# A dry run says last what its plan costs: GPU jobs and hours (workflow/lib/budget.py), disk (workflow/lib/disk.py).
import atexit

from workflow.lib import budget, disk


def print_budget():
    if workflow.dryrun and workflow.dag is not None:
        for made in (budget, disk):
            for line in made.report(workflow.dag, CFG, CORPORA):
                print(line, file=sys.stderr, flush=True)


if workflow.is_main_process:
    atexit.register(print_budget)
