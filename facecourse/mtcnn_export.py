"""facenet-pytorch's MTCNN networks as ONNX files that a CPU runs fast, with the same answers."""

from pathlib import Path


def _parametric_relu(slopes):
    """Build PReLU from operations that ONNX Runtime keeps in its blocked memory layout.

    Its own PRelu is one value at a time, and was more than half of all time. With slope a per channel,
    prelu(z) = z + (1 - a) relu(-z): two convolutions of 1 x 1 within each channel, and a sum.
    """
    import torch
    from torch import nn

    class ParametricRelu(nn.Module):
        def __init__(self):
            super().__init__()
            count = len(slopes)
            self.flip = nn.Conv2d(count, count, 1, groups=count, bias=False)
            self.scale = nn.Conv2d(count, count, 1, groups=count, bias=False)
            with torch.no_grad():
                self.flip.weight.fill_(-1)
                self.scale.weight.copy_((1 - slopes)[:, None, None, None])

        def forward(self, z):
            return self.scale(torch.relu(self.flip(z))) + z

    return ParametricRelu()


def raw_network(name: str):
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
    import torch
    from facenet_pytorch.models import mtcnn

    network = {"pnet": mtcnn.PNet, "rnet": mtcnn.RNet, "onet": mtcnn.ONet}[name]().eval()
    with torch.no_grad():
        first = network.conv1
        first.bias -= 127.5 / 128 * first.weight.sum(dim=(1, 2, 3))
        first.weight /= 128
        _fill_up(network)
        answer = {"pnet": "4_1", "rnet": "5_1", "onet": "6_1"}[name]
        _one_answer(network, answer)
        for place in range(1, 5):
            if hasattr(network, f"conv{place}"):
                slopes = getattr(network, f"prelu{place}").weight
                setattr(network, f"prelu{place}", _parametric_relu(slopes))
    return network


def _fill_up(network) -> None:
    """Add channels of zeros to the first layer, up to a multiple of 16: ONNX Runtime then stays in blocks."""
    import torch
    from torch import nn

    first, second, slopes = network.conv1, network.conv2, network.prelu1.weight
    more = -first.out_channels % 16
    first.weight = nn.Parameter(torch.cat([first.weight, torch.zeros(more, *first.weight.shape[1:])]))
    first.bias = nn.Parameter(torch.cat([first.bias, torch.zeros(more)]))
    first.out_channels = second.in_channels = first.out_channels + more
    network.prelu1.weight = nn.Parameter(torch.cat([slopes, torch.ones(more)]))
    shape = (second.out_channels, more, *second.kernel_size)
    second.weight = nn.Parameter(torch.cat([second.weight, torch.zeros(shape)], dim=1))


def _one_answer(network, place: str) -> None:
    """Turn the softmax of (no face, face) into 1 / (1 + exp(no face - face)), which is the same number.

    ONNX Runtime's own Sigmoid is an approximation that is off by some units in the last place. Near 1, where
    many windows on one face lie, that changes which of them is the best, and so the box.
    """
    import torch
    from torch import nn

    class Probability(nn.Module):
        def forward(self, against):
            return torch.reciprocal(torch.exp(against) + 1)

    kind = "conv" if hasattr(network, f"conv{place}") else "dense"
    layer = getattr(network, f"{kind}{place}")
    layer.weight = nn.Parameter(layer.weight[:1] - layer.weight[1:])
    layer.bias = nn.Parameter(layer.bias[:1] - layer.bias[1:])
    if kind == "conv":
        layer.out_channels = 1
    setattr(network, f"softmax{place}", Probability())


def export_network(name: str, path: Path) -> None:
    """Write one network as ONNX: input `pixels` (n, 3, h, w) float32, 0 to 255.

    Outputs: how far each edge should move, (n, 4, ...); from O-Net then the landmarks, (n, 10); last the
    probability of a face, (n, 1, ...). P-Net takes any height and width from 12 on, R-Net 24 x 24, O-Net
    48 x 48; all take any n.
    """
    import torch
    from torch.export import Dim

    size = {"pnet": 40, "rnet": 24, "onet": 48}[name]
    moving = {0: Dim("n", min=1, max=4096)}
    if name == "pnet":
        moving |= {2: Dim("height", min=12, max=65536), 3: Dim("width", min=12, max=65536)}
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
