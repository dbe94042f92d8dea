"""flock on file systems of clusters, some of which offer none: Lustre without the option, NFS without lockd."""

import errno
import fcntl

NONE_HERE = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
REMEDY = "mount a Lustre file system with the option flock, NFS with its lock daemon"


def locked(descriptor: int, operation: int) -> bool:
    """Lock an open file (fcntl.LOCK_EX ...), until it is closed; False where its file system has no locks.

    Raises BlockingIOError where another process holds it (with fcntl.LOCK_NB), OSError where it cannot be asked for.
    """
    try:
        fcntl.flock(descriptor, operation)
    except OSError as error:
        if error.errno not in NONE_HERE:
            raise
        return False
    return True
