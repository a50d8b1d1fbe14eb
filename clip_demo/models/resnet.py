"""The forward pass of CLIP's modified ResNets."""

import torch
from torch.nn import functional
from torch.nn.utils import fuse_conv_bn_weights

from .packing import PackedConvolution, give_back, packs
from .transformer import linear

MIN_BATCH = 8  # fewer images are faster one after the other; see `PackedConvolution`


class ResNet:
    """The image encoder of a ResNet; each batch normalisation is a part of the convolution before it.

    In evaluation mode both are linear.

    Parameters
    ----------
    visual : clip.model.ModifiedResNet
    """

    def __init__(self, visual: torch.nn.Module):
        self._visual, side = visual, visual.input_resolution
        self._stem = [
            _convolution(visual.conv1, visual.bn1, side),
            _convolution(visual.conv2, visual.bn2, side // 2),
            _convolution(visual.conv3, visual.bn3, side // 2),
        ]
        self.stages = (visual.layer1, visual.layer2, visual.layer3, visual.layer4)
        self._blocks = []  # of each stage
        for number, stage in enumerate(self.stages):
            self._blocks.append([Bottleneck(each, (side // 4 >> number) * each.stride) for each in stage])
        self.attnpool = visual.attnpool
        self._pool = AttentionPool(visual.attnpool)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the features of images, as ``network.encode_image`` computes them.

        Parameters
        ----------
        pixels : torch.Tensor, shape (n, 3, height, width), float
            Preprocessed images.

        Returns
        -------
        torch.Tensor, shape (n, d)
            Not normalised.
        """
        parts = [pixels] if len(pixels) >= MIN_BATCH else pixels.split(1)
        return torch.cat([self._pool(self.after_stages(each, len(self.stages))) for each in parts])

    def after_stages(self, pixels: torch.Tensor, count: int) -> torch.Tensor:
        """Return the output of the stem and the first stages, shape (n, channels, rows, columns)."""
        x = pixels.type(self._visual.conv1.weight.dtype).contiguous(memory_format=torch.channels_last)
        for convolution in self._stem:
            x = convolution(x, relu=True)
        x = self._visual.avgpool(x)
        for blocks in self._blocks[:count]:
            for block in blocks:
                x = block(x)
        return x


class Bottleneck:
    """A block of a stage. Its input is overwritten.

    Parameters
    ----------
    block : clip.model.Bottleneck
    side : int
        Of the input.
    """

    def __init__(self, block: torch.nn.Module, side: int):
        self._stride, self._pool, pooled = block.stride, block.avgpool, side // block.stride
        self._first = _convolution(block.conv1, block.bn1, side)
        self._second = _convolution(block.conv2, block.bn2, side)
        self._third = _convolution(block.conv3, block.bn3, pooled)
        self._shortcut = None
        if block.downsample is not None:
            self._shortcut = _convolution(*list(block.downsample)[1:], pooled)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's output, shape (n, channels, rows, columns)."""
        y = self._pool(self._second(self._first(x, relu=True), relu=True))
        if self._shortcut is not None:
            x = functional.avg_pool2d(x, self._stride) if self._stride > 1 else x
            x = self._shortcut(x, relu=False)
        return self._third.add_relu(y, x)


class AttentionPool:
    """The attention that turns the last stage's cells into a feature.

    Its only query is for the mean of the cells. So the keys and values of the cells need not be computed: the score of
    a cell is ``q · (K x) = (K^T q) · x``, and the mean of the values is V times that of the cells. The bias of the keys
    adds the same number to all scores, and the softmax takes it out. Computed in float32.

    Parameters
    ----------
    pool : clip.model.AttentionPool2d
    """

    def __init__(self, pool: torch.nn.Module):
        self._pool = pool
        self._query, self._out = (linear(each.weight, each.bias) for each in (pool.q_proj, pool.c_proj))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return features, shape (n, d), from the last stage's output, shape (n, channels, rows, columns)."""
        pool = self._pool
        x = x.flatten(2).transpose(1, 2)  # (n, cells, channels)
        x = torch.cat([x.mean(dim=1, keepdim=True), x], dim=1) + pool.positional_embedding.to(x.dtype)
        keys, values = (each.weight.float().unflatten(0, (pool.num_heads, -1)) for each in (pool.k_proj, pool.v_proj))
        query = self._query(x[:, 0]).float().unflatten(-1, (pool.num_heads, -1))  # (n, heads, head width)
        sought = (query.transpose(0, 1) @ keys).transpose(0, 1)  # (n, heads, channels)
        shares = (sought @ x.float().transpose(1, 2) / query.shape[-1] ** 0.5).softmax(dim=-1)  # (n, heads, cells)
        means = (shares @ x.float()).transpose(0, 1)  # (heads, n, channels)
        heads = (means @ values.transpose(1, 2)).transpose(0, 1).flatten(1) + pool.v_proj.bias
        return self._out(heads.type(x.dtype))


class Convolution:
    """As `clip_demo.models.packing.PackedConvolution`, without packing."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, *, stride: list[int], padding: list[int], side: int):
        # The channels of a pixel together, which most kernels compute faster.
        self._weight = weight.contiguous(memory_format=torch.channels_last)
        self._bias, self._stride, self._padding = bias, stride, padding

    def __call__(self, x: torch.Tensor, relu: bool) -> torch.Tensor:  # noqa: D102
        x = functional.conv2d(x, self._weight, self._bias, self._stride, self._padding)
        return x.relu_() if relu else x

    def add_relu(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return y.add_(self(x, relu=False)).relu_()


def _convolution(conv: torch.nn.Conv2d, norm: torch.nn.BatchNorm2d, side: int) -> PackedConvolution | Convolution:
    """Return a convolution and its batch normalisation as one; `side` of the input in pixels."""
    weight, bias = fuse_conv_bn_weights(
        conv.weight.float(), conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    kind = PackedConvolution if packs(conv.weight) else Convolution
    made = kind(
        weight.type(conv.weight.dtype),
        bias.type(conv.weight.dtype),
        stride=list(conv.stride),
        padding=list(conv.padding),
        side=side,
    )
    give_back(conv.weight)
    return made
