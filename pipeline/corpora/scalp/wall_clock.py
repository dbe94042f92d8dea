"""Clock times for corpora that date their seizures by them. The first recording of a patient goes over midnight."""

DAY_S = 86_400
FIRST_S = DAY_S - 60  # 23:59:00
APART_S = 5400


def started_s(session: int) -> int:
    """When recording number `session` (from 1) of a patient began, in seconds after midnight of its first day."""
    return FIRST_S + (session - 1) * APART_S


def clock(time_s: float, colon: str, *, wrap: bool = True) -> str:
    """`hh:mm:ss`, to the nearest second; without `wrap` the hours count on beyond 23."""
    second = round(time_s) % DAY_S if wrap else round(time_s)
    return colon.join(f"{part:02d}" for part in (second // 3600, second // 60 % 60, second % 60))
