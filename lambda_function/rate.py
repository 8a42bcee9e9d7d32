"""How many photos one caller may send: a token bucket per address, in the memory of one running copy."""

import time
from collections import OrderedDict

CALLERS = 1024  # remembered at most, so that many addresses cannot fill the memory


class RateLimit:
    """Token buckets.

    Parameters
    ----------
    per_minute : int
        Size of a bucket, and tokens that flow into it per minute; 0 switches the limit off.
    """

    def __init__(self, per_minute: int):
        self._per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str, now: float | None = None) -> float:
        """Take one token and return 0, or return the seconds until there is one.

        Parameters
        ----------
        client : str
            Address of the caller.
        now : float, optional
            Seconds of a steady clock.
        """
        if not self._per_minute or not client:
            return 0.0
        now = time.monotonic() if now is None else now
        tokens, since = self._buckets.pop(client, (float(self._per_minute), now))
        tokens = min(self._per_minute, tokens + (now - since) * self._per_minute / 60)
        allowed = tokens >= 1
        self._buckets[client] = (tokens - allowed, now)
        if len(self._buckets) > CALLERS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) * 60 / self._per_minute
