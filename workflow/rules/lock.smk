# One run at a time in a results folder (workflow/lib/run_lock.py).
if workflow.is_main_process and (busy := run_lock.holder(CFG.results)):
    # before planning: files that come and go while it plans may end it with another message
    print(f"{CFG.results}: in use by {busy}; no other run starts", file=sys.stderr)


def slurm_run():
    """What SLURM calls this run's jobs; the executor of another cluster, or of this machine, has no such name."""
    return getattr(getattr(workflow.scheduler, "_executor", None), "run_uuid", "")


onstart:
    gc.freeze()  # the plan stays; what comes from now on is looked through as ever (guard.smk)
    gc.enable()
    try:
        left_by = run_lock.take(CFG.results, slurm_run())
    except run_lock.FolderInUse as error:
        raise WorkflowError(str(error))
    try:
        told = orphans.clear(left_by)
    except orphans.StillThere as error:
        # as it was: the next run meets the same jobs
        run_lock.release(CFG.results, left_by)
        raise WorkflowError(str(error))
    if left_by:
        print(
            f"the run before did not end well ({left_by}); its lock is taken over",
            file=sys.stderr,
        )
    if told:
        print(told, file=sys.stderr)


onsuccess:
    run_lock.release(
        CFG.results,
        orphans.last_words(run_lock.text(CFG.results), slurm_run(), well=True),
    )


onerror:
    # after Ctrl-C, jobs that were told to end may need a while: the next run waits for them
    run_lock.release(
        CFG.results,
        orphans.last_words(run_lock.text(CFG.results), slurm_run(), well=False),
    )
