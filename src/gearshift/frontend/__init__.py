"""Frontends: a model file -> Program. One file per format."""
