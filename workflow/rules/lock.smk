# One run at a time in a results folder (workflow/lib/run_lock.py).
if workflow.is_main_process and (busy := run_lock.holder(CFG.results)):
    # before planning: files that come and go while it plans may end it with another message
    print(f"{CFG.results}: in use by {busy}; no other run starts", file=sys.stderr)


onstart:
    gc.freeze()  # the plan stays; what comes from now on is looked through as ever (guard.smk)
    gc.enable()
    try:
        left_by = run_lock.take(CFG.results)
    except run_lock.FolderInUse as error:
        raise WorkflowError(str(error))
    if left_by:
        print(
            f"the run before did not end well ({left_by}); its lock is taken over",
            file=sys.stderr,
        )


onsuccess:
    run_lock.release(CFG.results)


onerror:
    run_lock.release(CFG.results)
