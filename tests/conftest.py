"""How every test runs."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Machines are shared: how long an example takes says nothing. CI runs the same examples each time,
# so that what it refuses is what was changed; everyone else looks for new ones.
settings.register_profile(
    "shared",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("shared")
