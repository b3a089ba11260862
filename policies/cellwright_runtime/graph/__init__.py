"""The graph of a policy: read without the `onnx` package, and bounded before anything of it runs."""
