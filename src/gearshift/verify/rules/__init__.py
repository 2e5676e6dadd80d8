"""One rule per operator: how rows lie in its outputs, given how they lie in its inputs."""

from gearshift.verify.rules import (
    attention,
    contraction,
    control,
    convolution,
    elementwise,
    image,
    indexing,
    joining,
    layout,
    normalization,
    quantization,
    recurrent,
    reduction,
    sampling,
    signals,
    spreading,
)

__all__ = [
    "attention",
    "contraction",
    "control",
    "convolution",
    "elementwise",
    "image",
    "indexing",
    "joining",
    "layout",
    "normalization",
    "quantization",
    "recurrent",
    "reduction",
    "sampling",
    "signals",
    "spreading",
]
