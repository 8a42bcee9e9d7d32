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


def _roughen(tree, shader, where: str, scale: float, detail: float, strength: float, deep: float) -> None:
    """Let noise, in the coordinates `where`, raise and lower a surface by `deep` metres."""
    noise, bump = tree.nodes.new("ShaderNodeTexNoise"), tree.nodes.new("ShaderNodeBump")
    noise.inputs["Scale"].default_value, noise.inputs["Detail"].default_value = scale, detail
    bump.inputs["Strength"].default_value, bump.inputs["Distance"].default_value = strength, deep
    tree.links.new(tree.nodes.new("ShaderNodeTexCoord").outputs[where], noise.inputs["Vector"])
    tree.links.new(noise.outputs[0], bump.inputs["Height"])
    tree.links.new(bump.outputs[0], shader.inputs["Normal"])


def _shade(tree, shader, source, shades: list) -> None:
    """Colour a surface by a value between 0 and 1: `shades` holds (value, linear colour)."""
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    elements = ramp.color_ramp.elements
    while len(elements) < len(shades):
        elements.new(0.5)
    for element, (place, colour) in zip(elements, shades, strict=True):
        element.position, element.color = place, (*np.clip(colour, 0, 0.9), 1)
    tree.links.new(source, ramp.inputs[0])
    tree.links.new(ramp.outputs[0], shader.inputs["Base Color"])


def skin_material(image, oily: float):
    """Skin: light scatters in it, pores roughen it; oily from 0 to 1."""
    made, tree, shader, _ = _material(
        "skin",
        Roughness=0.60 - 0.12 * oily,
        Specular_IOR_Level=0.36,
        Subsurface_Weight=0.45,
        Subsurface_Radius=(1.0, 0.36, 0.2),
        Subsurface_Scale=0.006,
        Coat_Weight=0.04 + 0.08 * oily,
        Coat_Roughness=0.32,
    )
    tree.links.new(_texture(tree, image).outputs["Color"], shader.inputs["Base Color"])
    _roughen(tree, shader, "UV", 420.0, 4, 0.22, 0.0012)
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
        Roughness=0.35,
        Specular_IOR_Level=0.12,
        Coat_Weight=0.55,
        Coat_Roughness=0.02,
        Subsurface_Weight=0.05,
        Subsurface_Scale=0.002,
    )
    tree.links.new(_texture(tree, image).outputs["Color"], shader.inputs["Base Color"])
    return made


def plain_material(name: str, colour, roughness: float = 0.5, specular: float = 0.5):
    """One sRGB colour."""
    base = (*srgb_to_linear(np.array(colour)), 1.0)
    return _material(name, Base_Color=base, Roughness=roughness, Specular_IOR_Level=specular)[0]


def woven_material(name: str, colour, coarse: float):
    """Cloth with ribs: 0 fine, 1 as knitted wool."""
    base = (*srgb_to_linear(np.array(colour)), 1.0)
    made, tree, shader, _ = _material(
        name, Base_Color=base, Roughness=0.9, Specular_IOR_Level=0.1, Sheen_Weight=0.3
    )
    _roughen(tree, shader, "Object", 900 - 650 * coarse, 3, 0.3 + 0.5 * coarse, 0.002)
    return made


def strand_material(colour):
    """Hair: every strand a little lighter and warmer, or darker and colder, than `colour`, sRGB."""
    made, tree, shader, _ = _material("strand", Roughness=0.42, Specular_IOR_Level=0.35)
    base = srgb_to_linear(np.array(colour))
    shades = [(0, base * [0.5, 0.5, 0.525]), (0.5, base * 0.95), (1, base * [1.768, 1.7, 1.564])]
    _shade(tree, shader, tree.nodes.new("ShaderNodeHairInfo").outputs["Random"], shades)
    return made


def wood_material(name: str, colour):
    """Planed wood of one sRGB colour, with its grain along x."""
    made, tree, shader, _ = _material(name, Roughness=0.38, Specular_IOR_Level=0.4)
    stretch, grain = tree.nodes.new("ShaderNodeMapping"), tree.nodes.new("ShaderNodeTexNoise")
    stretch.inputs["Scale"].default_value = (1.5, 26.0, 26.0)
    grain.inputs["Scale"].default_value, grain.inputs["Detail"].default_value = 1.0, 6
    tree.links.new(tree.nodes.new("ShaderNodeTexCoord").outputs["Object"], stretch.inputs[0])
    tree.links.new(stretch.outputs[0], grain.inputs["Vector"])
    base = srgb_to_linear(np.array(colour))
    _shade(tree, shader, grain.outputs[0], [(0.3, base * 0.55), (0.75, base * 1.25)])
    return made


def lens_material(clear_share: float = 0.95):
    """Thin glass with a faint mirror image; `clear_share` of the light comes through, little for sunglasses."""
    made, tree, shader, output = _material("lens")
    tree.nodes.remove(shader)
    clear, mirror = tree.nodes.new("ShaderNodeBsdfTransparent"), tree.nodes.new("ShaderNodeBsdfGlossy")
    clear.inputs[0].default_value = (clear_share, clear_share + 0.01, clear_share + 0.01, 1)
    mirror.inputs["Roughness"].default_value = 0.02
    mix = tree.nodes.new("ShaderNodeMixShader")
    mix.inputs[0].default_value = 0.045 if clear_share > 0.5 else 0.12
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


def add_mesh(
    name: str, points: np.ndarray, faces, uv: np.ndarray | None, material, finer: int = 0, flat: bool = False
) -> None:
    """Add points (n, 3) in metres, joined to faces (m, corners), smooth unless `flat`; `finer` times subdivided."""
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
    mesh.polygons.foreach_set("use_smooth", np.full(len(faces), not flat))
    mesh.update(calc_edges=True)
    mesh.validate()
    made = _place(name, mesh, material)
    if finer:
        modifier = made.modifiers.new("finer", "SUBSURF")
        modifier.levels = modifier.render_levels = finer
        modifier.boundary_smooth, modifier.uv_smooth = "PRESERVE_CORNERS", "NONE"


def add_strands(name: str, points: np.ndarray, radius: float, material) -> None:
    """Add hairs through points (hairs, points of each, 3), in metres, thinner towards their tips."""
    count, steps = points.shape[:2]
    hair = bpy.data.hair_curves.new(name)
    hair.add_curves([steps] * count)
    hair.points.foreach_set("position", points.astype(np.float32).ravel())
    taper = np.tile(radius * (1 - 0.75 * np.linspace(0, 1, steps)), count).astype(np.float32)
    attribute = hair.attributes.get("radius") or hair.attributes.new("radius", "FLOAT", "POINT")
    attribute.data.foreach_set("value", taper)
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


def set_sky(sky, horizon, ground, strength: float, windows=()) -> None:
    """Light from everywhere, from three colours (straight up, level, straight down) and bright windows.

    `windows` holds (azimuth, height, half width, half height, colour), angles in degrees, azimuth 0 behind the
    camera and growing to the picture's right.
    """
    tall, wide = 128, 256
    up = ((np.arange(tall) + 0.5) / tall * 180 - 90)[:, None, None]
    azimuth = (((np.arange(wide) + 0.5) / wide * 360 - 90 + 180) % 360 - 180)[None, :, None]
    share = np.clip(up / 50, -1, 1)
    sky, horizon, ground = (np.array(colour, float) for colour in (sky, horizon, ground))
    light = horizon * (1 - abs(share)) + sky * np.clip(share, 0, 1) + ground * np.clip(-share, 0, 1)
    light = np.broadcast_to(light, (tall, wide, 3)).copy()
    for middle, height, half_wide, half_high, colour in windows:
        inside = (abs((azimuth - middle + 180) % 360 - 180) < half_wide) & (abs(up - height) < half_high)
        light = np.where(inside, np.array(colour, float), light)
    if "sky" in bpy.data.images:
        bpy.data.images.remove(bpy.data.images["sky"])
    image = bpy.data.images.new("sky", wide, tall, float_buffer=True)
    image.colorspace_settings.name = "Non-Color"
    image.pixels.foreach_set(np.dstack([light, np.ones((tall, wide))]).astype(np.float32).ravel())
    image.update()
    tree = bpy.context.scene.world.node_tree
    tree.nodes.clear()
    node, background, output = (
        tree.nodes.new(f"ShaderNode{kind}") for kind in ("TexEnvironment", "Background", "OutputWorld")
    )
    node.image, background.inputs[1].default_value = image, strength
    tree.links.new(node.outputs[0], background.inputs[0])
    tree.links.new(background.outputs[0], output.inputs[0])


class Camera:
    """A camera that looks at a target and sees `width` metres there; its picture has (width, height) `pixels`."""

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
    scene.world.cycles.sampling_method, scene.world.cycles.sample_map_resolution = (
        "MANUAL",
        64,
    )  # else 2 s a picture
    scene.render.engine = "CYCLES"
    cycles, output, picture_format = scene.cycles, scene.render, scene.render.image_settings
    cycles.device, cycles.samples, cycles.seed, cycles.use_adaptive_sampling = "CPU", samples, 1, False
    cycles.use_denoising, cycles.denoiser, cycles.denoising_prefilter = True, "OPENIMAGEDENOISE", "FAST"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 3, 1, 1
    cycles.transparent_max_bounces, cycles.transmission_bounces = 8, 2
    cycles.caustics_reflective, cycles.use_light_tree = False, False
    output.resolution_x, output.resolution_y, output.resolution_percentage = width, height, 100
    output.film_transparent, output.threads_mode, output.threads = True, "FIXED", threads
    picture_format.file_format, picture_format.color_mode = "OPEN_EXR", "RGBA"
    picture_format.color_depth, picture_format.exr_codec = "16", "ZIP"


def clear() -> None:
    """Remove everything but pictures and settings."""
    data = bpy.data
    for kind in ["objects", "meshes", "curves", "hair_curves", "materials", "lights", "cameras"]:
        for thing in list(getattr(data, kind)):
            getattr(data, kind).remove(thing)


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
