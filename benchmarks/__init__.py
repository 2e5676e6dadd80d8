"""Side-by-side measurements against the peers. Never part of the test run."""
