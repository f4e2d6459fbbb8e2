"""What changes from photo to photo: pose, light, expression, camera. All strengths stand in ``Nuisance``.

Most of it is what a view (crop, flip, colour jitter, blur) can imitate: exposure, cast, contrast, blur, scale.
So it ruins a comparison of pixels, and a method that learns to see past it is left with the face.
"""

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Values from ``low`` to ``high``; ``bend`` > 1 gathers them in the middle, or at ``low`` if ``one_sided``."""

    low: float
    high: float
    bend: float = 1.0
    one_sided: bool = False

    def of(self, uniform: np.ndarray) -> np.ndarray:
        """Map uniform draws in [0, 1) to values, elementwise."""
        if self.one_sided:
            return self.low + (self.high - self.low) * uniform**self.bend
        side = 2 * uniform - 1
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        return middle + half * np.sign(side) * np.abs(side) ** self.bend


@dataclass(frozen=True)
class Nuisance:
    """How strongly each factor varies; angles in degrees, the rest in the unit named."""

    yaw: Spread = Spread(-18, 18, 1.3)
    pitch: Spread = Spread(-7, 7, 1.3)
    roll: Spread = Spread(-14, 14, 1.2)
    light_azimuth: Spread = Spread(-50, 50)
    light_elevation: Spread = Spread(15, 60)
    light_strength: Spread = Spread(0.6, 1.2)
    ambient: Spread = Spread(0.35, 0.75)
    warmth: Spread = Spread(-1.4, 1.4)  # colour temperature: blue … orange
    tint: Spread = Spread(-1.1, 1.1)  # green … magenta
    exposure: Spread = Spread(-1.5, 0.75)  # stops
    contrast: Spread = Spread(0.6, 1.6)
    saturation: Spread = Spread(0.4, 1.45)
    smile: Spread = Spread(-0.3, 1.0)
    mouth_open: Spread = Spread(0, 0.5, 2.5, one_sided=True)
    eyes_open: Spread = Spread(1.08, 0.7, 2.0, one_sided=True)  # 1: relaxed
    brow_raise: Spread = Spread(-0.6, 1.0, 1.5)
    gaze: Spread = Spread(-1, 1, 1.5)
    blur: Spread = Spread(0, 2.0, 2.5, one_sided=True)  # sigma in pixels of a 256 px photo
    noise: Spread = Spread(0.0, 0.015, 2.0, one_sided=True)  # of full scale
    scale: Spread = Spread(0.88, 1.18)
    shift_x: Spread = Spread(-0.08, 0.08)  # of the photo's width
    shift_y: Spread = Spread(-0.05, 0.05)
    hair_volume: Spread = Spread(0.75, 1.25)
    hair_sway: Spread = Spread(-1, 1)
    background_hue: Spread = Spread(0, 1)
    background_light: Spread = Spread(0.15, 0.9)
    clothes_hue: Spread = Spread(0, 1)


NAMES = tuple(f.name for f in fields(Nuisance))


def photo_rng(seed: int, person: int, photo: int) -> np.random.Generator:
    """Return the one generator of a photo; its first draws are the factors."""
    return np.random.default_rng([seed, person, photo])


def draw_factors(seed: int, person: int, photos: range, nuisance: Nuisance) -> dict[str, np.ndarray]:
    """Return each factor of the photos asked for, arrays of shape (len(photos),), whatever else is asked for."""
    uniform = np.array([photo_rng(seed, person, k).random(len(NAMES)) for k in photos]).reshape(len(photos), -1)
    return {name: getattr(nuisance, name).of(uniform[:, i]) for i, name in enumerate(NAMES)}
