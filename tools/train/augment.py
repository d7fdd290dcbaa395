"""What cameras, files and hands do to pictures: colour, blur, noise, low resolution, JPEG, occluders (uint8 RGB in and out)."""
import cv2
import numpy as np

BORDER_MODES = (cv2.BORDER_REPLICATE, cv2.BORDER_CONSTANT, cv2.BORDER_REFLECT_101)


class NoisePool:
    """Gaussian noise drawn once; a sample takes a random stretch of it, which costs a tenth of drawing anew."""

    def __init__(self, rng, size=1 << 22):
        self.values = rng.standard_normal(size, dtype=np.float32)

    def take(self, rng, shape):
        count = int(np.prod(shape))
        start = rng.integers(self.values.size - count)
        return self.values[start:start + count].reshape(shape)


def colour(image, rng):
    """Exposure, contrast, gamma, white balance by one table per channel; then saturation."""
    levels = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    gamma = np.exp(rng.uniform(-0.45, 0.45))
    contrast = np.exp(rng.uniform(-0.4, 0.3))
    gains = np.exp(rng.normal(0, 0.06, 3).astype(np.float32)) * np.exp(rng.uniform(-0.25, 0.25))
    curve = (levels ** gamma - 0.5) * contrast + 0.5 + rng.uniform(-0.12, 0.12)
    table = np.clip(curve * gains * 255, 0, 255).astype(np.uint8)
    image = cv2.LUT(image, table.reshape(1, 256, 3))
    kind = rng.random()
    if kind < 0.55:
        saturation = 0.0 if kind < 0.15 else rng.uniform(0.3, 1.6)
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        image = cv2.addWeighted(image, saturation, grey, 1 - saturation, 0)
    return image


def low_resolution(image, face_px, rng):
    """A face of `face_px` in a small picture, enlarged again as the cropping does."""
    side = max(12, int(round(image.shape[0] * rng.uniform(22, 60) / max(face_px, 1))))
    if side >= image.shape[0]:
        return image
    down = cv2.INTER_AREA if rng.random() < 0.7 else cv2.INTER_LINEAR
    up = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[rng.integers(2)]
    small = cv2.resize(image, (side, side), interpolation=down)
    return cv2.resize(small, image.shape[:2], interpolation=up)


def motion_blur(image, rng):
    length = int(rng.integers(3, 10))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), rng.uniform(0, 180), 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    return cv2.filter2D(image, -1, kernel / max(kernel.sum(), 1e-6), borderType=cv2.BORDER_REPLICATE)


def jpeg(image, rng):
    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 80))])
    return cv2.imdecode(data, cv2.IMREAD_COLOR) if ok else image


def occluder(image, other, rng):
    """Covers a rectangle, ellipse or bar with a colour, noise or a piece of `other`. Returns the covered pixels' mask."""
    size = image.shape[0]
    mask = np.zeros((size, size), np.uint8)
    centre = tuple(int(v) for v in rng.integers(0, size, 2))
    axes = tuple(int(v) for v in rng.uniform(0.06, 0.26, 2) * size)
    angle = float(rng.uniform(0, 180))
    if rng.random() < 0.5:
        cv2.ellipse(mask, centre, axes, angle, 0, 360, 1, -1)
    else:
        corners = cv2.boxPoints((centre, (2 * axes[0], 2 * axes[1]), angle))
        cv2.fillConvexPoly(mask, corners.astype(np.int32), 1)
    kind = rng.random()
    if kind < 0.4 or other is None:
        patch = np.empty_like(image)
        patch[:] = rng.integers(0, 256, 3)
    elif kind < 0.55:
        patch = rng.integers(0, 256, image.shape, dtype=np.uint8)
    else:
        patch = np.roll(other, tuple(rng.integers(0, size, 2)), (0, 1))
    covered = mask.astype(bool)
    image = image.copy()
    image[covered] = patch[covered]
    return image, covered


def degrade(image, face_px, pool, rng):
    """All of it, each with its probability; `face_px` is the face's size in the crop."""
    if rng.random() < 0.85:
        image = colour(image, rng)
    if rng.random() < 0.3:
        image = low_resolution(image, face_px, rng)
    kind = rng.random()
    if kind < 0.15:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.8))
    elif kind < 0.22:
        image = motion_blur(image, rng)
    elif kind < 0.30:   # sharpening halos of small cameras
        soft = cv2.GaussianBlur(image, (0, 0), 1.2)
        amount = rng.uniform(0.3, 1.2)
        image = cv2.addWeighted(image, 1 + amount, soft, -amount, 0)
    if rng.random() < 0.35:
        sigma = np.exp(rng.uniform(np.log(1.5), np.log(16)))
        shape = image.shape if rng.random() < 0.6 else image.shape[:2] + (1,)
        image = np.clip(image + sigma * pool.take(rng, shape), 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        image = jpeg(image, rng)
    return image
