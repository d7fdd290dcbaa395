"""The face network: strided convolutions with residual blocks, then fully connected layers that keep coordinates.

Input N x 3 x 112 x 112, RGB 0..255. Output: one row of numbers per crop, in the order of `FaceNet.parts`:
  points      2 P   x0 y0 x1 y1 ..., fractions of the crop's side from its centre
  log_sigma   P     of x and of y, same unit
  face        1     logit: the crop shows a face
  identity    K, then log_identity_sigma K     coefficients of the built-in model, standard deviations of the population
  expression  E, then log_expression_sigma E   its blendshape weights
  albedo      A, then log_albedo_sigma A       its albedo coefficients, standard deviations
  light       27    spherical harmonics of the irradiance (core/spherical_harmonics.h), 9 x RGB, in the frame of the crop
  pose        9     the first two columns of the head's rotation, then where the model's origin lies (x, y) and log of crop sides per metre
with all frames as OpenCV's camera, turned upright with the crop.
"""
import torch
from torch import nn

from layers import ConvBn, Normalise, Residual

INPUT_PX = 112
NUM_IDENTITY, NUM_EXPRESSION, NUM_ALBEDO, NUM_LIGHT, NUM_POSE = 60, 51, 31, 27, 9


class FaceNet(nn.Module):
    def __init__(self, num_points, widths=(16, 32, 64, 128), blocks=(1, 2, 2), bottleneck=256, identity_bottleneck=128):
        super().__init__()
        self.num_points = num_points
        self.normalise = Normalise()
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
                                           nn.Linear(identity_bottleneck, 2 * NUM_IDENTITY))
        # The shape's features also say expression and pose, the identity's also albedo and light.
        self.expression_head = nn.Linear(bottleneck, 2 * NUM_EXPRESSION)
        self.pose_head = nn.Linear(bottleneck, NUM_POSE)
        self.appearance_head = nn.Linear(identity_bottleneck, 2 * NUM_ALBEDO + NUM_LIGHT)
        for last in (self.identity_head[-1], self.expression_head, self.pose_head, self.appearance_head):
            last.weight.data.mul_(0.1)   # starts at the average, one standard deviation uncertain
            last.bias.data.zero_()
        self.expression_head.bias.data[NUM_EXPRESSION:] = -1.5
        sizes = {"points": 2 * num_points, "log_sigma": num_points, "face": 1,
                 "identity": NUM_IDENTITY, "log_identity_sigma": NUM_IDENTITY,
                 "expression": NUM_EXPRESSION, "log_expression_sigma": NUM_EXPRESSION,
                 "albedo": NUM_ALBEDO, "log_albedo_sigma": NUM_ALBEDO, "light": NUM_LIGHT, "pose": NUM_POSE}
        self.parts, first = {}, 0
        for name, size in sizes.items():
            self.parts[name] = (first, first + size)
            first += size

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
        shape, identity = self.shape_head[:2](x), self.identity_head[:2](x)
        return torch.cat([self.shape_head[2](shape), self.identity_head[2](identity), self.expression_head(shape),
                          self.appearance_head(identity), self.pose_head(shape)], 1)

    def split(self, output):
        """{part: its columns}; points as N x P x 2, face as N."""
        named = {name: output[:, first:last] for name, (first, last) in self.parts.items()}
        named["points"] = named["points"].reshape(len(output), -1, 2)
        named["face"] = named["face"][:, 0]
        return named


class IdentityNet(nn.Module):
    """The identity part of a trained FaceNet, alone: N x (K, then log sigma K)."""

    def __init__(self, face_net):
        super().__init__()
        self.normalise, self.features, self.identity_head = face_net.normalise, face_net.features, face_net.identity_head

    def forward(self, images):
        return self.identity_head(torch.flatten(self.features(self.normalise(images)), 1))
