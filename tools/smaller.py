"""`python -m tools.smaller [MB ...]`, after `make run PROFILE=lfw`: a smaller network for the function, and what it costs.

Residual blocks of Inception-ResNet V1 are left out one at a time, and those go whose loss for their size is least. What
is left after the last pooling then learns to say from one view what the whole network says from four (distillation:
Hinton et al., 2015, arXiv:1503.02531). All of that is done with half of LFW's people; the other half is measured, once.
Each network is kept as outputs/lfw/msceleb1m-<MB>mb.pt, which BACKBONE takes through all notebooks; what is measured goes
into docs/figures.json and the model card.
"""

import copy
import math
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional
from tqdm.auto import tqdm

from facecourse.core.paths import outputs_for
from facecourse.deployment.variants import milliseconds
from facecourse.embedding.backbones import RESIDUAL, Backbone, find_backbone, save_backbone
from facecourse.embedding.embeddings import embed_manifest, load_crops
from facecourse.embedding.export import fold
from facecourse.heads.finetuning import Trunk, compare_tuning, tuning_scores
from facecourse.heads.training import seed_everything
from facecourse.photos.checks import rightly_named
from facecourse.photos.dataset import load_manifest
from lambda_function.crops import normalise
from tools import figures

FMR, EPOCHS, RATE, BATCH = 1e-3, 8, 3e-4, 64
SOME, EACH = 400, 4  # photos that the blocks are chosen by; of each person, photos that are learned from


def halves_of_people() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return LFW's usable photos of people with two or more, of two halves of these people; the vault's are in neither."""
    manifest = load_manifest("lfw")
    found = rightly_named(manifest) & (manifest["faces"] > 0)
    manifest = manifest[found & (manifest["course_split"] != "vault")]
    counts = manifest["person"].value_counts()
    people = np.random.default_rng(0).permutation(np.sort(counts.index[counts >= 2]))
    parts = []
    for names in np.array_split(people, 2):
        part = manifest[manifest["person"].isin(names)]
        parts.append(part.assign(label=np.unique(part["person"], return_inverse=True)[1]))
    return parts[0], parts[1]


def accepted(embeddings: np.ndarray, photos: pd.DataFrame, how: str = "") -> pd.DataFrame:
    """Return, by person, the share of their pairs accepted at FMR; over all pairs of these photos."""
    rows = tuning_scores(embeddings, embeddings, photos, photos["label"].unique(), fmr=FMR)
    return rows.assign(how=how, seed=0)


@torch.inference_mode()
def run(module: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """Pass pictures through a network, or through its first part."""
    module = module.to(memory_format=torch.channels_last)
    return torch.cat([module(part) for part in pixels.split(32)])


def without(network: nn.Module, names: list[str]) -> nn.Module:
    """Return a copy in which these residual blocks do nothing: what comes in goes out."""
    smaller = copy.deepcopy(network)
    for name in names:
        smaller.set_submodule(name, nn.Identity())
    return smaller


def count(network: nn.Module) -> float:
    """Return millions of weights: MB, with 8 bits for each."""
    return sum(tensor.numel() for tensor in fold(network).parameters()) / 1e6


def order_of_blocks(network: nn.Module, photos: pd.DataFrame, pixels: torch.Tensor) -> pd.DataFrame:
    """Leave each residual block out in turn: pairs accepted (%) and millions of weights saved, the best bargain first."""
    layers, end = {}, fold(network)
    for name, part in list(end.named_children())[:-4]:  # up to the pooling
        repeated = isinstance(part, nn.Sequential)
        layers |= {f"{name}.{i}": block for i, block in part.named_children()} if repeated else {name: part}

    def tar(maps: torch.Tensor) -> float:
        embeddings = functional.normalize(end.last_linear(maps.mean((2, 3)))).numpy()
        return 100 * accepted(embeddings, photos)["clean"].mean()

    rows, maps, names = {}, pixels, list(layers)
    with torch.inference_mode():
        for i, name in enumerate(tqdm(names, desc="blocks", unit="layer")):
            if name in RESIDUAL[5:]:  # the first five hold 2 % of the weights
                after = nn.Sequential(*(layers[other] for other in names[i + 1 :]))
                weights = sum(tensor.numel() for tensor in layers[name].parameters())
                rows[name] = (tar(run(after, maps)), weights / 1e6)
            maps = run(layers[name], maps)
        whole = tar(maps)
    table = pd.DataFrame(rows, index=["accepted", "saved"]).T
    loss = (whole - table["accepted"]).clip(lower=0.01)
    print(f"the whole network: {whole:.2f} % accepted")
    return table.assign(bargain=table["saved"] / loss).sort_values(["bargain", "accepted"], ascending=False)


def rest(network: nn.Module, maps: torch.Tensor) -> torch.Tensor:
    """Go on after the last pooling: maps (n, 1792, 3, 3) -> embeddings (n, d)."""
    pooled = network.block8(network.repeat_3(maps.float())).mean((2, 3))
    return functional.normalize(network.last_bn(network.last_linear(pooled)))


def distil(network: nn.Module, maps: torch.Tensor, targets: torch.Tensor) -> None:
    """Train what follows the last pooling to give `targets` (n, d), the whole network's embeddings from four views."""
    parts = (network.repeat_3, network.block8, network.last_linear, network.last_bn)
    weights = [weight for part in parts for weight in part.parameters()]
    optimiser = torch.optim.AdamW(weights, RATE, weight_decay=1e-4, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * math.ceil(len(maps) / BATCH))
    for _ in tqdm(range(EPOCHS), desc="distilling", unit="epoch"):
        for places in torch.randperm(len(maps)).split(BATCH):
            loss = 1 - (rest(network, maps[places]) * targets[places]).sum(1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()


def main(sizes: list[float]) -> None:
    """Print the blocks' order, and the table of networks on people who chose and trained nothing."""
    seed_everything()
    teacher = find_backbone("msceleb1m-int8", 4)
    cut, network = teacher.preprocessing, teacher.network()
    learning, judged = halves_of_people()
    learning = learning[learning.groupby("person").cumcount() < EACH]
    pixels = torch.from_numpy(normalise(load_crops(learning, cut), cut.normalise))
    blocks = order_of_blocks(network, learning[:SOME], pixels[:SOME])
    print(blocks.round(2).to_string())
    targets = torch.from_numpy(embed_manifest(learning, teacher))
    tried: dict[str, Backbone] = {
        "whole, 4 views": teacher,
        "whole, 2 views": replace(teacher, views=2),
        "whole, 1 view": replace(teacher, views=1),
    }
    names = list(blocks.index)
    for size in sizes:
        gone = next(names[:k] for k in range(len(names) + 1) if count(without(network, names[:k])) <= size)
        student = without(network, gone)
        maps = run(Trunk(student, "repeat_3"), pixels).half()
        for how in ("left out", "distilled"):
            if how == "distilled":
                distil(student, maps, targets)
            path = outputs_for("lfw") / f"msceleb1m-{size:g}mb{'-cut' if how == 'left out' else ''}.pt"
            save_backbone(student, cut, path)
            label = f"{len(gone)} blocks {how}, 1 view"
            tried[label] = find_backbone(f"{path}-int8", 1)
        print(f"{size:g} MB without {', '.join(gone)}")
    rows = [accepted(embed_manifest(judged, backbone), judged, label) for label, backbone in tried.items()]
    table = compare_tuning(pd.concat(rows), "whole, 4 views").filter(like="clean")
    table.insert(0, "MB", [f"{backbone.onnx().stat().st_size / 1e6:.1f}" for backbone in tried.values()])
    table.insert(1, "ms a face, one thread", [f"{spent:.1f}" for spent in milliseconds(tried)])
    table.columns = [*table.columns[:2], f"TAR at FMR {FMR:g} (%), {judged['label'].nunique()} people"]
    print(table.to_string())
    figures.put("smaller", {"columns": list(table.columns), "rows": {k: list(v) for k, v in table.T.items()}})


if __name__ == "__main__":
    main([float(size) for size in sys.argv[1:]] or [18, 15, 12])
