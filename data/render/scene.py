"""Blender: materials, meshes, strands, lights, camera, rendering."""

import math
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector
from noises import srgb_to_linear

# ---- materials -----------------------------------------------------------------------------------------


def picture(name: str, pixels: np.ndarray):
    """Hand (h, w, 3 or 4) values of 0 to 1 to Blender, in place of an older picture of that name."""
    height, width = pixels.shape[:2]
    if name in bpy.data.images:
        bpy.data.images.remove(bpy.data.images[name])
    made = bpy.data.images.new(name, width, height, alpha=True, float_buffer=False)
    made.colorspace_settings.name = "sRGB"
    made.alpha_mode = "CHANNEL_PACKED"
    values = np.ones((height, width, 4), np.float32)
    values[..., : pixels.shape[2]] = pixels
    made.pixels.foreach_set(values[::-1].ravel())
    made.update()
    return made


def _material(name: str, **values):
    """Return a material, its tree of nodes and its principled shader with inputs set (Base_Color=...)."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    tree = made.node_tree
    tree.nodes.clear()
    output, shader = tree.nodes.new("ShaderNodeOutputMaterial"), tree.nodes.new("ShaderNodeBsdfPrincipled")
    tree.links.new(shader.outputs[0], output.inputs["Surface"])
    for key, value in values.items():
        shader.inputs[key.replace("_", " ")].default_value = value
    return made, tree, shader, output


def _texture(tree, image):
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image, node.extension = image, "EXTEND"
    return node


def skin_material(image, oily: float):
    """Skin: light scatters in it, pores roughen it; oily from 0 to 1."""
    made, tree, shader, _ = _material(
        "skin",
        Roughness=0.56 - 0.12 * oily,
        Specular_IOR_Level=0.38,
        Subsurface_Weight=0.22,
        Subsurface_Radius=(1.0, 0.35, 0.18),
        Subsurface_Scale=0.006,
    )
    tree.links.new(_texture(tree, image).outputs["Color"], shader.inputs["Base Color"])
    pores = tree.nodes.new("ShaderNodeTexNoise")
    pores.inputs["Scale"].default_value, pores.inputs["Detail"].default_value = 420.0, 4
    place = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(place.outputs["UV"], pores.inputs["Vector"])
    bump = tree.nodes.new("ShaderNodeBump")
    bump.inputs["Strength"].default_value, bump.inputs["Distance"].default_value = 0.22, 0.0012
    tree.links.new(pores.outputs[0], bump.inputs["Height"])
    tree.links.new(bump.outputs[0], shader.inputs["Normal"])
    return made


def cut_out_material(name: str, image, roughness: float, specular: float, opacity: float = 1.0):
    """A picture with holes in it, as hair and clothes are."""
    made, tree, shader, _ = _material(name, Roughness=roughness, Specular_IOR_Level=specular)
    texture = _texture(tree, image)
    tree.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
    alpha = texture.outputs["Alpha"]
    if opacity != 1:
        factor = tree.nodes.new("ShaderNodeMath")
        factor.operation, factor.use_clamp = "MULTIPLY", True
        factor.inputs[1].default_value = opacity
        tree.links.new(alpha, factor.inputs[0])
        alpha = factor.outputs[0]
    tree.links.new(alpha, shader.inputs["Alpha"])
    return made


def eye_material(image):
    """An eyeball: wet, so that it mirrors the lamps."""
    made, tree, shader, _ = _material(
        "eye",
        Roughness=0.25,
        Coat_Weight=1.0,
        Coat_Roughness=0.03,
        Subsurface_Weight=0.05,
        Subsurface_Scale=0.002,
    )
    tree.links.new(_texture(tree, image).outputs["Color"], shader.inputs["Base Color"])
    return made


def plain_material(name: str, colour, roughness: float = 0.5, specular: float = 0.5):
    """One sRGB colour."""
    base = (*srgb_to_linear(np.array(colour)), 1.0)
    return _material(name, Base_Color=base, Roughness=roughness, Specular_IOR_Level=specular)[0]


def lens_material():
    """Thin glass: clear, with a faint mirror image."""
    made, tree, shader, output = _material("lens")
    tree.nodes.remove(shader)
    clear, mirror = tree.nodes.new("ShaderNodeBsdfTransparent"), tree.nodes.new("ShaderNodeBsdfGlossy")
    clear.inputs[0].default_value = (0.95, 0.96, 0.96, 1)
    mirror.inputs["Roughness"].default_value = 0.02
    mix = tree.nodes.new("ShaderNodeMixShader")
    mix.inputs[0].default_value = 0.045
    tree.links.new(clear.outputs[0], mix.inputs[1])
    tree.links.new(mirror.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], output.inputs["Surface"])
    return made


# ---- things --------------------------------------------------------------------------------------------


def _place(name: str, data, material=None):
    if material is not None:
        data.materials.append(material)
    made = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(made)
    return made


def add_mesh(name: str, points: np.ndarray, faces, uv: np.ndarray | None, material) -> None:
    """Add points (n, 3) in metres, joined to faces (m, corners), smooth."""
    faces = np.asarray(faces)
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(points))
    mesh.vertices.foreach_set("co", np.asarray(points, np.float32).ravel())
    mesh.loops.add(faces.size)
    mesh.loops.foreach_set("vertex_index", faces.astype(np.int32).ravel())
    mesh.polygons.add(len(faces))
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, faces.shape[1], dtype=np.int32))
    if uv is not None:
        mesh.uv_layers.new(name="UV").data.foreach_set("uv", np.asarray(uv, np.float32).reshape(-1))
    mesh.polygons.foreach_set("use_smooth", np.full(len(faces), True))
    mesh.update(calc_edges=True)
    mesh.validate()
    _place(name, mesh, material)


def add_strands(name: str, roots, directions, lengths, bends, radius: float, material) -> None:
    """Add one hair of five points per root; `directions` and `bends` are (n, 3), `lengths` (n,) in metres."""
    t = np.linspace(0, 1, 5)[None, :, None]
    length = lengths[:, None, None]
    points = roots[:, None] + directions[:, None] * t * length + bends[:, None] * (t**2) * length
    hair = bpy.data.hair_curves.new(name)
    hair.add_curves([5] * len(roots))
    hair.points.foreach_set("position", points.astype(np.float32).ravel())
    taper = np.repeat((radius * (1 - 0.75 * np.linspace(0, 1, 5)))[None], len(roots), 0).astype(np.float32)
    attribute = hair.attributes.get("radius") or hair.attributes.new("radius", "FLOAT", "POINT")
    attribute.data.foreach_set("value", taper.ravel())
    _place(name, hair, material)


def add_tube(name: str, points: np.ndarray, radius: float, material, closed: bool) -> None:
    """Add a wire through points (n, 3), in metres."""
    curve = bpy.data.curves.new(name, "CURVE")
    curve.dimensions, curve.bevel_depth, curve.bevel_resolution = "3D", radius, 2
    line = curve.splines.new("POLY")
    line.points.add(len(points) - 1)
    line.points.foreach_set("co", np.c_[points, np.ones(len(points))].astype(np.float32).ravel())
    line.use_cyclic_u = closed
    _place(name, curve, material)


def add_lamp(position: np.ndarray, target: np.ndarray, watts: float, colour, size: float) -> None:
    """Add a square lamp of `size` metres that looks at `target`."""
    lamp = bpy.data.lights.new("lamp", "AREA")
    lamp.energy, lamp.color, lamp.size = watts, colour, size
    made = bpy.data.objects.new("lamp", lamp)
    made.location = position
    made.rotation_euler = (Vector(target) - Vector(position)).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(made)


def set_surroundings(colour, strength: float) -> None:
    """Set the light that comes from everywhere."""
    tree = bpy.context.scene.world.node_tree
    node = tree.nodes.get("Background")
    if node is None:
        node, output = tree.nodes.new("ShaderNodeBackground"), tree.nodes.new("ShaderNodeOutputWorld")
        tree.links.new(node.outputs[0], output.inputs[0])
    node.inputs[0].default_value = (*colour, 1)
    node.inputs[1].default_value = strength


class Camera:
    """A camera that looks at a target.

    Parameters
    ----------
    position, target : ndarray of shape (3,)
        Metres.
    width : float
        How many metres it sees at the target's distance.
    pixels : (int, int)
        Width and height of the picture.
    """

    def __init__(self, position: np.ndarray, target: np.ndarray, width: float, pixels: tuple[int, int]):
        lens = bpy.data.cameras.new("camera")
        made = _place("camera", lens)
        bpy.context.scene.camera = made
        distance = np.linalg.norm(target - position)
        lens.sensor_fit, lens.angle = "HORIZONTAL", 2 * math.atan(width / 2 / distance)
        made.location = position
        made.rotation_euler = Vector(target - position).to_track_quat("-Z", "Y").to_euler()
        ahead = (target - position) / distance
        right = np.cross(ahead, [0, 0, 1])
        right /= np.linalg.norm(right)
        self.axes, self.position = np.stack([right, np.cross(right, ahead), ahead]), position
        self.pixels, self.focal = pixels, pixels[0] / 2 / math.tan(lens.angle / 2)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Return where points (n, 3) appear, (n, 2) in pixels from the upper left corner."""
        x, y, depth = ((np.atleast_2d(points) - self.position) @ self.axes.T).T
        width, height = self.pixels
        return np.stack([width / 2 + self.focal * x / depth, height / 2 - self.focal * y / depth], -1)


# ---- rendering -----------------------------------------------------------------------------------------


def reset(samples: int, width: int, height: int, threads: int) -> None:
    """Begin with nothing but the settings of Cycles."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.world = bpy.data.worlds.new("world")
    scene.world.use_nodes = True
    scene.render.engine = "CYCLES"
    cycles, output, picture_format = scene.cycles, scene.render, scene.render.image_settings
    cycles.device, cycles.samples, cycles.seed, cycles.use_adaptive_sampling = "CPU", samples, 1, False
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 6, 3, 2
    cycles.transparent_max_bounces, cycles.transmission_bounces = 24, 2
    cycles.caustics_reflective = False
    output.resolution_x, output.resolution_y, output.resolution_percentage = width, height, 100
    output.film_transparent, output.threads_mode, output.threads = True, "FIXED", threads
    picture_format.file_format, picture_format.color_mode = "OPEN_EXR", "RGBA"
    picture_format.color_depth, picture_format.exr_codec = "16", "ZIP"


def clear() -> None:
    """Remove everything but pictures and settings."""
    data = bpy.data
    kinds = (
        data.objects,
        data.meshes,
        data.curves,
        data.hair_curves,
        data.materials,
        data.lights,
        data.cameras,
    )
    for kind in kinds:
        for thing in list(kind):
            kind.remove(thing)


def render(path: Path) -> np.ndarray:
    """Render through a temporary file: (h, w, 4) float32, linear light and coverage."""
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    width, height = image.size
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    bpy.data.images.remove(image)
    return values.reshape(height, width, 4)[::-1]
