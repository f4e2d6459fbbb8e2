"""One photo of one person: background, shoulders, head, light, camera, in this order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from facessl.sources import _camera, _face, _glasses, _mane, _scene
from facessl.sources._atlas import MIDDLE, TEXELS, smoothstep, vector
from facessl.sources._factors import NAMES, photo_rng
from facessl.sources._head import Head, head_of
from facessl.sources._light import Light, Surface, cast_shadow, light_of, occlusion, shade
from facessl.sources._person import Person
from facessl.sources._skin import linear
from facessl.sources._trace import Hit, View, trace, turn_of


@dataclass(frozen=True)
class Frame:
    """Where the head is in the photo."""

    view: View
    window: tuple[slice, slice]  # the rows and columns of the view
    size: int  # of the photo


_UNIT = 0.325  # of the photo's side, for half a head's height
_LEVEL = 0.48  # where the eyes are, from the top


def render(seed: int, person: int, photo: int, factors: Mapping[str, float], size: int) -> np.ndarray:
    """Return the photo, (size, size, 3) uint8 RGB. The same arguments always give the same bytes."""
    rng = photo_rng(seed, person, photo)
    rng.random(len(NAMES))  # the first draws are the factors
    head = head_of(seed, person)
    scene = _scene.background(factors, rng, size)
    light = light_of(factors, scene.mean((0, 1)))
    frame = _aim(factors, size)
    view, window = frame.view, frame.window
    colour, cover = _shoulders(head.person, factors, rng, light, frame)
    _lay(scene[size - len(cover) :], colour, cover)
    if head.mane is not None:
        swing = (factors["hair_volume"], factors["hair_sway"])
        _lay(scene[window], *_mane.fall(head.person, head.mane, view, light, swing))
    _lay(scene[window], *_portrait(head, factors, _meet(head, factors, view), view, light))
    scene *= np.float32(2 ** (0.9 * head.person.skin_tone - 0.45))  # a camera exposes for the face
    return _camera.develop(scene, factors, rng)


def _lay(below: np.ndarray, colour: np.ndarray, cover: np.ndarray) -> None:
    """Lay a picture over another one, in place."""
    below += (colour - below) * cover[..., None]


def _aim(factors: Mapping[str, float], size: int) -> Frame:
    """Return the view and the window of the photo that can hold any of the head."""
    unit = _UNIT * size * factors["scale"]
    cx, cy = size * (0.5 + factors["shift_x"]), size * (_LEVEL + factors["shift_y"])
    left, right = max(int(cx - 1.45 * unit), 0), min(int(cx + 1.45 * unit), size)
    top, bottom = max(int(cy - 1.5 * unit), 0), min(int(cy + 1.75 * unit), size)
    x = (np.arange(left, right) + 0.5 - cx) / unit
    y = (cy - np.arange(top, bottom) - 0.5) / unit
    turn = turn_of(factors["yaw"], factors["pitch"], factors["roll"])
    view = View(turn, unit, x.astype(np.float32), y.astype(np.float32))
    return Frame(view, (slice(top, bottom), slice(left, right)), size)


def _shoulders(
    person: Person, factors: Mapping[str, float], rng: np.random.Generator, light: Light, frame: Frame
) -> tuple[np.ndarray, np.ndarray]:
    """Return (lit neckline and clothes (h, size, 3), cover (h, size)) of the photo's lowest h rows."""
    view, (rows, columns) = frame.view, frame.window
    foot = view.turn @ vector(0, -1.22, -0.1)
    places = np.arange(frame.size, dtype=np.float32)
    y = view.y[0] - (places - rows.start) / view.unit - foot[1]
    x = view.x[0] + (places - columns.start) / view.unit - vector(0.75) * foot[0]
    y = y[y < max(0.1, y[-1] + 0.01)]  # one row at least
    skin = linear(person.skin) * vector(0.95, 0.88, 0.86)
    colour, cover = _scene.torso(factors["clothes_hue"], rng, skin, (x, y), light.key)
    under = np.hypot(x[None, :] * vector(0.9) + 0.3 * light.key[0], y[:, None] - 0.1)
    under = smoothstep(0.75, 0.1, under)[..., None]  # in the shade of the head
    return colour * (light.colour * (1 - 0.75 * under) + light.ambient * (1 - 0.35 * under)), cover


def _meet(head: Head, factors: Mapping[str, float], view: View) -> Hit:
    volume = np.float32(factors["hair_volume"] - 1)
    return trace(head.radius + head.hair * volume if head.hair.any() else head.radius, view)


def _portrait(
    head: Head, factors: Mapping[str, float], hit: Hit, view: View, light: Light
) -> tuple[np.ndarray, np.ndarray]:
    """Return (the lit head in light units (h, w, 3), its cover (h, w)) in its window."""
    person, pixel = head.person, 0.9 / view.unit
    u, v, inside = _face.pull(person, factors, hit.u, hit.v)
    column, row = (MIDDLE + u * TEXELS).astype(np.float32), (MIDDLE - v * TEXELS).astype(np.float32)

    def look(atlas: np.ndarray) -> Sequence[np.ndarray]:
        return cv2.split(cv2.remap(atlas, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

    *paint, hair = look(head.colour)
    *normal, gloss = look(head.normal)
    *strand, sky = look(head.strand)
    colour, glint = cv2.merge(paint), np.zeros_like(gloss)
    _face.eyes(person, factors, _face.Canvas(colour, glint, u, v, pixel), view.turn.T @ light.key)
    _face.mouth(person, _face.Canvas(colour, glint, hit.u, hit.v, pixel), inside)
    z = np.where(hit.cover > 0.2, hit.z, np.float32(-1.5))
    lit = 1 - cast_shadow(z, light.key, view.unit)
    skin = Surface(cv2.split(colour), normal, strand, hair, gloss)
    image = shade(skin, view.turn, light, lit=lit, sky=sky * occlusion(z, view.unit))
    image += (glint * (0.35 + 0.5 * float(light.colour.mean())))[..., None]
    if person.frame == "none":
        return image, hit.cover
    frame = _glasses.put_on(person, hit, view, image, float(light.ambient.mean()))
    return image, np.maximum(hit.cover, frame)
