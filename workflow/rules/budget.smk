# A dry run says last how many GPU jobs it planned, and how long they take (workflow/lib/budget.py, docs/workflow.md).
import atexit

from workflow.lib import budget


def print_budget():
    if workflow.dryrun and workflow.dag is not None:
        for line in budget.report(workflow.dag, CFG, CORPORA):
            print(line, file=sys.stderr, flush=True)


if workflow.is_main_process:
    atexit.register(print_budget)
