"""The same handler written with torch and facenet-pytorch: what the function is measured against.

Run as: python torch_function.py PROJECT EVENT RUNS, with MODEL_BUNDLE naming a bundle that also has backbone.pt.
"""

import json
import os
import sys
import time
import types
from pathlib import Path

import numpy as np
import torch
from facenet_pytorch import MTCNN, InceptionResnetV1
from PIL import Image

# Everything around the networks is the course's own, on both sides; but this side must not pay for ONNX Runtime.
absent = types.ModuleType("onnxruntime")
absent.InferenceSession = None
sys.modules["onnxruntime"] = absent
sys.path.insert(0, sys.argv[1])

from lambda_function import app  # noqa: E402
from lambda_function.crops import Preprocessing, normalise  # noqa: E402
from lambda_function.faces import Face  # noqa: E402
from lambda_function.gallery import Gallery  # noqa: E402
from lambda_function.pipeline import Recogniser  # noqa: E402

torch.set_num_threads(1)


class TorchDetector:
    """facenet-pytorch's MTCNN, which has the course's thresholds and sizes as its defaults."""

    def __init__(self):
        self._network = MTCNN(keep_all=True, device="cpu")

    def detect(self, images: list[np.ndarray]) -> list[list[Face]]:
        return [self._faces(image) for image in images]

    def _faces(self, image: np.ndarray) -> list[Face]:
        boxes, scores, points = self._network.detect(Image.fromarray(image), landmarks=True)
        if boxes is None:
            return []
        rows = zip(boxes, points, scores, strict=True)
        return [Face(b.astype(np.float32), p.astype(np.float32), float(s)) for b, p, s in rows]


class TorchEmbedder:
    """The backbone before its export, in 32 bits."""

    def __init__(self, weights: Path, preprocessing: Preprocessing):
        self.preprocessing = preprocessing
        state = torch.load(weights, weights_only=True)
        self.dimension = len(state["last_linear.weight"])
        self._network = InceptionResnetV1()
        self._network.last_linear = torch.nn.Linear(1792, self.dimension, bias=False)
        self._network.last_bn = torch.nn.BatchNorm1d(self.dimension, eps=0.001)
        self._network.load_state_dict(state)
        self._network.eval()

    @torch.inference_mode()
    def embed(self, crops: np.ndarray) -> np.ndarray:
        pixels = normalise(crops.reshape(-1, *crops.shape[-3:]), self.preprocessing.normalise)
        rows = self._network(torch.from_numpy(pixels)).reshape(len(crops), -1, self.dimension)
        return torch.nn.functional.normalize(rows.sum(1)).numpy()


class Store:
    """Stands where the function's store of the model does."""

    def __init__(self, folder: Path):
        meta = json.loads((folder / "model.json").read_text())
        gallery = Gallery.load(folder / "gallery.npz")
        embedder = TorchEmbedder(folder / "backbone.pt", Preprocessing(**meta["preprocessing"]))
        self._recogniser = Recogniser(TorchDetector(), embedder, gallery, meta["version"], meta["views"])

    def get(self) -> Recogniser:
        return self._recogniser


application = app.Application(app.Settings())
application.store = Store(Path(os.environ["MODEL_BUNDLE"]))


def run() -> None:
    """Answer as often as asked, and print what SCRIPT of facecourse.deployment.package prints."""
    event = json.loads(Path(sys.argv[2]).read_text())
    first = application.handle(event)
    ready, times = time.time(), []
    for _ in range(int(sys.argv[3])):
        start = time.perf_counter()
        application.handle(event)
        times.append(time.perf_counter() - start)
    from tests.benchmarks.peers import peak_mb  # not before: it would count in the cold start

    facts = {"ready": ready, "times": times, "peak": round(1e6 * peak_mb()), "answer": first}
    print("RESULT" + json.dumps(facts))


if __name__ == "__main__":
    run()
