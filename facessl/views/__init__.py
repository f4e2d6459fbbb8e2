"""Views: draw their parameters once, render them on the CPU (OpenCV) or on the GPU (torch), with the same result.

A view is made in SimCLR's order (Chen et al. 2020, appendix A): random crop with stretch, turn and mirror in one
resampling; light from one side and of another colour, which is not SimCLR's; brightness, contrast, saturation and
hue in random order, clamped after each; loss of colour; blur.
Each colour operation is a 3×3 matrix, so hue is a rotation about the grey axis and not HSV's walk along a hexagon.
The two differ by 10 grey levels (mean, random colours) at a turn of 0.05 and by 19 at 0.2, where HSV itself moves
13 and 51; on LFW faces by 5 and 6. A rotation in YIQ differs more: by 13 and 31, on faces by 9 and 12.
"""

from facessl.viewing import GENTLE_VIEWS, ViewRecipe
from facessl.views._cpu import plain, render
from facessl.views._parameters import ViewParameters, draw, unchanged
from facessl.views._steps import steps, strongest
from facessl.views._tensor import MEAN, STD, plain_tensor, render_tensor, to_input

__all__ = [
    "MEAN",
    "PRESETS",
    "STD",
    "ViewParameters",
    "draw",
    "plain",
    "plain_tensor",
    "render",
    "render_tensor",
    "steps",
    "strongest",
    "to_input",
    "unchanged",
]

# Each says every setting itself, so that none follows when the recipe's own defaults move.
PRESETS: dict[str, ViewRecipe] = {
    # Gentler in crop and hue than the paper's, as a mouth alone, or a green face, is nobody; with light and turns. What
    # named most people on LFW of all that was tried there (docs/LOG.md). The recipe's defaults.
    "faces": ViewRecipe(**ViewRecipe().model_dump()),
    "gentle": ViewRecipe(**GENTLE_VIEWS.model_dump()),
    # Chen et al. 2020, appendix A, with strength 1, as at ImageNet; its blur is measured in pixels of the view.
    "SimCLR paper": ViewRecipe(
        crop_min=0.08,
        crop_max=1.0,
        aspect=4 / 3,
        rotation=0.0,
        flip=0.5,
        light=0.0,
        light_max=0.0,
        cast=0.0,
        jitter=0.8,
        brightness=0.8,
        contrast=0.8,
        saturation=0.8,
        hue=0.2,
        grey=0.2,
        blur=0.5,
        blur_max=2.0,
    ),
    # S1's notebook hands the loss two copies of the same picture: nothing to be invariant to, nothing to learn.
    "seed project": ViewRecipe(
        crop_min=1.0,
        crop_max=1.0,
        aspect=1.0,
        rotation=0.0,
        flip=0.0,
        light=0.0,
        light_max=0.0,
        cast=0.0,
        jitter=0.0,
        brightness=0.0,
        contrast=0.0,
        saturation=0.0,
        hue=0.0,
        grey=0.0,
        blur=0.0,
        blur_max=0.1,
    ),
}
