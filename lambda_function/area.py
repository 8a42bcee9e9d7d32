"""Area resampling: any rectangle of a photo, or the whole of it, at any smaller or larger size."""

import numpy as np


def windows(start: np.ndarray, length: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where each of `size` output pixels begins and ends in the input, per row of `start`.

    Output pixel i is the mean of the input pixels floor(i n / size) to ceil((i + 1) n / size), which is what
    torch's adaptive average pooling, and so facenet-pytorch's resampling, computes.

    Parameters
    ----------
    start, length : ndarray of shape (k,), int
        First input pixel and number of input pixels, the latter at least 1.
    size : int

    Returns
    -------
    (ndarray, ndarray), both of shape (k, size), int
    """
    steps = np.arange(size + 1)
    begin = start[:, None] + length[:, None] * steps[:-1] // size
    end = start[:, None] - (-length[:, None] * steps[1:] // size)
    return begin, end


class Pixels:
    """A photo as running sums: any rectangle's mean is four look-ups (Crow 1984, summed-area tables).

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), uint8
        Grey pictures of shape (height, width) are taken as three equal channels.
    """

    def __init__(self, image: np.ndarray):
        if image.ndim == 2:
            image = np.repeat(image[..., None], 3, axis=2)
        self.height, self.width = image.shape[:2]
        # 32 bits may overflow in a large photo, but the difference of two sums is right all the same.
        self._sums = np.zeros((3, self.height + 1, self.width + 1), np.uint32)
        inner = self._sums[:, 1:, 1:]
        np.cumsum(image.transpose(2, 0, 1), axis=2, dtype=np.uint32, out=inner)
        np.cumsum(inner, axis=1, out=inner)

    def level(self, height: int, width: int, rows: slice = slice(None)) -> np.ndarray:
        """Return the photo, or some `rows` of it, at another size: (3, height, width) float32, 0 to 255."""
        top, bottom = (edge[0, rows] for edge in windows(np.array([0]), np.array([self.height]), height))
        left, right = (edge[0] for edge in windows(np.array([0]), np.array([self.width]), width))
        bands = self._sums.take(bottom, axis=1) - self._sums.take(top, axis=1)
        sums = bands.take(right, axis=2) - bands.take(left, axis=2)
        area = ((bottom - top)[:, None] * (right - left)).astype(np.float32)
        return sums.astype(np.float32) * (np.float32(1) / area)

    def crops(self, boxes: np.ndarray, size: int) -> np.ndarray:
        """Cut rectangles and bring each to `size` x `size`.

        Parameters
        ----------
        boxes : ndarray of shape (n, 4), int
            x0 y0 x1 y1 within the photo, x1 and y1 excluded, not empty.
        size : int

        Returns
        -------
        ndarray of shape (n, 3, size, size), float32, 0 to 255
        """
        left, right = windows(boxes[:, 0], boxes[:, 2] - boxes[:, 0], size)
        top, bottom = windows(boxes[:, 1], boxes[:, 3] - boxes[:, 1], size)
        area = ((bottom - top)[:, :, None] * (right - left)[:, None, :]).astype(np.float32)
        flat = self._sums.reshape(3, -1)
        stride = self.width + 1
        top, bottom = (top * stride)[:, :, None], (bottom * stride)[:, :, None]
        left, right = left[:, None, :], right[:, None, :]
        sums = flat.take(bottom + right, axis=1) - flat.take(bottom + left, axis=1)
        sums -= flat.take(top + right, axis=1)
        sums += flat.take(top + left, axis=1)
        return np.ascontiguousarray((sums.astype(np.float32) * (np.float32(1) / area)).transpose(1, 0, 2, 3))
