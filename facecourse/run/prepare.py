"""Fetch and convert once what every run of the sample needs; afterwards it works with the network off."""

import sys

from facecourse.core import sources
from facecourse.detection import detector, yunet
from facecourse.embedding.backbones import find_backbone

STEPS = {
    "weights of msceleb1m": sources.msceleb1m_weights,
    "photos of five celebrities, which calibrate 8 bits": sources.celebrity_photos,
    "MTCNN as ONNX": detector.mtcnn_folder,
    "YuNet as ONNX, to compare with": yunet.yunet_network,
    "msceleb1m as ONNX, in 32 and in 8 bits (a minute)": lambda: find_backbone("msceleb1m-int8").onnx(),
}


def main() -> int:
    """Fetch by hash and export what is not there yet; return 0, or 1 with the reason printed."""
    for number, (what, step) in enumerate(STEPS.items(), 1):
        print(f"[{number}/{len(STEPS)}] {what}", flush=True)
        try:
            step()
        except sources.SourceError as error:
            print(f"\n{error}", file=sys.stderr)
            return 1
    print("Set up: from here on the sample needs no network.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
