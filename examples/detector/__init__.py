"""Camera frames in NV12 through static AIPP into a detector."""
