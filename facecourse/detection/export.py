"""facenet-pytorch's MTCNN networks as ONNX files that a CPU runs fast, with the same answers.

ONNX Runtime keeps convolutions, sums and maxima in blocks of channels that fit the CPU's registers; whatever else
stands between two layers costs a walk through memory, and took more than half of all time.
"""

import torch
from torch import nn

BLOCK = 16  # channels: a multiple of what ONNX Runtime puts side by side


def _convolution(weight: torch.Tensor, bias: torch.Tensor | None = None) -> nn.Conv2d:
    """Make a 1 x 1 convolution from a matrix (out, in); from a vector, one that multiplies each channel by a factor."""
    groups = len(weight) if weight.ndim == 1 else 1
    layer = nn.Conv2d(weight.shape[-1], len(weight), 1, groups=groups, bias=bias is not None)
    layer.weight = nn.Parameter(weight.reshape(len(weight), -1, 1, 1))
    if bias is not None:
        layer.bias = nn.Parameter(bias)
    return layer


class ParametricRelu(nn.Module):
    """PReLU from operations that stay in blocks: with slope a, prelu(z) = z + (1 - a) relu(-z)."""

    def __init__(self, slopes: torch.Tensor, difference: nn.Conv2d | None = None):
        super().__init__()
        self.difference = difference or _convolution(-torch.ones_like(slopes))
        self.scale = _convolution(1 - slopes)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Map (n, c, h, w) to the same shape."""
        return self.scale(torch.relu(self.difference(z))) + z


class FaceProbability(nn.Module):
    """The softmax of (no face, face) from their difference: 1 / (1 + exp(no face - face)), the same number.

    ONNX Runtime's own Sigmoid is an approximation that is off by some units in the last place. Near 1, where
    many windows on one face lie, that changes which of them is the best, and so the box.
    """

    def forward(self, against: torch.Tensor) -> torch.Tensor:
        """Map no face minus face, any shape, to the probability of a face."""
        return torch.reciprocal(torch.exp(against) + 1)


class Proposals(nn.Sequential):
    """P-Net with both answers from its last layer: (n, 3, h, w) -> offsets (n, 4, ...), probability (n, 1, ...)."""

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Run all layers, then turn the last channel into a probability."""
        both = super().forward(pixels)
        return both[:, :4], FaceProbability()(both[:, 4:])


@torch.no_grad()
def raw_network(name: str) -> nn.Module:
    """Return facenet-pytorch's "pnet", "rnet" or "onet", changed to take pixels 0 to 255 instead of (x - 127.5) / 128.

    A convolution is linear, so w (x - 127.5) / 128 + b = (w / 128) x + (b - 127.5 / 128 sum(w)): the same result,
    one pass over the picture less.

    P-Net's first PReLU comes behind the pooling, on a quarter of the numbers. That is the same as long as it rises.
    Where the slope a is negative, prelu(z) = max(z, a z), and the larger of the two maxima is wanted: p + relu(q - p)
    for p = max z, q = max a z. The channels q come after all p.
    """
    from facenet_pytorch.models import mtcnn

    network = {"pnet": mtcnn.PNet, "rnet": mtcnn.RNet, "onet": mtcnn.ONet}[name]().eval()
    first, second, slopes = network.conv1, network.conv2, network.prelu1.weight
    first.bias -= 127.5 / 128 * first.weight.sum(dim=(1, 2, 3))
    first.weight /= 128

    # The first layer gives P-Net's channels q as well, and zeros up to a whole block; the second reads neither.
    count = len(slopes)
    falling = torch.nonzero((slopes < 0) & (name == "pnet")).ravel()
    more = len(falling) + -(count + len(falling)) % BLOCK
    factors = torch.zeros(more, count)
    factors[range(len(falling)), falling] = slopes[falling]
    first.weight = nn.Parameter(
        torch.cat([first.weight, torch.einsum("qp,p...->q...", factors, first.weight)])
    )
    first.bias = nn.Parameter(torch.cat([first.bias, factors @ first.bias]))
    unread = torch.zeros(len(second.weight), more, *second.kernel_size)
    second.weight = nn.Parameter(torch.cat([second.weight, unread], dim=1))

    slopes = torch.cat([slopes, torch.ones(more)])
    slopes[falling] = 0
    difference = torch.diag(-(torch.arange(count + more) < count).float())
    difference[falling, count + torch.arange(len(falling))] = 1
    network.prelu1 = ParametricRelu(slopes, _convolution(difference) if len(falling) else None)
    for place in (2, 3, 4):
        if hasattr(network, f"conv{place}"):
            setattr(network, f"prelu{place}", ParametricRelu(getattr(network, f"prelu{place}").weight))

    last = {"pnet": "conv4_1", "rnet": "dense5_1", "onet": "dense6_1"}[name]
    answer = getattr(network, last)
    weight, bias = answer.weight[:1] - answer.weight[1:], answer.bias[:1] - answer.bias[1:]
    if name == "pnet":
        offsets = network.conv4_2
        both = _convolution(torch.cat([offsets.weight, weight]).flatten(1), torch.cat([offsets.bias, bias]))
        return Proposals(
            *(first, network.pool1, network.prelu1, second, network.prelu2),
            *(network.conv3, network.prelu3, both),
        ).eval()
    answer.weight, answer.bias = nn.Parameter(weight), nn.Parameter(bias)
    setattr(network, f"softmax{last[-3:]}", FaceProbability())
    return network


def export_network(name: str) -> bytes:
    """Return one network as ONNX: input `pixels` (n, 3, h, w) float32, 0 to 255.

    Outputs: by which fraction of its side each edge should move, (n, 4, ...); from O-Net then the landmarks, (n, 10);
    last the probability of a face, (n, 1, ...). P-Net takes any height and width from 12 on, R-Net 24 x 24, O-Net
    48 x 48; all take any n.
    """
    size = {"pnet": 40, "rnet": 24, "onet": 48}[name]
    moving = {0: torch.export.Dim("n", min=1, max=4096)}
    if name == "pnet":
        for place, side in ((2, "height"), (3, "width")):
            moving[place] = torch.export.Dim(side, min=12, max=65536)
    program = torch.onnx.export(
        raw_network(name),
        (torch.rand(3, 3, size, size),),
        dynamo=True,
        dynamic_shapes=(moving,),
        input_names=["pixels"],
        verbose=False,
        opset_version=18,
    )
    return program.model_proto.SerializeToString()
