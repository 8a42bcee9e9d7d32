"""Fetch and convert once what every run of the sample needs; afterwards it works with the network off."""

from facecourse import detection, recognition, sources


def main() -> None:
    """Fetch weights and celebrity photos by hash, and export the networks to ONNX."""
    sources.msceleb1m_weights()
    sources.celebrity_photos()
    detection.mtcnn_folder()
    recognition.embedder("msceleb1m")
    print("Set up: weights, celebrity photos and ONNX models are in place.")


if __name__ == "__main__":
    main()
