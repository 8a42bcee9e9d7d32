"""facenet-pytorch's MTCNN networks as ONNX files that a CPU runs fast, with the same answers.

What is changed, and why: ONNX Runtime keeps convolutions, sums and maxima in blocks of channels that fit the CPU's
registers; whatever else stands between two layers costs a walk through memory, and took more than half of all time.
"""

from pathlib import Path

import torch
from torch import nn

BLOCK = 16  # channels: a multiple of what ONNX Runtime puts side by side


def _within_channels(factors: torch.Tensor) -> nn.Conv2d:
    """Multiply each channel by its factor, as a convolution: (n, c, h, w) -> (n, c, h, w)."""
    layer = nn.Conv2d(len(factors), len(factors), 1, groups=len(factors), bias=False)
    layer.weight = nn.Parameter(factors[:, None, None, None].clone())
    return layer


class ParametricRelu(nn.Module):
    """PReLU from operations that stay in blocks: with slope a, prelu(z) = z + (1 - a) relu(-z)."""

    def __init__(self, slopes: torch.Tensor):
        super().__init__()
        self.flip = _within_channels(-torch.ones_like(slopes))
        self.scale = _within_channels(1 - slopes)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Map (n, c, h, w) to the same shape."""
        return self.scale(torch.relu(self.flip(z))) + z


class PooledParametricRelu(nn.Module):
    """PReLU of maxima instead of maxima of PReLU: the same, on a quarter of the numbers.

    Where the slope a is positive, PReLU rises and may change places with the maximum. Where it is negative,
    prelu(z) = max(z, a z), and the larger of the two maxima is wanted: p + relu(q - p) for p = max z, q = max a z.
    The channels q come after all p, then zeros up to a whole block.
    """

    def __init__(self, slopes: torch.Tensor):
        super().__init__()
        falling = torch.nonzero(slopes < 0).ravel()
        count, total = len(slopes), len(slopes) + len(falling)
        total += -total % BLOCK
        what, how_much = torch.zeros(total, total), torch.zeros(total)
        what[range(count), range(count)] = -1
        what[falling, torch.arange(len(falling)) + count] = 1
        how_much[:count] = torch.where(slopes < 0, torch.ones_like(slopes), 1 - slopes)
        self.difference = nn.Conv2d(total, total, 1, bias=False)
        self.difference.weight = nn.Parameter(what[:, :, None, None])
        self.scale = _within_channels(how_much)

    def forward(self, maxima: torch.Tensor) -> torch.Tensor:
        """Map (n, c, h, w) to the same shape; the first channels are the answer, the others mean nothing."""
        return self.scale(torch.relu(self.difference(maxima))) + maxima


class FaceProbability(nn.Module):
    """The softmax of (no face, face) from their difference: 1 / (1 + exp(no face - face)), the same number.

    ONNX Runtime's own Sigmoid is an approximation that is off by some units in the last place. Near 1, where
    many windows on one face lie, that changes which of them is the best, and so the box.
    """

    def forward(self, against: torch.Tensor) -> torch.Tensor:
        """Map no face minus face, any shape, to the probability of a face."""
        return torch.reciprocal(torch.exp(against) + 1)


class Proposals(nn.Module):
    """P-Net with PReLU behind the pooling, and both answers from one layer."""

    def __init__(self, network: nn.Module):
        super().__init__()
        slopes = network.prelu1.weight.detach()
        _append(network.conv1, torch.nonzero(slopes < 0).ravel(), slopes[slopes < 0])
        _fill_up(network.conv1, network.conv2)
        answers = nn.Conv2d(network.conv3.out_channels, 5, 1)
        against = _difference(network.conv4_1)
        answers.weight = nn.Parameter(torch.cat([network.conv4_2.weight, against.weight]))
        answers.bias = nn.Parameter(torch.cat([network.conv4_2.bias, against.bias]))
        self.layers = nn.Sequential(
            *(network.conv1, network.pool1, PooledParametricRelu(slopes)),
            *(network.conv2, ParametricRelu(network.prelu2.weight.detach())),
            *(network.conv3, ParametricRelu(network.prelu3.weight.detach()), answers),
        )
        self.probability = FaceProbability()

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map (n, 3, h, w) to shifts (n, 4, ...) and probability (n, 1, ...)."""
        both = self.layers(pixels)
        return both[:, :4], self.probability(both[:, 4:])


def raw_network(name: str) -> nn.Module:
    """Return one of facenet-pytorch's networks, changed to take pixels 0 to 255 instead of (x - 127.5) / 128.

    A convolution is linear, so w (x - 127.5) / 128 + b = (w / 128) x + (b - 127.5 / 128 sum(w)): the same
    result, one pass over the picture less.

    Parameters
    ----------
    name : str
        "pnet", "rnet" or "onet".

    Returns
    -------
    torch.nn.Module
        In evaluation mode, with the weights from facenet-pytorch's package.
    """
    from facenet_pytorch.models import mtcnn

    network = {"pnet": mtcnn.PNet, "rnet": mtcnn.RNet, "onet": mtcnn.ONet}[name]().eval()
    with torch.no_grad():
        first = network.conv1
        first.bias -= 127.5 / 128 * first.weight.sum(dim=(1, 2, 3))
        first.weight /= 128
        if name == "pnet":
            return Proposals(network).eval()
        more = _fill_up(network.conv1, network.conv2)
        network.prelu1.weight = nn.Parameter(torch.cat([network.prelu1.weight, torch.ones(more)]))
        last = {"rnet": "5_1", "onet": "6_1"}[name]
        setattr(network, f"dense{last}", _difference(getattr(network, f"dense{last}")))
        setattr(network, f"softmax{last}", FaceProbability())
        for place in range(1, 5):
            if hasattr(network, f"conv{place}"):
                slopes = getattr(network, f"prelu{place}").weight.detach()
                setattr(network, f"prelu{place}", ParametricRelu(slopes))
    return network


def _append(layer: nn.Conv2d, which: torch.Tensor, times: torch.Tensor) -> None:
    """Let a convolution give some of its channels once more, each multiplied by a factor."""
    layer.weight = nn.Parameter(torch.cat([layer.weight, layer.weight[which] * times[:, None, None, None]]))
    layer.bias = nn.Parameter(torch.cat([layer.bias, layer.bias[which] * times]))
    layer.out_channels += len(which)


def _fill_up(first: nn.Conv2d, second: nn.Conv2d) -> int:
    """Add channels of zeros to the first layer, up to a whole block; return how many. The second ignores all new ones."""
    more = -first.out_channels % BLOCK
    _append(first, torch.arange(more), torch.zeros(more))
    unread = first.out_channels - second.in_channels
    shape = (second.out_channels, unread, *second.kernel_size)
    second.weight = nn.Parameter(torch.cat([second.weight, torch.zeros(shape)], dim=1))
    second.in_channels = first.out_channels
    return more


def _difference(layer: nn.Module) -> nn.Module:
    """Turn a layer with the answers (no face, face) into one with their difference, which `FaceProbability` takes."""
    layer.weight = nn.Parameter(layer.weight[:1] - layer.weight[1:])
    layer.bias = nn.Parameter(layer.bias[:1] - layer.bias[1:])
    return layer


def export_network(name: str, path: Path) -> None:
    """Write one network as ONNX: input `pixels` (n, 3, h, w) float32, 0 to 255.

    Outputs: how far each edge should move, (n, 4, ...); from O-Net then the landmarks, (n, 10); last the
    probability of a face, (n, 1, ...). P-Net takes any height and width from 12 on, R-Net 24 x 24, O-Net
    48 x 48; all take any n.
    """
    size = {"pnet": 40, "rnet": 24, "onet": 48}[name]
    moving = {0: torch.export.Dim("n", min=1, max=4096)}
    if name == "pnet":
        moving |= {
            2: torch.export.Dim("height", min=12, max=65536),
            3: torch.export.Dim("width", min=12, max=65536),
        }
    torch.onnx.export(
        raw_network(name),
        (torch.rand(3, 3, size, size),),
        str(path),
        dynamo=True,
        dynamic_shapes=(moving,),
        input_names=["pixels"],
        external_data=False,
        verbose=False,
        opset_version=18,
    )
