"""The pretrained networks: where their weights come from, and how they become the same architecture.

All of them are Inception-ResNet V1 (Szegedy et al., 2017, arXiv:1602.07261) as facenet-pytorch builds it;
they differ in the photos they were trained on, in the length of the embedding and in the preprocessing that
they expect.
"""

from __future__ import annotations

import functools
import pickle
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from facecourse.core import sources
from facecourse.core.paths import BackboneError
from lambda_function.crops import Preprocessing
from lambda_function.pipeline import sha256_of

if TYPE_CHECKING:  # torch takes seconds to import, so it waits in the functions that build a network
    import torch
    from torch import nn

FALLBACK = "msceleb1m"
EIGHT_BITS = "-int8"  # at the end of a backbone's name: the same network computed with 8-bit numbers
DEFAULTS = {"sample": "msceleb1m", "lfw": "vggface2" + EIGHT_BITS}
LFW_CLASSIFIER = ("logits.weight", "logits.bias")  # the training classes of the release files: of no use here


@dataclass(frozen=True)
class Backbone:
    """One entry of the table of pretrained networks.

    Attributes
    ----------
    name : str
    file : str
        Key of data/sources.json, or "" where the weights come out of an archive.
    dimension : int
        Length of the embedding.
    preprocessing : Preprocessing
        What it was trained on.
    published_lfw : float
        LFW accuracy that its authors report, 0 to 1.
    trained_on : str
    """

    name: str
    file: str
    dimension: int
    preprocessing: Preprocessing
    published_lfw: float
    trained_on: str


BACKBONES = {
    entry.name: entry
    for entry in (
        Backbone(
            "vggface2",
            "20180402-114759-vggface2.pt",
            512,
            Preprocessing(normalise="fixed"),
            0.9965,
            "VGGFace2: 3.3 million photos of 9,131 people",
        ),
        Backbone(
            "casia-webface",
            "20180408-102900-casia-webface.pt",
            512,
            Preprocessing(normalise="fixed"),
            0.9905,
            "CASIA-WebFace: 0.5 million photos of 10,575 people",
        ),
        Backbone(
            "msceleb1m",
            "",
            128,
            # Chosen on 900 training photos of LFW: of pairs of one person it accepts 0.91 at FAR 1e-4, where the
            # plain crop with a margin of 32 accepts 0.80. The crops it was trained on were this tight, too.
            Preprocessing(margin=16, align=True, normalise="per_image"),
            0.992,
            "MS-Celeb-1M: about 5 million photos of 100,000 people",
        ),
    )
}


@dataclass(frozen=True)
class Weights:
    """A weights file that is on disk.

    Attributes
    ----------
    name : str
        The backbone's name, or the file's own for the reader's weights.
    path : Path
    sha256 : str
        Of the file; everything computed with it is cached under it.
    preprocessing : Preprocessing
    """

    name: str
    path: Path
    sha256: str
    preprocessing: Preprocessing


def default_backbone(profile: str) -> str:
    """Return the backbone of a profile: msceleb1m for the sample, vggface2 with 8 bits for lfw.

    Raises
    ------
    ValueError
        If there is no such profile.
    """
    if profile not in DEFAULTS:
        raise ValueError(f"PROFILE must be one of {', '.join(DEFAULTS)}, not {profile!r}")
    return DEFAULTS[profile]


@functools.lru_cache(maxsize=8)
def find_weights(backbone: str) -> Weights:
    """Return the weights file of a backbone, fetched if need be.

    Parameters
    ----------
    backbone : str
        A name of BACKBONES, or the path of a state_dict of an Inception-ResNet V1; with "-int8" at its end
        for a network of 8-bit numbers, see `facecourse.embedding.quantisation`.

    Returns
    -------
    Weights
        Those of msceleb1m, with one printed notice, where the release files cannot be fetched. The weights
        of an 8-bit network are the same file under another name.

    Raises
    ------
    BackboneError
        If `backbone` is neither a known name nor a file.
    facecourse.core.sources.SourceError
        If msceleb1m itself cannot be had.
    """
    backbone = str(backbone)
    if backbone.endswith(EIGHT_BITS):
        whole = find_weights(backbone.removesuffix(EIGHT_BITS))
        return replace(whole, name=whole.name + EIGHT_BITS)
    if backbone not in BACKBONES:
        return _own_weights(Path(backbone))
    entry = BACKBONES[backbone]
    if backbone == "msceleb1m":
        return Weights(backbone, path := sources.msceleb1m_weights(), sha256_of(path), entry.preprocessing)
    try:
        path = sources.fetch(entry.file)
    except sources.SourceError as error:
        tried = [line.strip() for line in str(error).splitlines() if line.startswith("  ")]
        print(
            f"Backbone {backbone} cannot be had here, so {FALLBACK} is taken instead. Tried: {tried[-1:]}",
            flush=True,
        )
        return find_weights(FALLBACK)
    return Weights(backbone, path, sha256_of(path), entry.preprocessing)


def _own_weights(path: Path) -> Weights:
    if not path.is_file():
        known = ", ".join(BACKBONES)
        raise BackboneError(f"BACKBONE is {str(path)!r}: neither one of {known} nor a file that exists")
    settings = _read(path)[1]
    return Weights(path.stem, path, sha256_of(path), settings or Preprocessing(normalise="fixed"))


def load_backbone(backbone: str) -> tuple[nn.Module, Preprocessing, str]:
    """Build a pretrained network.

    Parameters
    ----------
    backbone : str
        A name of BACKBONES, or the path of a state_dict; torch computes with 32 bits, also for "-int8".

    Returns
    -------
    (InceptionResnetV1, Preprocessing, str)
        The network in evaluation mode, (n, 3, 160, 160) float32 -> (n, d) float32 unit rows; what it
        expects of its input; and the name of the backbone that was taken.

    Raises
    ------
    BackboneError
        If the file's tensors are not exactly those of an Inception-ResNet V1.
    """
    from facecourse.embedding.keras import keras_state

    weights = find_weights(backbone)
    state = keras_state(weights.path) if weights.path.suffix == ".h5" else _read(weights.path)[0]
    return build(state), weights.preprocessing, weights.name


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
    return {k: v for k, v in content.items() if k not in LFW_CLASSIFIER}, settings


def build(state: dict[str, torch.Tensor]) -> nn.Module:
    """Build an Inception-ResNet V1 around a state_dict; `last_linear` tells the length of the embedding.

    Raises
    ------
    BackboneError
        If a tensor is missing, superfluous or of another shape.
    """
    from facenet_pytorch import InceptionResnetV1
    from torch import nn

    last = state.get("last_linear.weight")
    if last is None or last.ndim != 2:
        raise BackboneError("not the weights of an Inception-ResNet V1: last_linear.weight is missing")
    network = InceptionResnetV1()
    network.last_linear = nn.Linear(1792, len(last), bias=False)
    network.last_bn = nn.BatchNorm1d(len(last), eps=0.001)
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
    """Write a fine-tuned network, with its preprocessing, so that `load_backbone(path)` reads it.

    Parameters
    ----------
    network : InceptionResnetV1
    preprocessing : Preprocessing
    path : Path
        File to write.
    """
    import torch

    state = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    torch.save({"state_dict": state, "preprocessing": asdict(preprocessing)}, path)
