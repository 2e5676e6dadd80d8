"""Gears: what they are, how they are written, and which ones run n rows. Pure arithmetic."""
