"""The face detector: one stride-8 grid that sees the whole picture, fed by a pyramid down to stride 64.

Input N x 3 x S x S, RGB 0..255 (S = 320 as exported; any multiple of 64 works). Output N x 6 x S/8 x S/8, per cell:
  logit that a face's crop is centred here | x, y of the crop's centre from the cell's centre, in cells
  | log of the crop's side over 32 px | cos, sin of its roll (not normalised)
The crop is the one that the face network wants (crops.py): a find goes straight to it, rolled upright.
After Zhou et al., "Objects as Points", 2019, with a feature pyramid (Lin et al., CVPR 2017).
"""
import torch
from torch import nn

from layers import ConvBn, Normalise, strided_stages

INPUT_PX = 320
STRIDE_PX = 8
SIDE_UNIT_PX = 32.0


class DetectorNet(nn.Module):
    def __init__(self, widths=(8, 16, 32, 48, 64, 64), blocks=(0, 0, 1, 2, 2, 1), pyramid=32):
        super().__init__()
        self.normalise = Normalise()
        self.stages = strided_stages(widths, blocks)
        self.lateral = nn.ModuleList([ConvBn(w, pyramid, 1, relu=False) for w in widths[2:]])
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.head = nn.Sequential(ConvBn(pyramid, pyramid), nn.Conv2d(pyramid, 6, 1))
        self.head[-1].weight.data.mul_(0.1)
        self.head[-1].bias.data[:] = torch.tensor([-4.0, 0, 0, 0.5, 1, 0])

    def forward(self, images):
        x, levels = self.normalise(images), []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i >= 2:
                levels.append(x)
        merged = None
        for level, lateral in zip(reversed(levels), reversed(self.lateral)):
            own = lateral(level)
            merged = torch.relu(own if merged is None else own + self.up(merged))
        return self.head(merged)
