"""What stands beside a robot: numpy, onnxruntime, the standard library; nothing of training or simulation."""
