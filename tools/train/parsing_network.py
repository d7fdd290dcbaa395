"""The parsing network: a small encoder and decoder with skips. Ronneberger et al., "U-Net", MICCAI 2015.

Input N x 3 x 128 x 128, RGB 0..255. Output N x classes x 128 x 128 logits; the last step is an enlargement by two, as the borders of
a face need no finer grid.
"""
import torch
from torch import nn

from layers import ConvBn, Normalise, strided_stages

INPUT_PX = 128


class ParsingNet(nn.Module):
    def __init__(self, num_classes, widths=(16, 24, 40, 64, 80), blocks=(0, 1, 1, 2, 2)):
        super().__init__()
        self.normalise = Normalise()
        self.stages = strided_stages(widths, blocks)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.merge = nn.ModuleList([ConvBn(a + b, b) for a, b in zip(widths[:0:-1], widths[-2::-1])])
        self.head = nn.Sequential(ConvBn(widths[0], 24), nn.Conv2d(24, 4 * num_classes, 1))
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, images):
        x, levels = self.normalise(images), []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        for merge, level in zip(self.merge, reversed(levels[:-1])):
            x = merge(torch.cat([self.up(x), level], 1))
        return self.shuffle(self.head(x))
