"""Writes a network as ONNX (opset 11, which OpenCV 4.6 reads) with a JSON beside it that describes it."""
import copy
import json
import os

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from layers import ConvBn

LICENCE = "as facet; trained only on faces rendered by facet"


def fused_copy(network):
    """The same function for inference, on the CPU, with every batch normalisation folded into its convolution."""
    fused = copy.deepcopy(network).eval().cpu().to(memory_format=torch.contiguous_format)
    for module in fused.modules():
        if isinstance(module, ConvBn):
            module.conv = fuse_conv_bn_eval(module.conv, module.bn)
            module.bn = nn.Identity()
    return fused


def write(fused, example, onnx_path, description, dynamic_size=False):
    """`dynamic_size`: height and width of the input may differ from those of the example."""
    os.makedirs(os.path.dirname(os.path.abspath(onnx_path)), exist_ok=True)
    axes = {"rgb": {2: "height", 3: "width"}} if dynamic_size else None
    torch.onnx.export(fused, example, onnx_path + ".tmp", opset_version=11, input_names=["rgb"], output_names=["prediction"],
                      dynamic_axes=axes)
    json_path = os.path.splitext(onnx_path)[0] + ".json"
    with open(json_path + ".tmp", "w") as file:
        json.dump({**description, "licence": LICENCE}, file, indent=1)
        file.write("\n")
    os.replace(onnx_path + ".tmp", onnx_path)
    os.replace(json_path + ".tmp", json_path)
