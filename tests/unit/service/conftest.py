"""Fixtures of the tests of the service's parts."""

from functools import partial

import pytest

from lightmodel.service import security
from lightmodel.service.rate_limit import RateLimiter


@pytest.fixture
def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock of the rate limit, so that a slow machine is limited, too."""
    monkeypatch.setattr(security, "RateLimiter", partial(RateLimiter, clock=lambda: 0.0))
