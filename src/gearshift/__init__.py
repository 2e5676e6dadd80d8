"""Gear-aware ONNX inference."""
