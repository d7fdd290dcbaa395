"""Writes small valid files of the formats of all fuzz targets: the seeds of their corpora.

usage: write_seeds.py DIR      needs numpy, scipy and h5py (torch is optional); makes DIR/mat, DIR/hdf5 and so on
"""
import base64
import json
import os
import pickle
import struct
import subprocess
import sys
import zlib

import h5py
import numpy as np
import scipy.io
import scipy.sparse

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


def write_pickle(folder):
    tests = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'core', 'io')
    subprocess.run([sys.executable, os.path.join(tests, 'write_pickles.py'), folder], check=True)


def write_npy(folder):
    arrays = dict(a=basis, b=triangles.astype('>i8'), c=np.asfortranarray(basis.astype('>f2')),
                  d=np.array(['jawOpen', 'x']), e=np.float64(2))
    for name, array in arrays.items():
        np.save(f'{folder}/{name}.npy', array)
    np.savez(f'{folder}/stored.npz', **arrays)
    np.savez_compressed(f'{folder}/deflated.npz', **arrays)


class Ch:
    """Pickled under the name of chumpy's class, as the original FLAME files have it."""

    def __init__(self, x):
        self.x = x
        self._dirty_vars = set()


Ch.__module__, Ch.__qualname__ = 'chumpy.ch', 'Ch'
sys.modules['chumpy'] = sys.modules['chumpy.ch'] = sys.modules[__name__]


def write_flame(folder):
    weights = np.full((8, 5), 0.2)
    arrays = dict(v_template=cube / 1000.0, f=triangles.astype('u4'), shapedirs=random.random((8, 3, 150)) / 1000,
                  posedirs=random.random((8, 3, 36)) / 1000, J_regressor=scipy.sparse.csc_matrix(np.full((5, 8), 0.125)),
                  kintree_table=np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]]), weights=weights,
                  bs_type='lrotmin')
    wrapped = {key: Ch(value) if key in ('v_template', 'shapedirs', 'weights') else value for key, value in arrays.items()}
    for protocol in (0, 2, 4, 5):
        with open(f'{folder}/{protocol}.pkl', 'wb') as f:
            pickle.dump(wrapped, f, protocol)
    dense = {**arrays, 'J_regressor': arrays['J_regressor'].toarray()}
    np.savez(f'{folder}/stored.npz', **dense)
    np.savez_compressed(f'{folder}/deflated.npz', **dense)


# Beside the model of fuzz_flame_companion: 26 vertices, 48 triangles.
def write_flame_companion(folder):
    def corners(*shape):
        return np.full((*shape, 3), 1 / 3)

    uv = dict(vt=random.random((30, 2)), ft=random.integers(0, 30, (48, 3)))
    image, colours = np.full((4, 4, 3), 100.0), random.random((4, 4, 3, 2))
    eyelid = np.zeros((26, 3), 'f4')
    eyelid[[7, 8], 1] = -0.003
    files = dict(
        all=dict(static_lmk_faces_idx=np.arange(51) % 48, static_lmk_bary_coords=corners(51),
                 dynamic_lmk_faces_idx=np.arange(79 * 17).reshape(79, 17) % 48, dynamic_lmk_bary_coords=corners(79, 17),
                 full_lmk_faces_idx=np.arange(68).reshape(1, 68) % 48, full_lmk_bary_coords=corners(1, 68)),
        static51=dict(lmk_face_idx=np.arange(51) % 48, lmk_b_coords=corners(51)),
        static68=dict(lmk_face_idx=np.arange(68) % 48, lmk_b_coords=corners(68)),
        masks=dict(face=np.arange(20), neck=np.arange(20, 26), nose=np.array([3, 4])),
        texture=dict(mean=image, tex_dir=colours, **uv),
        albedo=dict(MU=image.ravel() / 255, PC=colours.reshape(48, 2), **uv),
        specular=dict(MU=image / 255, PC=colours, specMU=image / 255, specPC=colours, **uv))
    for name, arrays in files.items():
        with open(f'{folder}/{name}.pkl', 'wb') as f:
            pickle.dump(arrays, f, 2)
        np.savez(f'{folder}/{name}.npz', **arrays)
    np.save(f'{folder}/eyelid.npy', eyelid)


def write_faceverse_tddfa(folder):
    faceverse = dict(meanshape=cube / 100, idBase=basis, exBase=basis, tri=triangles, keypoints=np.arange(68) % 8,
                     meantex=np.full((1, 24), 100.0), texBase=basis, skinmask=np.ones(8), exp_name_list=['a', 'b', 'c'])
    third = dict(faceverse, exp_name_list=['a'], mediapipe_keypoints=np.arange(478) % 8, ver_inds=[4, 6, 8])
    version3 = dict(u=mean / 100, id=basis, exp=basis, tri=triangles, u_alb=np.full((24, 1), 100.0), alb=basis,
                    uv_coords=random.random((8, 3)), ldm68=np.arange(68) % 8, annotation=[np.arange(i + 1) for i in range(8)])
    version2 = dict(u=mean * 1000, w_shp=basis * 1000, w_exp=basis * 1000, keypoints=np.arange(204) % 24)
    for name, model in [('faceverse', faceverse), ('third', third), ('version3', version3), ('version2', version2)]:
        np.save(f'{folder}/{name}.npy', model)
        with open(f'{folder}/{name}.pkl', 'wb') as f:
            pickle.dump(model, f, 2)


def write_facet_model(folder):
    def meta(**more):
        text = json.dumps(dict(format='facet-model', version=2, id='seed', expression_names=['jawOpen', 'b', 'c'], **more))
        return np.frombuffer(text.encode(), 'u1')
    modes = np.ascontiguousarray(basis.T).reshape(3, 8, 3)
    plain = dict(mean=cube, triangles=triangles, identity=modes, expression=modes.astype('f2'), meta=meta())
    full = dict(plain, uv=random.random((8, 2)).astype('f4'), uv_triangles=triangles, albedo_mean=np.abs(cube) / 200,
                albedo=modes, landmarks68_triangle=np.arange(68) % 12, landmarks68_barycentric=np.full((68, 3), 1 / 3),
                symmetry=np.arange(8), region=np.zeros(8, 'u1'), triangle_material=np.zeros(12, 'u1'),
                blendshapes=modes, joint_weights=np.full((8, 2), 0.5), joint_regressor_joint=np.array([0, 1]),
                joint_regressor_vertex=np.array([2, 3]), joint_regressor_weight=np.ones(2), pose_correctives=modes.repeat(3, 0),
                contour_triangle=np.zeros((79, 17), 'i4'), contour_barycentric=np.full((79, 17, 3), 1 / 3),
                meta=meta(region_names=['face'], material_names=['skin'], blendshape_names=['x', 'y', 'z'],
                          num_blendshapes=1, joints=[dict(name='root', parent=-1), dict(name='jaw', parent=0)]))
    ict = dict(mean=cube / 10, triangles=triangles, uv=random.random((8, 2)), triangles_uv=triangles, identity=modes,
               expression=modes, expression_names=np.array(['jawOpen', 'b_L', 'b_R']), material_names=np.array(['M_Face']),
               landmarks68=np.arange(68) % 8, face_material=np.zeros(12, 'i4'), triangle_source_face=np.arange(12))
    for name, arrays in [('plain', plain), ('full', full), ('ict', ict)]:
        np.savez(f'{folder}/{name}.npz', **arrays)
        np.savez_compressed(f'{folder}/{name}_deflated.npz', **arrays)


def write_obj(folder):
    lines = ['mtllib a.mtl', 'o head', *('v %g %g %g' % tuple(p) for p in cube), 'vt 0 0', 'vt 1 0 0', 'vn 0 0 1', 'usemtl skin',
             'f 1/1/1 2/2/1 4/1/1', 'f 1//1 3//1 4//1', 'f -1 -2 -3 -4', 's off', 'f 1 2 3 4 5']
    for name, end in [('unix', '\n'), ('dos', '\r\n')]:
        with open(f'{folder}/{name}.obj', 'w', newline='') as f:
            f.write(end.join(lines) + end)


def write_glb(folder):
    binary, views, accessors = bytearray(), [], []

    def add(values, kind, **more):
        types = {'f4': 5126, 'u1': 5121, 'i1': 5120, 'u2': 5123, 'i2': 5122, 'u4': 5125}
        data = values.tobytes()
        views.append(dict(buffer=0, byteOffset=len(binary), byteLength=len(data)))
        binary.extend(data + bytes(-len(data) % 4))
        accessors.append(dict(bufferView=len(views) - 1, componentType=types[values.dtype.str[1:]],
                              count=values.size // dict(SCALAR=1, VEC2=2, VEC3=3, VEC4=4, MAT4=16)[kind], type=kind, **more))
        return len(accessors) - 1

    position = add(cube / 1000, 'VEC3')
    uv = add(random.integers(0, 255, (8, 2)).astype('u2'), 'VEC2', normalized=True)
    joints, weights = add(np.zeros((8, 4), 'u1'), 'VEC4'), add(np.full((8, 4), 0.25, 'f4'), 'VEC4')
    shape = add(cube / 10000, 'VEC3')
    add(np.array([1, 5], 'u2'), 'SCALAR')
    add(cube[:2] / 1000, 'VEC3')
    accessors.append(dict(componentType=5126, count=8, type='VEC3', name='sparse', sparse=dict(
        count=2, indices=dict(bufferView=5, componentType=5123), values=dict(bufferView=6))))
    sparse = len(accessors) - 1
    index = add(triangles.astype('u1').ravel(), 'SCALAR')
    bind = add(np.eye(4, dtype='f4'), 'MAT4')
    times, weight = add(np.array([0, 1], 'f4'), 'SCALAR'), add(np.array([0, 0, 1, 0.5], 'f4'), 'SCALAR')
    turn = add(np.array([0, 0, 0, 1, 0, 1, 0, 0], 'f4'), 'VEC4')
    def png_chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    png = (b'\x89PNG\r\n\x1a\n' + png_chunk(b'IHDR', struct.pack('>IIBBBBB', 1, 1, 8, 2, 0, 0, 0)) +
           png_chunk(b'IDAT', zlib.compress(b'\0\xc0\x80\x60')) + png_chunk(b'IEND', b''))
    views.append(dict(buffer=0, byteOffset=len(binary), byteLength=len(png)))
    binary.extend(png + bytes(-len(png) % 4))
    primitive = dict(attributes=dict(POSITION=position, TEXCOORD_0=uv, JOINTS_0=joints, WEIGHTS_0=weights), indices=index,
                     material=0, targets=[dict(POSITION=shape), dict(POSITION=sparse)])
    channels = [('weights', 0, weight), ('rotation', 1, turn), ('rotation', 2, turn)]
    gltf = dict(
        asset=dict(version='2.0', extras=dict(licence='MIT')), scene=0, scenes=[dict(nodes=[2])],
        nodes=[dict(mesh=0, skin=0), dict(name='root'), dict(children=[0, 1], translation=[0, 0, 1])],
        meshes=[dict(name='head', primitives=[primitive, dict(primitive, mode=5)], extras=dict(targetNames=['jawOpen', 'b']))],
        skins=[dict(joints=[1], inverseBindMatrices=bind)], accessors=accessors, bufferViews=views,
        materials=[dict(pbrMetallicRoughness=dict(baseColorTexture=dict(index=0, extensions=dict(
            KHR_texture_transform=dict(scale=[2, 2], offset=[0.5, 0])))), normalTexture=dict(index=0))],
        textures=[dict(source=0)], images=[dict(bufferView=len(views) - 1, mimeType='image/png')],
        buffers=[dict(byteLength=len(binary))], animations=[dict(
            samplers=[dict(input=times, output=output) for _, _, output in channels],
            channels=[dict(sampler=i, target=dict(node=node, path=path)) for i, (path, node, _) in enumerate(channels)])])

    def chunk(kind, data, filler):
        data = bytes(data) + filler * (-len(data) % 4)
        return struct.pack('<I4s', len(data), kind) + data
    content = chunk(b'JSON', json.dumps(gltf).encode(), b' ') + chunk(b'BIN\0', binary, b'\0')
    with open(f'{folder}/head.glb', 'wb') as f:
        f.write(struct.pack('<4sII', b'glTF', 2, 12 + len(content)) + content)
    gltf['buffers'][0]['uri'] = 'data:application/octet-stream;base64,' + base64.b64encode(binary).decode()
    with open(f'{folder}/head.gltf', 'w') as f:
        json.dump(gltf, f)


for name, write in [('mat', write_mat), ('hdf5', write_hdf5), ('eos', write_eos), ('pickle', write_pickle),
                    ('npy', write_npy), ('flame', write_flame), ('flame_companion', write_flame_companion),
                    ('faceverse_tddfa', write_faceverse_tddfa), ('facet_model', write_facet_model), ('obj', write_obj),
                    ('glb', write_glb)]:
    folder = os.path.join(sys.argv[1], name)
    os.makedirs(folder, exist_ok=True)
    write(folder)
