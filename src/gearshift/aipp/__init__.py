"""AIPP: image preprocessing that becomes a part of the model. See docs/aipp.md."""
