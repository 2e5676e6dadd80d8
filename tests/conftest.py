"""How every test runs."""

from __future__ import annotations

import os
import tempfile

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

# No test measures unless it says so, and none finds or leaves anything in the user's own cache.
# Set before anything is imported, for the processes that tests start as well.
os.environ["GEARSHIFT_TUNE_SECONDS"] = "0"
_CACHE = tempfile.TemporaryDirectory(prefix="gearshift-test-cache-")
os.environ["GEARSHIFT_CACHE_DIR"] = _CACHE.name
