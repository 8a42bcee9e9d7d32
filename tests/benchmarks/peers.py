"""Detector and recogniser together, ours and the peers', as a user would use them: a photo's bytes to a vector.

`python -m tests.benchmarks.peers SYSTEM THREADS PHOTO...` prints photos a second and the peak memory of its process.
Each class imports what it needs itself, so that no system's process holds another's libraries.
"""

import importlib.util
import io
import json
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

WARM_UP = 3  # photos before the clock starts


class System(Protocol):
    """A detector with a recogniser: bytes of a photo file to the vector of the face that the photo is about."""

    name: str  # of what it computes, for what is kept of it
    weights: list[Path]

    def views(self, photo: bytes) -> np.ndarray | None:
        """Return (views, d) float32, whose sum points where the face's embedding does; None where no face is found."""


class Ours:
    """This project's pipeline, as the function runs it; `views` as in `crops.tta_crops`."""

    def __init__(self, backbone: str, views: int, threads: int):
        from facecourse.detection.detector import mtcnn_folder
        from facecourse.embedding.backbones import find_backbone
        from lambda_function.mtcnn import Mtcnn
        from lambda_function.pipeline import Embedder

        found = find_backbone(backbone)
        self.name = found.label
        self.weights = [*sorted(mtcnn_folder().glob("*.onnx")), found.onnx()]
        self.detect = Mtcnn(mtcnn_folder(), threads=threads).detect
        self.embedder = Embedder(found.onnx(), found.preprocessing, threads)
        self.number = views

    def views(self, photo: bytes, faces: list | None = None) -> np.ndarray | None:
        """See `System`; `faces` are those of the photo where they have been found before."""
        from lambda_function.crops import tta_crops
        from lambda_function.faces import select_face
        from lambda_function.photos import open_photo

        image = open_photo(photo)
        faces = self.detect([image])[0] if faces is None else faces
        main = select_face(faces, image.shape[1], image.shape[0])
        if main is None:
            return None
        return self.embedder.embed(tta_crops(image, faces[main], self.embedder.preprocessing, self.number))


class FacenetPytorch:
    """facenet-pytorch's MTCNN and network with the settings of its own LFW example.

    Its vggface2 weights where they can be fetched, else msceleb1m, which are normalised by crop.
    """

    def __init__(self, threads: int):
        import torch
        from facenet_pytorch import MTCNN

        from facecourse.core.paths import CACHE
        from facecourse.core.sources import SourceError
        from facecourse.embedding.backbones import find_backbone, save_backbone

        torch.set_num_threads(threads)
        try:
            found = find_backbone("vggface2")
        except SourceError:
            path = CACHE / "msceleb1m.pt"  # the Keras file is slow to read, which is not this peer's fault
            if not path.exists():
                found = find_backbone("msceleb1m")
                save_backbone(found.network(), found.preprocessing, path)
            found = find_backbone(str(path))
        self.name, self.weights = f"facenet-pytorch-{found.name}", [found.path]
        self.normalise = found.preprocessing.normalise
        self.network = found.network()
        self.mtcnn = MTCNN(margin=14, selection_method="center_weighted_size", post_process=False)

    def views(self, photo: bytes) -> np.ndarray | None:
        """See `System`."""
        import torch
        from PIL import Image

        from lambda_function.crops import normalise
        from tests.reference_mtcnn import EMPTY_STAGE

        try:
            face = self.mtcnn(Image.open(io.BytesIO(photo)).convert("RGB"))
        except EMPTY_STAGE:
            return None
        if face is None:
            return None
        pixels = normalise(face.permute(1, 2, 0).numpy()[None], self.normalise)
        with torch.inference_mode():
            return self.network(torch.from_numpy(pixels)).numpy()


class OpenCv:
    """YuNet and SFace through OpenCV's own classes, with their defaults."""

    name = "opencv"

    def __init__(self, threads: int):
        import cv2

        from facecourse.core.sources import SFACE, YUNET, zoo_network

        cv2.setNumThreads(threads)
        self.weights = [zoo_network(YUNET), zoo_network(SFACE)]
        self.detector = cv2.FaceDetectorYN.create(str(self.weights[0]), "", (320, 320))
        self.recogniser = cv2.FaceRecognizerSF.create(str(self.weights[1]), "")

    def views(self, photo: bytes) -> np.ndarray | None:
        """See `System`."""
        import cv2

        image = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
        self.detector.setInputSize(image.shape[1::-1])
        faces = self.detector.detect(image)[1]
        if faces is None:
            return None
        boxes = np.hstack([faces[:, :2], faces[:, :2] + faces[:, 2:4]])
        face = faces[main_face(boxes, *image.shape[1::-1])]
        return self.recogniser.feature(self.recogniser.alignCrop(image, face))


class Dlib:
    """dlib's networks as face_recognition calls them: HOG on the doubled photo, five landmarks, one crop.

    face_recognition itself asks for a dlib that is compiled at installation, and its models' package imports what
    setuptools no longer has; so the files are opened without it.
    """

    name = "dlib"

    def __init__(self, threads: int):
        import dlib

        place = importlib.util.find_spec("face_recognition_models").submodule_search_locations[0]
        names = ("shape_predictor_5_face_landmarks.dat", "dlib_face_recognition_resnet_model_v1.dat")
        self.weights = [Path(place) / "models" / name for name in names]
        self.detector = dlib.get_frontal_face_detector()
        self.landmarks = dlib.shape_predictor(str(self.weights[0]))
        self.network = dlib.face_recognition_model_v1(str(self.weights[1]))

    def views(self, photo: bytes) -> np.ndarray | None:
        """See `System`."""
        from PIL import Image

        image = np.array(Image.open(io.BytesIO(photo)).convert("RGB"))
        faces = self.detector(image, 1)
        if not faces:
            return None
        boxes = np.array([[face.left(), face.top(), face.right(), face.bottom()] for face in faces])
        face = faces[main_face(boxes, *image.shape[1::-1])]
        found = self.network.compute_face_descriptor(image, self.landmarks(image, face))
        return np.array(found, np.float32)[None]


def main_face(boxes: np.ndarray, width: int, height: int) -> int:
    """Choose among a peer's boxes, (n, 4), as ours does; its own threshold has said that each is a face."""
    from lambda_function.faces import Face, select_face

    return select_face([Face(box, np.zeros((5, 2)), 1.0) for box in boxes], width, height)


@dataclass(frozen=True)
class Entry:
    """One line of the table: what makes the system, and what its installation needs."""

    make: Callable[[int], System]  # of a number of threads
    packages: tuple[str, ...]
    family: str  # whose views are computed together: those of a system are the first ones of the family's
    views: int = 1

    def files(self) -> set[Path] | None:
        """Return what is installed for it, its packages with all that they need; None where one is missing."""
        return installed_files(*self.packages)


def installed_files(*packages: str) -> set[Path] | None:
    """Return the files of packages and of all that they require; None where one of `packages` is not installed.

    What torch brings for GPUs, which a build for the CPU leaves out, does not count.
    """
    from importlib.metadata import PackageNotFoundError, distribution

    from packaging.requirements import Requirement

    known, todo, files = set(), list(packages), set()
    while todo:
        name = todo.pop()
        if name in known or name.startswith(("nvidia-", "cuda-", "triton")):
            continue
        known.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            if name in packages:
                return None
            continue
        wanted = (Requirement(line) for line in found.requires or ())
        todo += [one.name for one in wanted if not one.marker or one.marker.evaluate({"extra": ""})]
        files |= {Path(found.locate_file(file)).resolve() for file in found.files or ()}
    return {path for path in files if path.is_file() and not re.search("cuda|nccl", path.name)}


def _ours(backbone: str, views: int) -> Entry:
    return Entry(partial(Ours, backbone, views), ("numpy", "onnxruntime", "pillow"), backbone, views)


SYSTEMS = {
    "ours, 32 bits, 1 view": _ours("msceleb1m", 1),
    "ours, 32 bits, 2 views": _ours("msceleb1m", 2),
    "ours, 32 bits, 4 views": _ours("msceleb1m", 4),
    "ours, 8 bits, 1 view": _ours("msceleb1m-int8", 1),
    "ours, 8 bits, 2 views": _ours("msceleb1m-int8", 2),
    "ours, 8 bits, 4 views": _ours("msceleb1m-int8", 4),
    "ours, SFace, 1 view": _ours("sface", 1),
    "ours, SFace, 2 views": _ours("sface", 2),
    "facenet-pytorch": Entry(FacenetPytorch, ("facenet-pytorch", "pillow"), "facenet-pytorch"),
    "OpenCV: YuNet, SFace": Entry(OpenCv, ("opencv-python-headless",), "opencv"),
    "dlib (face_recognition)": Entry(
        Dlib, ("dlib-bin", "face-recognition-models", "numpy", "pillow"), "dlib"
    ),
}


def measure(name: str, threads: int, photos: list[bytes]) -> dict:
    """Return what is computed, photos a second, one by one, and the peak memory of this process in 10**6 bytes."""
    if hasattr(os, "sched_setaffinity"):  # not every library can be told how many threads to use
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    system = SYSTEMS[name].make(threads)
    for photo in photos[:WARM_UP]:
        system.views(photo)
    start = time.perf_counter()
    for photo in photos:
        system.views(photo)
    speed, weights = len(photos) / (time.perf_counter() - start), [str(path) for path in system.weights]
    return {"computes": system.name, "speed": speed, "memory": peak_mb(), "weights": weights}


def peak_mb() -> float:
    """Return the peak memory of this process in 10**6 bytes."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")) / 1e6
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), [Path(p).read_bytes() for p in sys.argv[3:]])))
