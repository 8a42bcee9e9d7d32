"""Area resampling: any rectangle of a photo, or the whole of it, at any smaller or larger size."""

from collections.abc import Callable

import numpy as np

# Bits per colour and tables needed: three sums share one 64-bit number while they fit, two of them always do.
NARROW, WIDE = 21, 32
BAND = 32 * 1024  # pixels that are packed at a time: they stay in the CPU's cache


def windows(start: np.ndarray, length: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where each of `size` output pixels begins and ends in the input: (k,), (k,) -> twice (k, size), int.

    Output pixel i is the mean of the input pixels floor(i n / size) to ceil((i + 1) n / size), which is what
    torch's adaptive average pooling, and so facenet-pytorch's resampling, computes. Lengths are at least 1.
    """
    steps = np.arange(size + 1)
    begin = start[:, None] + length[:, None] * steps[:-1] // size
    end = start[:, None] - (-length[:, None] * steps[1:] // size)
    return begin, end


class IntegralImage:
    """A photo as running sums: any rectangle's mean is four look-ups (Crow 1984, summed-area tables).

    The three colours are summed in one go, as three fields of one 64-bit number. A field may run over into the
    next one; the difference of the four corners is right all the same, as long as its own sums fit.

    `image` is (height, width, 3) uint8; grey pictures (height, width) are taken as three equal channels. With
    the `map` of a pool of threads as `map_fn`, bands of the photo are worked on side by side.
    """

    def __init__(self, image: np.ndarray, map_fn: Callable = map):
        self._image = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
        self.height, self.width = image.shape[:2]
        # Small windows are always asked for, large ones seldom.
        self._tables = {NARROW: [self._running_sums(NARROW, slice(0, 3), map_fn)]}

    def level(self, height: int, width: int, rows: slice = slice(None)) -> np.ndarray:
        """Return the photo, or some `rows` of it, at another size: (3, height, width) float32, 0 to 255."""
        (top,), (bottom,) = windows(np.array([0]), np.array([self.height]), height)
        (left,), (right,) = windows(np.array([0]), np.array([self.width]), width)
        top, bottom = top[rows], bottom[rows]
        tall, wide = bottom - top, right - left
        heights = np.arange(tall.min(), tall.max() + 1)  # two or three: windows of a level are nearly alike
        out = np.empty((3, len(tall), width), np.float32)
        for table, bits, channels in self._fitting(heights[-1] * wide.max()):
            bands = table.take(bottom, axis=0)
            bands -= table.take(top, axis=0)
            sums = bands.take(right, axis=1)
            sums -= bands.take(left, axis=1)
            _unpack(sums, bits, out[channels])
        area = (heights[:, None] * wide).astype(np.float32)
        out *= (np.float32(1) / area).take(tall - heights[0], axis=0)
        return out

    def crops(self, boxes: np.ndarray, size: int) -> np.ndarray:
        """Cut rectangles and bring each to size x size: (n, 4) int -> (n, 3, size, size) float32, 0 to 255.

        Boxes x0 y0 x1 y1 lie within the photo, x1 and y1 excluded, and are not empty.
        """
        left, right = windows(boxes[:, 0], boxes[:, 2] - boxes[:, 0], size)
        top, bottom = windows(boxes[:, 1], boxes[:, 3] - boxes[:, 1], size)
        area = (bottom - top)[:, :, None] * (right - left)[:, None, :]
        out = np.empty((len(boxes), 3, size, size), np.float32)
        stride = self.width + 1
        top, bottom = (top * stride)[:, :, None], (bottom * stride)[:, :, None]
        left, right = left[:, None, :], right[:, None, :]
        for table, bits, channels in self._fitting(area.max(initial=0)):
            flat = table.ravel()
            sums = flat.take(bottom + right)
            sums -= flat.take(bottom + left)
            sums -= flat.take(top + right)
            sums += flat.take(top + left)
            _unpack(sums, bits, out.transpose(1, 0, 2, 3)[channels])
        out *= (np.float32(1) / area.astype(np.float32))[:, None]
        return out

    def _fitting(self, area: int) -> list[tuple[np.ndarray, int, slice]]:
        """Return the tables in which the sums over windows of so many pixels fit."""
        bits = NARROW if area * 255 < 1 << NARROW else WIDE
        groups = [slice(0, 3)] if bits == NARROW else [slice(0, 2), slice(2, 3)]
        if bits not in self._tables:
            self._tables[bits] = [self._running_sums(bits, group) for group in groups]
        return [(table, bits, group) for table, group in zip(self._tables[bits], groups, strict=True)]

    def _running_sums(self, bits: int, channels: slice, map_fn: Callable = map) -> np.ndarray:
        sums = np.zeros((self.height + 1, self.width + 1), np.uint64)
        step = max(1, BAND // self.width)

        def pack(top: int) -> None:
            part = self._image[top : top + step]
            *lower, highest = range(3)[channels]
            packed = part[..., highest].astype(np.uint64)
            for channel in reversed(lower):
                packed <<= np.uint64(bits)
                packed |= part[..., channel]
            np.cumsum(packed, axis=1, out=sums[top + 1 : top + 1 + step, 1:])

        list(map_fn(pack, range(0, self.height, step)))
        for above, row in zip(sums[:-1], sums[1:], strict=True):  # whole rows: cumsum goes down one column
            row += above  # after the other, and so through all of the memory each time
        return sums


def _unpack(sums: np.ndarray, bits: int, out: np.ndarray) -> None:
    """Write the fields of packed sums to the first axis of `out`, as float32."""
    mask, field = np.uint64((1 << bits) - 1), np.empty_like(sums)
    for place, channel in enumerate(out):
        np.right_shift(sums, np.uint64(bits * place), out=field)
        if place < len(out) - 1:  # nothing lies above the last one
            np.bitwise_and(field, mask, out=field)
        channel[...] = field.view(np.int64)  # CPUs turn signed numbers into floats faster
