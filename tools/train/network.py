"""The face network: strided convolutions with residual blocks, then fully connected layers that keep coordinates.

Input N x 3 x 112 x 112, RGB 0..255. Output N x (3 P + 1 + 2 K):
  [x0 y0 x1 y1 ... | log_sigma0 log_sigma1 ... | face_logit | c0 c1 ... | log_sigma_c0 log_sigma_c1 ...]
with x, y in fractions of the crop's side from its centre and sigma (standard deviation of x and of y) in fractions of the side;
c are K identity coefficients of the built-in model in standard deviations of the population (identity_target.py).
"""
import torch
from torch import nn

INPUT_PX = 112


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


class LandmarkNet(nn.Module):
    def __init__(self, num_points, num_modes, widths=(16, 32, 64, 128), blocks=(1, 2, 2), bottleneck=256,
                 identity_bottleneck=128):
        super().__init__()
        self.num_points = num_points
        self.num_modes = num_modes
        # Fixed: (x - 128) / 64, as a convolution so that it becomes part of the exported network.
        self.normalise = nn.Conv2d(3, 3, 1, groups=3)
        self.normalise.weight.data.fill_(1 / 64)
        self.normalise.bias.data.fill_(-2)
        self.normalise.requires_grad_(False)
        layers = [ConvBn(3, widths[0], 5, 2)]
        for i, count in enumerate(blocks):
            layers.append(ConvBn(widths[i], widths[i + 1], 3, 2))
            layers += [Residual(widths[i + 1]) for _ in range(count)]
        layers.append(ConvBn(widths[-1], 64, 1))
        self.features = nn.Sequential(*layers)
        cells = (INPUT_PX // 16) ** 2
        self.shape_head = nn.Sequential(nn.Linear(64 * cells, bottleneck), nn.ReLU(inplace=True),
                                        nn.Linear(bottleneck, 3 * num_points + 1))
        self.identity_head = nn.Sequential(nn.Linear(64 * cells, identity_bottleneck), nn.ReLU(inplace=True),
                                           nn.Linear(identity_bottleneck, 2 * num_modes))
        self.identity_head[-1].weight.data.mul_(0.1)   # starts at the average face, one standard deviation uncertain
        self.identity_head[-1].bias.data.zero_()

    def start_from(self, mean_points, sigma=0.05):
        """Biases the output to the mean shape (P x 2, crop fractions), so that training starts near it."""
        last = self.shape_head[-1]
        p = self.num_points
        with torch.no_grad():
            last.weight.mul_(0.1)
            last.bias.zero_()
            last.bias[:2 * p] = torch.as_tensor(mean_points, dtype=torch.float32).reshape(-1)
            last.bias[2 * p:3 * p] = float(torch.tensor(sigma).log())

    def forward(self, images):
        x = torch.flatten(self.features(self.normalise(images)), 1)
        return torch.cat([self.shape_head(x), self.identity_head(x)], 1)

    def split(self, output):
        """(points N x P x 2, log sigma N x P, face logit N, coefficients N x K, their log sigma N x K)"""
        p, first, k = self.num_points, 3 * self.num_points + 1, self.num_modes
        return (output[:, :2 * p].reshape(-1, p, 2), output[:, 2 * p:3 * p], output[:, 3 * p],
                output[:, first:first + k], output[:, first + k:])


def fused_copy(network):
    """The same function for inference with every batch normalisation folded into its convolution."""
    import copy
    from torch.nn.utils.fusion import fuse_conv_bn_eval
    fused = copy.deepcopy(network).eval()
    for module in fused.modules():
        if isinstance(module, ConvBn):
            module.conv = fuse_conv_bn_eval(module.conv, module.bn)
            module.bn = nn.Identity()
    return fused
