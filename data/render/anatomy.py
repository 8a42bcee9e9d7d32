"""Where things are on a head: landmarks, hairline, beard; measured once on a reference adult."""

import numpy as np
from assets import BODY, Assets
from noises import smooth
from PIL import Image
from scipy.interpolate import LinearNDInterpolator
from scipy.ndimage import gaussian_filter

TEXTURE = 1024  # pixels along each side of a skin texture


class Anatomy:
    """Landmark vertices and painting masks, on a reference adult of mixed ancestry.

    `rest` holds the reference's vertices (n, 3) in decimetres, `position` which point of it each pixel of the skin
    texture lies on, -99 outside the head; `lips`, `lids` and `inside_mouth` how much of a pixel is that, 0 to 1.
    """

    def __init__(self, assets: Assets):
        self.assets = assets
        mixed = {"caucasian": 0.34, "asian": 0.33, "african": 0.33}
        self.rest = assets.base + assets.figure(0.5, 30, mixed, 0.5, 0.5)
        self.left_eye, self.left_lid = (assets.vertices_of(n) for n in ("joint-l-eye", "helper-l-eye"))
        self.right_lid = assets.vertices_of("helper-r-eye")
        self.eye = self.rest[self.left_eye].mean(0)
        self._find_landmarks()
        self._map_texture()
        self.inside_mouth = gaussian_filter(self._mask("inside-mouth"), 0.8)
        self.lips, self.lids = (
            gaussian_filter(self._mask("lips"), 1.2),
            gaussian_filter(self._mask("eyelids"), 2),
        )

    def _mask(self, name: str) -> np.ndarray:
        picture = Image.open(self.assets.archive.open(f"{BODY}/textures/mpfb_{name}.jpg")).convert("L")
        return np.asarray(picture.resize((TEXTURE, TEXTURE), Image.BILINEAR), float) / 255

    def _find_landmarks(self) -> None:
        rest, body = self.rest, self.assets.vertices_of("body")
        lips = self._lip_vertices()
        self.lip_vertices, self.mouth_y = lips, rest[lips, 1].mean()
        self.mouth_right, self.mouth_left = lips[rest[lips, 0].argmin()], lips[rest[lips, 0].argmax()]
        head = body[rest[body, 1] > self.mouth_y - 0.8]
        x, y, z = rest[head].T
        middle = abs(x) < 0.06
        bridge = head[middle & (y < self.eye[1] - 0.05) & (y > self.mouth_y)]
        self.nose = bridge[rest[bridge, 2].argmax()]
        below = head[middle & (y < self.mouth_y - 0.15) & (z > rest[self.nose, 2] - 0.75)]
        self.chin_y = rest[below, 1].min()
        top = self.eye[1] + (self.eye[1] - self.chin_y) * 0.62
        self.face = head[(z > self.eye[2] - 0.75) & (y > self.chin_y - 0.02) & (y < top)]
        self.nose_base_y = rest[self.nose, 1] - 0.16

    def _lip_vertices(self) -> np.ndarray:
        faces = self.assets.groups["body"]
        vertices = self.assets.faces[faces].ravel()
        uv = self.assets.uvs[self.assets.face_uvs[faces].ravel()]
        column, row = (
            np.clip((part * TEXTURE).astype(int), 0, TEXTURE - 1) for part in (uv[:, 0], 1 - uv[:, 1])
        )
        lips = np.unique(vertices[self._mask("lips")[row, column] > 0.5])
        depth = self.rest[lips, 2]
        return lips[depth > depth.max() - 0.45]

    def _map_texture(self) -> None:
        assets = self.assets
        faces = [f for f in assets.groups["body"] if self.rest[assets.faces[f]].min(0)[1] > self.chin_y - 0.9]
        vertices, corners = assets.faces[faces].ravel(), assets.face_uvs[faces].ravel()
        _, first = np.unique(corners, return_index=True)
        vertices, uv = vertices[first], assets.uvs[corners[first]]
        head = uv[:, 0] > 0.6
        rows, columns = np.mgrid[0:TEXTURE, 0:TEXTURE]
        pixels = np.stack([(columns + 0.5) / TEXTURE, 1 - (rows + 0.5) / TEXTURE], -1).reshape(-1, 2)
        found = LinearNDInterpolator(uv[head], self.rest[vertices[head]])(pixels)
        self.position = np.nan_to_num(found, nan=-99.0).reshape(TEXTURE, TEXTURE, 3)

    def scalp(self, points: np.ndarray) -> np.ndarray:
        """Return how much hair grows at points of the reference, 0 to 1."""
        x, y, depth = points[..., 0], points[..., 1], points[..., 2] - self.eye[2]
        hairline = np.interp(
            depth,
            [-2.6, -1.75, -1.25, -0.95, -0.62, -0.40, -0.1, 0.25],
            [-1.0, -0.95, -0.35, -0.02, 0.18, 0.45, 0.72, 0.80],
        )
        hairline = hairline - 0.10 * smooth(0.1, 0.0, abs(x)) * (depth > -0.2)
        return smooth(-0.07, 0.08, (y - self.eye[1]) - hairline)

    def beard(self, points: np.ndarray, style: str) -> np.ndarray:
        """Return how much beard grows at points of the reference, 0 to 1; style full, goatee or moustache."""
        x, y, z = abs(points[..., 0]), points[..., 1], points[..., 2]
        nose, mouth, eye = self.nose_base_y, self.mouth_y, self.eye
        heights = [nose, nose - 0.02, mouth + 0.05, mouth - 0.06, mouth - 0.02, mouth + 0.15]
        heights += [eye[1] - 0.25, eye[1] - 0.02]
        top = np.interp(x, [0, 0.22, 0.30, 0.38, 0.5, 0.62, 0.72, 0.8], heights)
        amount = (
            smooth(-0.05, 0.05, top - y)
            * smooth(self.chin_y - 0.42, self.chin_y - 0.2, y)
            * smooth(eye[2] - 1.12, eye[2] - 1.0, z)
        )
        if style == "moustache":
            amount *= smooth(mouth - 0.02, mouth + 0.03, y) * smooth(0.42, 0.34, x)
        if style == "goatee":
            amount *= smooth(0.36, 0.27, x)
        return np.clip(amount, 0, 1)

    def above_hat(self, points: np.ndarray) -> np.ndarray:
        """Return how far points of the reference lie above a hat's edge, in decimetres."""
        back = np.clip((self.eye[2] - points[..., 2]) / 1.9, 0, 1)
        return points[..., 1] - self.eye[1] - 0.42 + 0.42 * back
