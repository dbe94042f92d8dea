"""One mapping of settings laid over another: how a corpus or a model that is `like` another gets the rest."""

from typing import Any


def overlaid(base: Any, over: Any) -> Any:
    """`over` on top of `base`: mappings are merged, anything else is replaced."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return {**base, **{key: overlaid(base.get(key), value) for key, value in over.items()}}
