# Turns a GLB that facet wrote into an FBX or a .blend; facet runs it (apps/common/blender.h). By hand:
#   blender -b --factory-startup --python-exit-code 3 --python-expr "import numpy; numpy.bool=bool" \
#     --python convert.py -- head.glb head.fbx
# Blender 3.4 and later. (Debian's Blender 3.4 reads glTF only with that prelude: its importer wants numpy.bool,
# which numpy 1.24 no longer has. The exit code must come before the script, or errors do not count.)
import json
import os
import struct
import sys

import bpy
from mathutils import Matrix, Vector


def read_json_of_glb(path):
    with open(path, 'rb') as file:
        header = file.read(20)
        if len(header) < 20 or header[:4] != b'glTF' or header[16:] != b'JSON':
            raise ValueError(path + ': is not a GLB')
        return json.loads(file.read(struct.unpack('<I', header[12:16])[0]))


def frames_per_second(gltf):
    """Mean frame rate of the first animation; None without one."""
    for animation in gltf.get('animations', [])[:1]:
        times = gltf['accessors'][animation['samplers'][0]['input']]
        length = times['max'][0] - times['min'][0]
        if length > 0:
            return (times['count'] - 1) / length
    return None


def import_glb(path):
    rate = frames_per_second(read_json_of_glb(path))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    if rate:
        # The importer turns seconds into frames with the scene's rate.
        scene.render.fps = max(1, round(rate))
        scene.render.fps_base = scene.render.fps / rate
    # Welded: a vertex per point of the surface, not one per texture coordinate.
    bpy.ops.import_scene.gltf(filepath=path, merge_vertices=True)
    bpy.ops.object.select_all(action='DESELECT')


def animated():
    """Everything that may have an action."""
    for item in bpy.data.objects:
        yield item
        keys = getattr(item.data, 'shape_keys', None) if item.type == 'MESH' else None
        if keys:
            yield keys


def use_actions():
    """The importer leaves actions in NLA tracks; make them the current ones. The frames that they cover."""
    frames = []
    for item in animated():
        data = item.animation_data
        if not data:
            continue
        if not data.action:
            data.action = next((s.action for track in data.nla_tracks for s in track.strips if s.action), None)
        for track in list(data.nla_tracks):
            data.nla_tracks.remove(track)
        if data.action:
            frames.append(data.action.frame_range)
    scene = bpy.context.scene
    if frames:
        scene.frame_start = round(min(r[0] for r in frames))
        scene.frame_end = round(max(r[1] for r in frames))
        scene.frame_set(scene.frame_start)


def scale_everything(factor):
    """Scales data in place of objects, so that every object keeps the scale 1."""
    scale = Matrix.Scale(factor, 4)
    for mesh in bpy.data.meshes:
        mesh.transform(scale, shape_keys=True)
    for armature in bpy.data.armatures:
        armature.transform(scale)
    for item in bpy.data.objects:
        item.location *= factor
        item.matrix_parent_inverse.translation *= factor
        if item.pose:
            for bone in item.pose.bones:
                bone.location *= factor
    for camera in bpy.data.cameras:
        camera.clip_start *= factor
        camera.clip_end *= factor
    for action in bpy.data.actions:
        for curve in action.fcurves:
            if curve.data_path.split('.')[-1] != 'location':
                continue
            for key in curve.keyframe_points:
                key.co.y *= factor
                key.handle_left.y *= factor
                key.handle_right.y *= factor


def name_images():
    """Images that come packed have no path; the FBX exporter would give all of them one name and lose all but one."""
    for image in bpy.data.images:
        image.filepath_raw = '//' + bpy.path.clean_name(image.name) + '.png'


def strip_image_paths():
    """Embedded images are called by their names alone, not by the folder that this script happens to write in."""
    import io_scene_fbx.export_fbx_bin as exporter
    path_of = getattr(exporter, '_gen_vid_path', None)  # of Blender 3.4; another one keeps its paths
    if path_of:
        def name_of(image, scene_data):
            name = os.path.basename(path_of(image, scene_data)[1])
            return name, name
        exporter._gen_vid_path = name_of


def write_fbx(path):
    name_images()
    strip_image_paths()
    # Centimetres in the numbers themselves, and the file says so: Unreal takes numbers as centimetres, Unity,
    # Maya and Blender look at the unit. Nobody sees an object with a scale of 100.
    scale_everything(100)
    bpy.context.scene.unit_settings.scale_length = 0.01
    bpy.context.view_layer.update()
    bpy.ops.export_scene.fbx(
        filepath=path, object_types={'ARMATURE', 'EMPTY', 'MESH', 'CAMERA'}, apply_scale_options='FBX_SCALE_NONE',
        axis_forward='-Z', axis_up='Y', use_mesh_modifiers=False, mesh_smooth_type='OFF', add_leaf_bones=False,
        path_mode='COPY', embed_textures=True, bake_anim=bool(bpy.data.actions), bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False, bake_anim_simplify_factor=0)


def bounds(meshes):
    corners = [m.matrix_world @ Vector(c) for m in meshes for c in m.bound_box]
    low = Vector(min(c[i] for c in corners) for i in range(3))
    high = Vector(max(c[i] for c in corners) for i in range(3))
    return low, high


def look_at(item, target):
    item.rotation_euler = (target - item.location).to_track_quat('-Z', 'Y').to_euler()


def add(name, data, location, target):
    item = bpy.data.objects.new(name, data)
    item.location = location
    look_at(item, target)
    bpy.context.scene.collection.objects.link(item)
    return item


def add_camera(middle, height):
    data = bpy.data.cameras.new('portrait')
    data.lens = 85
    data.clip_start = 0.01
    # The head fills three quarters of the picture's height (its larger side).
    distance = height / 0.75 * data.lens / data.sensor_width
    return add('portrait', data, middle + Vector((0, -distance, 0)), middle)


def set_picture(camera):
    """The photo's size and principal point, which glTF's camera cannot hold, stand in its extras."""
    render = bpy.context.scene.render
    width, height = camera.data.get('width_px'), camera.data.get('height_px')
    if not width or not height:
        render.resolution_x, render.resolution_y = 1080, 1350
        return
    render.resolution_x, render.resolution_y = int(width), int(height)
    x, y = camera.data.get('principal_point_px', (width / 2, height / 2))
    camera.data.shift_x = (width / 2 - x) / max(width, height)
    camera.data.shift_y = (y - height / 2) / max(width, height)


def add_light(name, offset, middle, height, watts, share):
    data = bpy.data.lights.new(name, 'AREA')
    data.energy = watts
    data.size = share * height
    add(name, data, middle + height * Vector(offset), middle)


def tidy(meshes):
    scene = bpy.context.scene
    low, high = bounds(meshes)
    middle, height = (low + high) / 2, high.z - low.z
    cameras = [o for o in bpy.data.objects if o.type == 'CAMERA']
    scene.camera = cameras[0] if cameras else add_camera(middle, height)
    set_picture(scene.camera)
    # Key from the front left, a weak fill, a rim from behind; for a head of 0.25 m.
    watts = 12 * (height / 0.25) ** 2
    add_light('key', (-2, -3, 2), middle, height, watts, 1)
    add_light('fill', (3, -2.5, 0.3), middle, height, 0.35 * watts, 2)
    add_light('rim', (1.5, 3, 2), middle, height, 0.8 * watts, 1)
    world = bpy.data.worlds.new('world')
    world.use_nodes = True
    world.node_tree.nodes['Background'].inputs['Color'].default_value = (0.05, 0.05, 0.05, 1)
    scene.world = world
    scene.view_settings.view_transform = 'Standard'
    for item in meshes:
        mesh = item.data
        # Normals that follow the shapes, in place of those of the neutral head.
        if hasattr(mesh, 'use_auto_smooth'):
            mesh.use_auto_smooth = False
        if mesh.has_custom_normals:
            with bpy.context.temp_override(object=item, active_object=item):
                bpy.ops.mesh.customdata_custom_splitnormals_clear()
        for polygon in mesh.polygons:
            polygon.use_smooth = True
        for key in mesh.shape_keys.key_blocks if mesh.shape_keys else ():
            key.slider_min, key.slider_max = 0, 1
        item.active_shape_key_index = 0
    bpy.context.view_layer.objects.active = meshes[0]
    meshes[0].select_set(True)
    for screen in bpy.data.screens:
        for area in screen.areas:
            if area.type != 'VIEW_3D':
                continue
            space = area.spaces[0]
            space.shading.type = 'MATERIAL'
            space.clip_start = 0.01
            space.region_3d.view_perspective = 'CAMERA'


def main():
    source, target = sys.argv[sys.argv.index('--') + 1:]
    import_glb(source)
    meshes = [o for o in bpy.data.objects if o.type == 'MESH' and len(o.data.polygons) > 0]
    # The importer makes a sphere to draw bones with.
    meshes = [o for o in meshes if o.users_collection and o.name != 'Icosphere']
    if not meshes:
        raise ValueError(source + ': has no mesh')
    use_actions()
    if target.endswith('.fbx'):
        write_fbx(target)
    elif target.endswith('.blend'):
        tidy(meshes)
        bpy.ops.file.pack_all()
        bpy.ops.wm.save_as_mainfile(filepath=target, compress=True)
    else:
        raise ValueError(target + ': expected a name that ends in .fbx or .blend')


main()
