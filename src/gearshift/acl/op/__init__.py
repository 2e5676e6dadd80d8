"""`acl.op`: single operators, run as small ONNX models."""
