"""A face in a photo to the square picture that a backbone was trained on."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from .faces import Face

# Where MTCNN's five landmarks lie on average inside its own box, as fractions of the box (x, y):
# image-left eye, image-right eye, nose, image-left and image-right mouth corner.
TEMPLATE = np.array(
    [[0.305, 0.395], [0.695, 0.395], [0.5, 0.58], [0.34, 0.76], [0.66, 0.76]], dtype=np.float32
)
VIEWS = (1, 2, 4)
NORMALISATIONS = ("per_image", "fixed", "none")
TIGHT, WIDE = 16, 32  # margins of straightened crops, and of those along the box (facenet-pytorch's)
CLOSER = 1.08  # of the second cut of a network with a template


@dataclass(frozen=True)
class Preprocessing:
    """How a backbone wants its faces; it belongs to the backbone and travels with it.

    `normalise` is one of NORMALISATIONS: "per_image" subtracts the crop's mean and divides by its standard deviation
    (FaceNet's prewhitening), "fixed" is (x - 127.5) / 128, "none" leaves 0 to 255.
    """

    size: int = 160  # side of the square crop, pixels
    # Pixels of the crop around the detector's box, both sides together, as facenet-pytorch counts
    margin: int = 32
    align: bool = False  # turn and scale the face by its landmarks instead of cutting along the box
    normalise: str = "fixed"
    # Pixels of the crop where the landmarks of straightened faces come to lie, five (x, y) in the order of TEMPLATE;
    # empty: at TEMPLATE within the margin.
    template: tuple[tuple[float, float], ...] = ()

    def __post_init__(self):  # JSON has lists, which have no hash
        object.__setattr__(self, "template", tuple((float(x), float(y)) for x, y in self.template))

    def targets(self) -> np.ndarray:
        """Return where the five landmarks of a straightened face come to lie: (5, 2), pixels of the crop."""
        if self.template:
            return np.array(self.template)
        return TEMPLATE * (self.size - self.margin) + self.margin / 2


def crop_face(image: np.ndarray, face: Face, preprocessing: Preprocessing) -> np.ndarray:
    """Cut one face out of the photo, (height, width, 3) uint8 RGB, in whose pixels it is: (size, size, 3) uint8 RGB.

    Its box may reach over the photo's edge.
    """
    if preprocessing.align:
        return _aligned_crop(image, face, preprocessing)
    return _box_crop(image, face, preprocessing)


def alternate_crop(preprocessing: Preprocessing) -> Preprocessing:
    """Return the other way of cutting: along the box instead of straightened by the landmarks, or the reverse.

    Each with its usual margin: two crops that differ in what lies around the face tell more together. A network with
    a template knows nothing but faces that lie on it, so there the other way is the same a little closer.
    """
    if preprocessing.template:
        middle = preprocessing.size / 2
        closer = (np.array(preprocessing.template) - middle) * CLOSER + middle
        return replace(preprocessing, template=tuple(map(tuple, closer.tolist())))
    align = not preprocessing.align
    return replace(preprocessing, align=align, margin=TIGHT if align else WIDE)


def tta_crops(image: np.ndarray, face: Face, preprocessing: Preprocessing, views: int) -> np.ndarray:
    """Cut one face out of a photo in several ways, whose embeddings are averaged: (views, size, size, 3) uint8, RGB.

    1 view is the crop that the backbone was trained on; 2 are it and its mirror image; 4 both once more, cut the other
    way (see `alternate_crop`). ValueError for another number. The rest is as in `crop_face`.
    """
    check_views(views)
    cuts = [preprocessing, alternate_crop(preprocessing)][: 2 if views == 4 else 1]
    crops = [crop_face(image, face, cut) for cut in cuts]
    return np.stack([view for crop in crops for view in (crop, crop[:, ::-1])[: 2 if views > 1 else 1]])


def check_views(views: int) -> None:
    """Raise ValueError unless `views` is a number of views that there is."""
    if views not in VIEWS:
        raise ValueError(f"a face is embedded from 1, 2 or 4 views, not from {views!r}")


def _box_crop(image: np.ndarray, face: Face, preprocessing: Preprocessing) -> np.ndarray:
    """The crop that facenet-pytorch's networks were trained on: box plus margin, stretched to a square."""
    height, width = image.shape[:2]
    size, margin = preprocessing.size, preprocessing.margin
    x0, y0, x1, y1 = (float(value) for value in face.box)
    pad_x = margin * (x1 - x0) / (size - margin) / 2
    pad_y = margin * (y1 - y0) / (size - margin) / 2
    left, top = int(max(x0 - pad_x, 0)), int(max(y0 - pad_y, 0))
    right, bottom = int(min(x1 + pad_x, width)), int(min(y1 + pad_y, height))
    left, top = min(left, width - 1), min(top, height - 1)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    cut = Image.fromarray(np.ascontiguousarray(image[top:bottom, left:right]))
    return np.asarray(cut.resize((size, size), Image.Resampling.BILINEAR))


def similarity_transform(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Find the turn, scale and shift that bring `points` closest to `targets`, both (n, 2), n >= 2.

    Returned is M, (2, 3) float64, such that targets ~ points @ M[:, :2].T + M[:, 2]: least squares over
    x' = a x - b y + c, y' = b x + a y + d, the closed form of Umeyama (1991, eq. 40) in two dimensions.
    """
    points, targets = np.asarray(points, np.float64), np.asarray(targets, np.float64)
    mean_p, mean_t = points.mean(0), targets.mean(0)
    p, t = points - mean_p, targets - mean_t
    norm = max((p**2).sum(), 1e-12)
    a = (p * t).sum() / norm
    b = (p[:, 0] * t[:, 1] - p[:, 1] * t[:, 0]).sum() / norm
    rotation = np.array([[a, -b], [b, a]])
    return np.column_stack([rotation, mean_t - rotation @ mean_p])


def _aligned_crop(image: np.ndarray, face: Face, preprocessing: Preprocessing) -> np.ndarray:
    size = preprocessing.size
    forward = similarity_transform(face.landmarks, preprocessing.targets())
    scale = max(float(np.hypot(forward[0, 0], forward[1, 0])), 1e-6)
    step = max(1, int(1 / scale))
    inverse = np.linalg.inv(np.vstack([forward, [0, 0, 1]]))[:2]
    left, top, right, bottom = _reach(inverse, size, step, image.shape[1], image.shape[0])
    picture = Image.fromarray(np.ascontiguousarray(image[top:bottom, left:right]))
    if step > 1:  # Pillow's affine samples single pixels: shrink first, or fine detail turns into noise
        picture = picture.reduce(step)
    inverse[:, 2] -= left, top
    aligned = picture.transform(
        (size, size), Image.Transform.AFFINE, tuple((inverse / step).ravel()), Image.Resampling.BICUBIC
    )
    return np.asarray(aligned)


def _reach(inverse: np.ndarray, size: int, step: int, width: int, height: int) -> tuple[int, int, int, int]:
    """Return the part of a photo that a crop is made of, in whole blocks of `step` pixels: x0, y0, x1, y1."""
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) @ inverse[:, :2].T + inverse[:, 2]
    whole = np.array([width, height])
    # BICUBIC looks at two more blocks on each side.
    first = (np.floor(corners.min(0) / step) - 2) * step
    last = (np.ceil(corners.max(0) / step) + 2) * step
    first = np.clip(first, 0, (whole - 1) // step * step).astype(int)
    last = np.clip(last, first + 1, whole).astype(int)
    return (*first.tolist(), *last.tolist())


def normalise(crops: np.ndarray, how: str) -> np.ndarray:
    """Turn pixels, (n, size, size, 3) uint8, into what the backbone was trained on: (n, 3, size, size) float32.

    `how` is one of NORMALISATIONS, see `Preprocessing`; ValueError if it is none of them.
    """
    if how not in NORMALISATIONS:
        raise ValueError(f"normalise must be one of {', '.join(NORMALISATIONS)}, not {how!r}")
    pixels = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=np.float32)
    if how == "none":
        return pixels
    if how == "fixed":
        return (pixels - 127.5) / 128.0
    mean = pixels.mean(axis=(1, 2, 3), keepdims=True)
    # A crop of one single colour has no spread: FaceNet bounds the divisor by 1 / sqrt(number of values).
    spread = np.maximum(
        pixels.std(axis=(1, 2, 3), keepdims=True), pixels[0].size ** -0.5 if len(pixels) else 1.0
    )
    return (pixels - mean) / spread
