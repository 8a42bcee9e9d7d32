"""MTCNN: its networks as ONNX files, and the faces of photos."""
