"""Building blocks that facet's networks share."""
import torch
from torch import nn


class Normalise(nn.Conv2d):
    """Fixed (x - 128) / 64, as a convolution so that it becomes part of the exported network."""

    def __init__(self):
        super().__init__(3, 3, 1, groups=3)
        self.weight.data.fill_(1 / 64)
        self.bias.data.fill_(-2)
        self.requires_grad_(False)


class ConvBn(nn.Module):
    def __init__(self, channels_in, channels_out, kernel=3, stride=1, relu=True):
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(channels_out)
        self.relu = relu

    def forward(self, x):
        x = self.bn(self.conv(x))
        return torch.relu_(x) if self.relu else x


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first = ConvBn(channels, channels)
        self.second = ConvBn(channels, channels, relu=False)

    def forward(self, x):
        return torch.relu_(x + self.second(self.first(x)))


def strided_stages(widths, blocks):
    """Each stage halves the picture and brings it to a width, followed by so many residual blocks."""
    stages, last = [], 3
    for width, count in zip(widths, blocks):
        stages.append(nn.Sequential(ConvBn(last, width, 3, 2), *[Residual(width) for _ in range(count)]))
        last = width
    return nn.ModuleList(stages)
