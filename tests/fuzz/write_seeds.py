"""Writes small valid files of the formats of fuzz_mat, fuzz_hdf5 and fuzz_eos: the seeds of their corpora.

usage: write_seeds.py DIR      needs numpy, scipy and h5py; makes DIR/mat, DIR/hdf5 and DIR/eos
"""
import os
import struct
import sys

import h5py
import numpy as np
import scipy.io

random = np.random.default_rng(0)
# A head of eight vertices, 200 mm high; 68 landmarks share them.
cube = np.array([[x, y, z] for x in (-70, 70) for y in (-100, 100) for z in (-80, 80)], 'f4')
triangles = np.array([[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6],
                      [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]], 'i4')
mean = cube.reshape(-1, 1)
basis = np.linalg.qr(random.standard_normal((24, 3)))[0].astype('f4')
sigma = np.array([[5], [4], [3]], 'f4')
grey = np.full((24, 1), 100, 'f4')
landmarks = (np.arange(68) % 8 + 1).reshape(1, 68)


def write_mat(folder):
    bfm = dict(shapeMU=1000 * mean, shapePC=basis, shapeEV=1000 * sigma, texMU=grey, texPC=basis, texEV=sigma,
               tl=triangles + 1)
    front = dict(meanshape=mean.T / 100, idBase=basis, exBase=basis, meantex=grey.T, texBase=basis,
                 tri=triangles.astype('f8') + 1, keypoints=landmarks)
    face3d = dict(model=dict(shapeMU=1000 * mean, shapePC=basis, shapeEV=1000 * sigma, expMU=0 * mean, expPC=basis,
                             expEV=1000 * sigma, texMU=grey, texPC=basis, texEV=sigma, tri=triangles + 1,
                             kpt_ind=landmarks))
    for name, arrays in [('bfm', bfm), ('front', front), ('face3d', face3d)]:
        for packed in (False, True):
            scipy.io.savemat(f'{folder}/{name}{packed:d}.mat', arrays, do_compression=packed)


def write_hdf5(folder):
    for version in ('earliest', 'latest'):
        for packed in (False, True):
            more = dict(compression=4, shuffle=True, chunks=(8, 2)) if packed else {}
            with h5py.File(f'{folder}/{version}{packed:d}.h5', 'w', libver=version) as f:
                for part, scale in [('shape', 1), ('expression', 0), ('color', 1 / 255)]:
                    f[f'{part}/model/mean'] = (grey if part == 'color' else mean)[:, 0] * scale
                    f[f'{part}/model/pcaVariance'] = sigma[:, 0] ** 2
                    f.create_dataset(f'{part}/model/pcaBasis', data=basis, **more)
                f['shape/representer/cells'] = triangles.T
                f['metadata/landmarks/json'] = '[{"id": "center.nose.tip", "coordinates": [0, 0, 80]}]'
            with h5py.File(f'{folder}/arrays_{version}{packed:d}.h5', 'w', libver=version) as f:
                f.create_dataset('a', data=basis.astype('>f8'), fletcher32=packed, **more)
                f.create_dataset('b', data=np.arange(40, dtype='i2').reshape(20, 2), chunks=(1, 1) if packed else None)
                f['text'] = 'a text' if packed else np.void(b'a text')


def write_eos(folder):
    def matrix(m):
        return struct.pack('<ii', *m.shape) + m.T.astype('<f4').tobytes()

    def faces():
        return struct.pack('<Q', len(triangles)) + triangles.astype('<i4').tobytes()

    def pca(m):
        return matrix(m) + matrix(basis) + matrix(sigma ** 2) + faces()

    def text(s):
        return struct.pack('<Q', len(s)) + s.encode()

    shapes = struct.pack('<Q', 2) + b''.join(text(s) + matrix(basis[:, :1]) for s in ('anger', 'fear'))
    uv = struct.pack('<Q', 8) + random.random((8, 2)).astype('<f8').tobytes()
    for version in (1, 2, 3, 4):
        for kind, expressions in [('none', b'\x01'), ('pca', b'\x00' + struct.pack('<i', 0) + pca(0 * mean)),
                                  ('shapes', b'\x00' + struct.pack('<i', 1) + shapes)]:
            content = struct.pack('<I', version) + pca(mean) + pca(grey / 255)
            if version >= 2:
                content += expressions
            if version >= 3:
                content += b'\x00' + struct.pack('<Q', 1) + text('nose') + struct.pack('<i', 3)
            content += uv + (faces() if version >= 4 else b'')
            with open(f'{folder}/{version}_{kind}.bin', 'wb') as f:
                f.write(content)


for name, write in [('mat', write_mat), ('hdf5', write_hdf5), ('eos', write_eos)]:
    folder = os.path.join(sys.argv[1], name)
    os.makedirs(folder, exist_ok=True)
    write(folder)
