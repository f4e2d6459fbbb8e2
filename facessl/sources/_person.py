"""Who a made-up person is: bones, features, skin and hair, drawn once from (seed, index).

Of every eight people three look alike: they share skin tone, hair style, hair colour and build, so that colour alone
does not tell everybody apart; the face itself differs in every measure of ``GEOMETRY``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

Choice = TypeVar("Choice")

BLOCK, GROUP = 8, 3  # of every eight people in a row, the first three look alike and the others like themselves
_WORLD = 1147  # chosen by eye: with seed 0 the first 24 people are the mixed crowd the studio shows first

# 1.0 is the average head; offsets are in head heights / 2 (about 11 cm), tilts in radians
GEOMETRY: Mapping[str, tuple[float, float]] = {
    "face_width": (0.90, 1.10),
    "face_length": (0.90, 1.10),
    "jaw_width": (0.78, 1.18),
    "chin_width": (0.55, 1.45),
    "chin_length": (-0.07, 0.08),
    "cheekbone": (-0.6, 1.2),
    "cheek_fat": (-0.6, 1.2),
    "brow_ridge": (0.0, 1.0),
    "eye_distance": (-0.045, 0.05),
    "eye_size": (0.84, 1.20),
    "eye_open": (0.75, 1.25),
    "eye_tilt": (-0.12, 0.24),
    "eye_depth": (0.3, 1.2),
    "lid_fold": (0.0, 1.0),
    "brow_height": (-0.035, 0.05),
    "brow_thick": (0.55, 1.65),
    "brow_arch": (-0.1, 1.0),
    "brow_tilt": (-0.20, 0.22),
    "brow_gap": (-0.05, 0.05),
    "brow_length": (0.85, 1.15),
    "nose_length": (-0.07, 0.09),
    "nose_width": (0.70, 1.50),
    "nose_bridge": (-0.5, 1.2),
    "nose_tip": (0.75, 1.35),
    "nose_turn": (-0.05, 0.05),
    "mouth_width": (0.78, 1.24),
    "mouth_height": (-0.05, 0.05),
    "lip_upper": (0.45, 1.55),
    "lip_lower": (0.60, 1.55),
    "lip_bow": (0.0, 1.0),
    "mouth_curve": (-0.35, 0.45),
    "hairline": (-0.06, 0.08),
    "temples": (0.0, 1.0),
    "peak": (0.0, 1.0),
    "part": (-1.0, 1.0),
    "ear_size": (0.85, 1.25),
    "folds": (0.0, 1.0),
    "blush": (0.2, 1.0),
    "lip_red": (0.2, 1.0),
}

# sRGB; hair shades carry the skin tones (light to dark) they are usual with
SKIN = (
    (246, 212, 190),
    (238, 194, 164),
    (226, 178, 142),
    (208, 156, 116),
    (180, 126, 86),
    (146, 98, 66),
    (112, 72, 50),
    (88, 56, 42),
)
HAIR = {
    "black": ((34, 30, 32), 1, 7),
    "espresso": ((56, 40, 32), 0, 7),
    "brown": ((92, 62, 42), 0, 5),
    "chestnut": ((124, 74, 44), 0, 4),
    "copper": ((166, 82, 38), 0, 1),
    "honey": ((170, 126, 76), 0, 3),
    "blonde": ((214, 178, 120), 0, 2),
    "silver": ((186, 184, 182), 0, 3),
}
STYLES = {  # usual on: True men, False women, None both
    "side_part": None,
    "long_straight": False,
    "curly": None,
    "bob": False,
    "crop": True,
    "long_wavy": False,
    "afro": None,
    "bun": False,
    "bald": True,
    "quiff": True,
    "fringe": None,
    "buzz": True,
}
EYES = ((70, 48, 34), (104, 70, 40), (120, 98, 52), (96, 116, 72), (92, 124, 148), (120, 140, 150))
BEARDS = {"none": 4, "stubble": 2, "full": 2, "moustache": 1, "goatee": 1}  # shares among men
FRAMES = {"none": 7, "round": 1, "square": 1, "wide": 1}


@dataclass(frozen=True)
class Person:
    """One person's lasting looks. Colours are sRGB in [0, 1]; ``shape`` has the keys of GEOMETRY."""

    index: int
    group: int
    shape: Mapping[str, float]
    masculine: bool
    skin: tuple[float, float, float]
    skin_tone: float  # 0 light … 1 dark
    style: str
    hair: tuple[float, float, float]
    eyes: tuple[float, float, float]
    beard: str
    frame: str
    freckles: float
    moles: tuple[tuple[float, float, float], ...]  # x, y in face units, size
    texture_seed: int

    def traits(self) -> dict[str, float]:
        """Return what is worth recording of the person beside each photo."""
        red, green, blue = self.hair
        return {
            "skin_tone": self.skin_tone,
            "hair_red": red,
            "hair_green": green,
            "hair_blue": blue,
            "glasses": float(self.frame != "none"),
            "beard": float(self.beard not in ("none", "stubble")),
            "look_alike_group": float(self.group),
        }


def _pick(rng: np.random.Generator, choices: Mapping[Choice, float]) -> Choice:
    """Return one of the keys; the values say how often, relative to each other."""
    weights = np.array(list(choices.values()), float)
    return tuple(choices)[int(rng.choice(len(choices), p=weights / weights.sum()))]


def _rgb(colour: tuple[int, int, int], rng: np.random.Generator, spread: float) -> tuple[float, float, float]:
    """Return a colour as sRGB in [0, 1], a little lighter or darker than given."""
    light = 1 + spread * rng.uniform(-1, 1)
    red, green, blue = (min(c / 255 * light, 1.0) for c in colour)
    return red, green, blue


@dataclass(frozen=True)
class _Looks:
    """What those of a group share."""

    style: str
    tone: int  # index into SKIN
    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    masculine: bool


@lru_cache(maxsize=512)
def _group_looks(seed: int, group: int) -> _Looks:
    """Return what those of a group share; styles and skin tones take turns, so any 24 people are a mixed crowd."""
    turn, place = divmod(group, len(STYLES))
    order = np.random.default_rng([seed, _WORLD, 1, turn])
    style = tuple(STYLES)[int(order.permutation(len(STYLES))[place])]
    usual = STYLES[style]
    turn, place = divmod(group, len(SKIN))
    tone = int(np.random.default_rng([seed, _WORLD, 2, turn]).permutation(len(SKIN))[place])
    rng = np.random.default_rng([seed, _WORLD, 3, group])
    shades = [name for name, (_, low, high) in HAIR.items() if low <= tone <= high]
    return _Looks(
        style=style,
        tone=tone,
        skin=_rgb(SKIN[tone], rng, 0.03),
        hair=_rgb(HAIR[_pick(rng, dict.fromkeys(shades, 1))][0], rng, 0.12),
        masculine=bool(rng.random() < 0.5) if usual is None else usual,
    )


def _moles(rng: np.random.Generator) -> tuple[tuple[float, float, float], ...]:
    """Return up to three moles, beside the mouth rather than on it."""
    sides = rng.choice([-1, 1], 3)
    low, high = (0.2, -0.7, 0.012), (0.5, -0.05, 0.022)
    spots = rng.uniform(low, high, (3, 3)) * np.array([[side, 1, 1] for side in sides])
    return tuple((x, y, size) for x, y, size in spots.tolist())[: int(rng.integers(0, 4))]


def group_of(index: int) -> int:
    """Return which looks a person has; the first ``GROUP`` of each ``BLOCK`` have the same."""
    block, place = divmod(index, BLOCK)
    return block * (BLOCK - GROUP + 1) + max(0, place - GROUP + 1)


@lru_cache(maxsize=512)
def draw_person(seed: int, index: int) -> Person:
    """Return person ``index`` of the world ``seed``, whoever else is asked for."""
    group = group_of(index)
    looks = _group_looks(seed, group)
    rng = np.random.default_rng([seed, _WORLD, 4, index])
    lows, highs = np.array(list(GEOMETRY.values())).T
    shape = dict(zip(GEOMETRY, rng.uniform(lows, highs).tolist(), strict=True))
    shift = 1.0 if looks.masculine else -1.0  # a gentle lean, the ranges still overlap
    shape["jaw_width"] *= 1 + 0.05 * shift
    shape["brow_thick"] *= 1 + 0.25 * shift
    shape["lip_upper"] *= 1 - 0.15 * shift
    shape["lip_red"] *= 0.55 if looks.masculine else 1.0
    beard = _pick(rng, BEARDS) if looks.masculine else "none"
    return Person(
        index=index,
        group=group,
        shape=shape,
        masculine=looks.masculine,
        skin=looks.skin,
        skin_tone=looks.tone / (len(SKIN) - 1),
        style=looks.style,
        hair=looks.hair,
        eyes=_rgb(_pick(rng, dict.fromkeys(EYES if looks.tone < 4 else EYES[:3], 1)), rng, 0.15),
        beard=beard,
        frame=_pick(rng, FRAMES),
        freckles=float(rng.random() ** 3) if looks.tone < 5 else 0.0,
        moles=_moles(rng),
        texture_seed=int(rng.integers(2**31)),
    )
