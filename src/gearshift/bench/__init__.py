"""Benchmarks of a compiled model from files, as ais_bench and msame run them."""
