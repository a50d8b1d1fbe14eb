"""The limit of open files, of which each connection takes one."""

import contextlib


def allow_many_connections() -> None:
    """Raise the limit as far as the system lets this user.

    The usual limit is 1,024. Beyond it, no connection is accepted any more, not even from those who are served.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
