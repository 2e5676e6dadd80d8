"""The version, in one place: the build reads it from here, the artifact records it."""

__version__ = "0.1.0"
