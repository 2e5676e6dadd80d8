"""The models that the benchmark runs: some found in packages, some built with seeded weights."""
