"""The graph of a policy, read without the `onnx` package; its cost is limited before it runs."""
