"""Writes the same values with the real pickle, numpy, scipy and torch in every protocol and container; read back by
pickle_test.cpp. Usage: write_pickles.py FOLDER"""

import collections
import os
import pickle
import sys

import numpy
import scipy.sparse

folder = sys.argv[1]


def values(with_sparse=True):
    grid = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
    result = collections.OrderedDict(
        f4=grid,
        f8_fortran=numpy.asfortranarray(grid.astype(numpy.float64)),
        big=numpy.array([1, -2, 3], dtype=">f8"),
        i8=numpy.array([7, 8, 99]),
        text="Grüße",
        names=numpy.array(["jawOpen", "é"]),
        scalar=numpy.float64(2.5),
        list=[1, (2, 3.5), {"set": {1, 2}, "bytes": b"\x00\xff\\\n", "array": bytearray(b"ab"), "big": 1 << 100,
                            "true": True, "none": None, "frozen": frozenset([1])}],
    )
    result["again"] = result["f4"]
    if with_sparse:
        result["sparse"] = scipy.sparse.csc_matrix([[0.0, 2, 0], [1, 0, 3]])
        result["csr"] = scipy.sparse.csr_matrix([[0.0, 2, 0], [1, 0, 3]])
    return result


for protocol in range(6):
    with open(os.path.join(folder, "protocol%d.pkl" % protocol), "wb") as file:
        pickle.dump(values(), file, protocol)
    with open(os.path.join(folder, "plain_dict%d.pkl" % protocol), "wb") as file:
        pickle.dump(dict(values()), file, protocol)
numpy.save(os.path.join(folder, "objects.npy"), dict(values()))
arrays = dict(values(with_sparse=False))
arrays["list"] = numpy.array(arrays["list"], dtype=object)
numpy.savez(os.path.join(folder, "stored.npz"), **arrays)
numpy.savez_compressed(os.path.join(folder, "deflated.npz"), **arrays)

try:
    import torch
except ImportError:
    torch = None
if torch is not None:
    grid = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    tensors = dict(t=grid, transposed=grid.t(), long=torch.arange(8)[4:7])
    torch.save(tensors, os.path.join(folder, "tensor_zip.pt"))
    torch.save(tensors, os.path.join(folder, "tensor_legacy.pt"), _use_new_zipfile_serialization=False)
    numpy.save(os.path.join(folder, "tensor_objects.npy"), tensors)
    for protocol in (2, 4):
        with open(os.path.join(folder, "tensor_pickle%d.pkl" % protocol), "wb") as file:
            pickle.dump(tensors, file, protocol)
