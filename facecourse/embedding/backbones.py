"""The pretrained networks: where their weights come from, and how each becomes an ONNX file that embeds faces.

The course's own are Inception-ResNet V1 (Szegedy et al., 2017, arXiv:1602.07261) as facenet-pytorch builds it, which
torch can train further; others come as ONNX files and are taken as they are.
"""

from __future__ import annotations

import functools
import hashlib
import json
import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from facecourse.core import paths, sources
from facecourse.core.cache import write_atomically
from lambda_function.crops import Preprocessing, check_views
from lambda_function.pipeline import Embedder, sha256_of

if TYPE_CHECKING:  # torch takes seconds to import, so it waits in the functions that build a network
    import torch
    from torch import nn

EIGHT_BITS = "-int8"  # at the end of a backbone's name: the same network computed with 8-bit integers
DEFAULTS = {"sample": "msceleb1m", "lfw": "msceleb1m" + EIGHT_BITS}  # name by profile
DEFAULT_VIEWS = 4  # of each face: four times the work of one, and on LFW's View 1 no better (tools.choices)
EXPORT_VERSION, QUANTISATION_VERSION = 1, 1  # parts of the kept files' names: raise them with what they hold
TRAINING_CLASSES = ("logits.weight", "logits.bias")  # of the release files; of no use here
# Blocks that add to what passes them, so that a network goes on without one: a smaller one lacks some (tools.smaller).
RESIDUAL = (
    *(f"repeat_{part}.{i}" for part, count in ((1, 5), (2, 10), (3, 5)) for i in range(count)),
    "block8",
)


class BackboneError(ValueError):
    """Weights that are no face network of the kind they should be; the message says what does not fit."""


@dataclass(frozen=True)
class Listed:
    """One entry of the table of pretrained networks."""

    weights: Callable[[], Path]  # fetches the file
    dimension: int  # of the embedding
    preprocessing: Preprocessing  # that it was trained on
    published_lfw: float | None  # accuracy that its authors report, 0 to 1; None: not found
    trained_on: str


# Where the landmarks of a face lie in a crop of 112 x 112 pixels, as ArcFace's authors chose it and others after them.
ARCFACE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
BACKBONES = {
    "msceleb1m": Listed(
        sources.msceleb1m_weights,
        128,
        # By tools.choices, on LFW's View 1 at FMR 1e-4, one view: of pairs of one person it accepts 92 %, cut along the
        # box 84 %, with a margin of 32 88 %. Margins of 0 and 8 are no different.
        Preprocessing(margin=16, align=True, normalise="per_image"),
        None,
        "a filtered part of MS-Celeb-1M",
    ),
    "vggface2": Listed(
        functools.partial(sources.fetch, "20180402-114759-vggface2.pt"),
        512,
        Preprocessing(normalise="fixed"),
        0.9965,
        "VGGFace2: 8,631 of its 9,131 people",
    ),
    "casia-webface": Listed(
        sources.casia_weights,
        512,
        Preprocessing(normalise="fixed"),
        0.9905,
        "CASIA-WebFace: 0.45 million photos of 10,575 people",
    ),
    "sface": Listed(
        functools.partial(sources.zoo_network, sources.SFACE),
        128,
        Preprocessing(size=112, align=True, normalise="none", template=ARCFACE),
        0.9940,
        "not said by OpenCV, who publish it",
    ),
}


@dataclass(frozen=True)
class Backbone:
    """A pretrained network, resolved once and handed on: its weights on disk, and all that changes an embedding.

    `dataclasses.replace` makes a variant: another `precision`, number of `views` or `preprocessing`.
    """

    name: str  # as listed in BACKBONES, or the file's own name for the reader's weights
    path: Path  # of the weights
    sha256: str  # of that file
    preprocessing: Preprocessing
    precision: str = "fp32"  # or "int8", see `quantisation.quantise`; torch computes with 32 bits in any case
    views: int = 1  # crops a face is embedded from (test-time augmentation), see `crops.tta_crops`
    dimension: int | None = None  # of the embedding, as listed or described; None: as the weights have it
    tuned: bool = False  # on the reader's people, as `save_backbone` writes it

    @property
    def trainable(self) -> bool:
        """Whether torch can train it further: an Inception-ResNet V1, not an ONNX file."""
        return self.path.suffix != ".onnx"

    @property
    def label(self) -> str:
        """What `find_backbone` finds it by: the name, or the path of the reader's own weights, with the precision."""
        whole = self.name if self.name in BACKBONES else str(self.path)
        return whole + (EIGHT_BITS if self.precision == "int8" else "")

    @property
    def called(self) -> str:
        """What others are told: the label, and of the reader's own weights no path but the name and part of the hash."""
        whole = self.name if self.name in BACKBONES else f"{self.name}-{self.sha256[:8]}"
        return whole + (EIGHT_BITS if self.precision == "int8" else "")

    @property
    def crops_digest(self) -> str:
        """Eight hexadecimal digits that change whenever the preprocessing does."""
        preprocessing = {name: value for name, value in asdict(self.preprocessing).items() if value != ()}
        return hashlib.sha256(json.dumps(preprocessing, sort_keys=True).encode()).hexdigest()[:8]

    def onnx(self) -> Path:
        """Return the ONNX file, exported (and quantised) at the first call and kept by the hash of the weights."""
        folder = paths.CACHE / "backbones"
        folder.mkdir(parents=True, exist_ok=True)
        size = "" if self.trainable else f"-{self.preprocessing.size}-{self.dimension}"  # as it was checked
        stem = f"{self.name}-{self.sha256[:12]}{size}-v{EXPORT_VERSION}"
        if self.precision == "int8":  # by its crops, too: the ranges are measured on them
            path = folder / f"{stem}-{self.crops_digest}{EIGHT_BITS}-v{QUANTISATION_VERSION}.onnx"
            if not path.exists():
                from facecourse.embedding.quantisation import calibration_crops, quantise

                print(f"Making {self.called}: its ranges are measured on the photos of five celebrities.")
                whole = replace(self, precision="fp32").onnx()
                quantise(whole, calibration_crops(self.preprocessing), self.preprocessing, path)
            return path
        path = folder / f"{stem}.onnx"
        if not path.exists() and not self.trainable:
            from facecourse.embedding.onnx_networks import adopt

            write_atomically(path, adopt(self.path, self.preprocessing.size, self.dimension))
        elif not path.exists():
            from facecourse.embedding.export import export_onnx

            difference = export_onnx(self.network(), path)
            print(f"Exported {self.name} to ONNX; largest difference to torch {difference:.1e}.")
        return path

    def embedder(self, threads: int = paths.THREADS) -> Embedder:
        """Return the tool that embeds crops with this network; the same one for the same network."""
        return _embedder(self.onnx(), self.preprocessing, threads)

    def network(self) -> nn.Module:
        """Build the network in torch: evaluation mode, (n, 3, 160, 160) float32 -> (n, d) float32 unit rows.

        Raises BackboneError if the file's tensors are not exactly those of an Inception-ResNet V1.
        """
        if not self.trainable:
            raise BackboneError(f"{self.name} is an ONNX file, which torch cannot train further")
        if self.path.suffix == ".h5":
            from facecourse.embedding.keras import keras_state

            return build(keras_state(self.path))
        if self.path.suffix == ".pb":
            from facecourse.embedding.slim import slim_state

            return build(slim_state(self.path))
        return build(_read(self.path)[0])


@functools.lru_cache(maxsize=4)
def _embedder(path: Path, preprocessing: Preprocessing, threads: int) -> Embedder:
    return Embedder(path, preprocessing, threads)


def default_backbone(profile: str) -> str:
    """Return the name of a profile's backbone: msceleb1m, with 8 bits on lfw."""
    return DEFAULTS[paths.checked(profile)]


def default_views(profile: str) -> int:
    """Return from how many views a profile embeds a face: 4."""
    paths.checked(profile)
    return DEFAULT_VIEWS


def find_backbone(name: str, views: int = 1) -> Backbone:
    """Resolve a backbone by name; its weights are fetched if need be.

    `name` is a key of BACKBONES, or a path, seen from here or from the project's folder: of a state_dict of an
    Inception-ResNet V1, or of an ONNX file with its description beside it (see `onnx_networks.read_description`); with
    "-int8" at its end it computes with 8-bit integers. `views` are 1, 2 or 4. Raises BackboneError if `name` is neither
    a listed name nor a file, or the description is missing or wrong, ValueError for another number of views,
    core.sources.SourceError if the weights cannot be fetched.
    """
    check_views(views)
    whole = str(name).removesuffix(EIGHT_BITS)
    precision = "int8" if whole != str(name) else "fp32"
    found = _listed_backbone(whole) if whole in BACKBONES else _own_backbone(whole)
    return replace(found, precision=precision, views=views)


@functools.lru_cache(maxsize=8)
def _listed_backbone(name: str) -> Backbone:
    listed = BACKBONES[name]
    path = listed.weights()
    return Backbone(name, path, sha256_of(path), listed.preprocessing, dimension=listed.dimension)


def _own_backbone(name: str) -> Backbone:  # not remembered: the file may be written anew
    path = next((path for path in (Path(name), paths.ROOT / name) if path.is_file()), None)
    if path is None:
        raise BackboneError(
            f"BACKBONE is {name!r}: neither one of {', '.join(BACKBONES)} nor a file that exists"
        )
    if path.suffix == ".onnx":
        from facecourse.embedding.onnx_networks import read_description

        preprocessing, dimension = read_description(path)
        return Backbone(path.stem, path, sha256_of(path), preprocessing, dimension=dimension)
    settings = _read(path)[1]
    preprocessing = settings or Preprocessing(normalise="fixed")
    return Backbone(path.stem, path, sha256_of(path), preprocessing, tuned=settings is not None)


def _read(path: Path) -> tuple[dict[str, torch.Tensor], Preprocessing | None]:
    """Read a state_dict, alone or as `save_backbone` writes it; nothing in the file is executed."""
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BackboneError(f"{path.name} cannot be read as plain tensors: {reason[:150]}") from error
    settings = None
    if isinstance(content, dict) and "state_dict" in content:
        settings = Preprocessing(**content["preprocessing"])
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(isinstance(v, torch.Tensor) for v in content.values()):
        raise BackboneError(f"{path.name} holds no state_dict, a dictionary from names to tensors")
    return {k: v for k, v in content.items() if k not in TRAINING_CLASSES}, settings


def build(state: dict[str, torch.Tensor]) -> nn.Module:
    """Build an Inception-ResNet V1 around a state_dict; `last_linear` tells the length of the embedding.

    Of RESIDUAL, a block of which the state_dict holds nothing is left out. Raises BackboneError if another tensor is
    missing, one is superfluous or of another shape.
    """
    from facenet_pytorch import InceptionResnetV1
    from torch import nn

    last = state.get("last_linear.weight")
    if last is None or last.ndim != 2:
        raise BackboneError("not the weights of an Inception-ResNet V1: last_linear.weight is missing")
    network = InceptionResnetV1()
    network.last_linear = nn.Linear(1792, len(last), bias=False)
    network.last_bn = nn.BatchNorm1d(len(last), eps=0.001)
    for block in RESIDUAL:
        if not any(name.startswith(f"{block}.") for name in state):
            network.set_submodule(block, nn.Identity())
    own = network.state_dict()
    missing, extra = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if missing or extra:
        raise BackboneError(f"missing tensors: {missing[:3] or 'none'}; superfluous: {extra[:3] or 'none'}")
    wrong = [name for name in own if own[name].shape != state[name].shape]
    if wrong:
        name, (have, want) = wrong[0], (list(tensors[wrong[0]].shape) for tensors in (state, own))
        raise BackboneError(f"{len(wrong)} tensors have another shape, first {name}: {have}, not {want}")
    network.load_state_dict(state, strict=True)
    return network.eval()


def save_backbone(network: nn.Module, preprocessing: Preprocessing, path: Path) -> None:
    """Write a fine-tuned network, with its preprocessing, so that `find_backbone(path)` finds it."""
    import torch

    state = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    torch.save({"state_dict": state, "preprocessing": asdict(preprocessing)}, path)
