"""What Blender makes of a GLB, and the GLB that it makes of that.

usage: blender -b --factory-startup --python-exit-code 3 --python-expr "import numpy; numpy.bool=bool"
         --python blender_client.py -- IN.glb SEEN.npz SEEN.json [OUT.glb]
SEEN.npz: vertices (V,3) and shapes (N,V,3), metres, in glTF's axes; weights (V,J) where there are bones.
SEEN.json: names of the shape keys (Basis first) and of the bones, images, number of vertices.
"""
import json
import sys

import bpy
import numpy as np

source, seen, report, *target = sys.argv[sys.argv.index('--') + 1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.import_scene.gltf(filepath=source, merge_vertices=True)
head = next(o for o in bpy.data.objects if o.type == 'MESH' and o.data.shape_keys)
mesh = head.data


def points(collection):
    values = np.empty(3 * len(collection), 'f4')
    collection.foreach_get('co', values)
    x, y, z = values.reshape(-1, 3).T
    return np.stack([x, z, -y], 1)  # Blender's z points up, glTF's y


keys = mesh.shape_keys.key_blocks
basis = points(keys[0].data)
arrays = dict(vertices=basis, shapes=np.stack([points(key.data) for key in keys[1:]]) - basis)
bones = [bone.name for o in bpy.data.objects if o.type == 'ARMATURE' for bone in o.data.bones]
if bones:
    weights = np.zeros((len(mesh.vertices), len(bones)), 'f4')
    column = {group.index: bones.index(group.name) for group in head.vertex_groups if group.name in bones}
    for vertex in mesh.vertices:
        for share in vertex.groups:
            weights[vertex.index, column[share.group]] = share.weight
    arrays['weights'] = weights
np.savez(seen, **arrays)
with open(report, 'w') as file:
    json.dump(dict(keys=[key.name for key in keys], bones=bones, vertices=len(mesh.vertices),
                   images=[list(i.size) for i in bpy.data.images if i.size[0] > 0]), file)
if target:
    bpy.ops.export_scene.gltf(filepath=target[0], export_format='GLB', export_morph_normal=True, export_tangents=True)
