"""How networks are opened: every one of them by the same few settings."""

from pathlib import Path

import onnxruntime


def onnx_session(path: str | Path, threads: int = 1, any_size: bool = False) -> onnxruntime.InferenceSession:
    """Open an ONNX model on the CPU, with so many threads within a layer.

    `any_size` says that its inputs change their size from run to run: then no memory is planned ahead.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = not any_size
    options.log_severity_level = 3
    # Spinning threads steal the core from numpy and Pillow between two runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
