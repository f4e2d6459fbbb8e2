"""How views are drawn from a face: the settings."""

from typing import Self

from pydantic import Field, model_validator

from facessl.recipes import Recipe


class ViewRecipe(Recipe):
    """How a face is changed into a view, in the order the changes are made.

    Crop, flip, colour, grey and blur are SimCLR's (appendix A). Faces need light from one side and of another colour
    besides: the same person under two lamps differs more than two people under one (Adini, Moses and Ullman 1997).
    """

    # fmt: off
    crop_min: float = Field(0.2, ge=0.05, le=1, description=
        "Smallest share of the face a crop keeps: a part must do to know a person by, but a mouth alone is nobody.")
    crop_max: float = Field(1.0, ge=0.05, le=1, description=
        "Largest share of the face a crop keeps: below 1 the whole face, which is what comes later, is not seen.")
    aspect: float = Field(1.1, ge=1, le=2, description=
        "Crops are stretched by up to this factor either way: boxes are not exact, but proportions tell us apart.")
    rotation: float = Field(10.0, ge=0, le=45, description=
        "Turned by up to this many degrees either way: heads tilt, and not every face was turned level.")
    flip: float = Field(0.5, ge=0, le=1, description=
        "How often a view is mirrored: faces are nearly symmetric, so this is another pose for nothing.")
    light: float = Field(0.4, ge=0, le=1, description=
        "How often a view is lit from one side: one person in two lights differs more than two people in one.")
    light_max: float = Field(1.2, ge=0, le=3, description=
        "Strongest such light, in stops from the middle to a side: at 2 the far side keeps a quarter of it.")
    cast: float = Field(0.5, ge=0, le=2, description=
        "Each colour channel gains or loses up to so many stops: lamps and cameras colour what they show. The shift of "
        "colours multiplies it, so now and then a face is neon: its shape is then all there is to know it by.")
    jitter: float = Field(0.8, ge=0, le=1, description=
        "How often the colours are shifted at all: below 1 some views keep the true ones, which come later.")
    brightness: float = Field(0.4, ge=0, le=1, description=
        "Brightness is scaled by 1 ± this: exposure says nothing about a person.")
    contrast: float = Field(0.4, ge=0, le=1, description=
        "Contrast is scaled by 1 ± this: haze and a camera's own processing say nothing about a person.")
    saturation: float = Field(0.4, ge=0, le=1, description=
        "Saturation is scaled by 1 ± this: cameras differ in it, and colour must not be all that is compared.")
    hue: float = Field(0.05, ge=0, le=0.5, description=
        "Hue is turned by up to ± this share of the circle: a little is another lamp, much is nobody's skin.")
    grey: float = Field(0.4, ge=0, le=1, description=
        "How often a view loses its colour: else two crops are matched by their colours, not by the face.")
    blur: float = Field(0.5, ge=0, le=1, description=
        "How often a view is blurred: sharpness is the camera's, and fine grain a way round looking at the face.")
    blur_max: float = Field(1.0, ge=0.1, le=4, description=
        "Largest blur, Gaussian sigma in pixels of the view: a small view loses more by the same number.")
    # fmt: on

    @model_validator(mode="after")
    def _crop_range(self) -> Self:
        if self.crop_min > self.crop_max:
            raise ValueError(f"crop_min ({self.crop_min}) must not be above crop_max ({self.crop_max})")
        return self


GENTLE_VIEWS = ViewRecipe(
    crop_min=0.7,
    rotation=0.0,
    light=0.3,
    light_max=0.7,
    cast=0.2,
    jitter=0.8,
    brightness=0.3,
    contrast=0.3,
    saturation=0.2,
    hue=0.02,
    grey=0.0,
    blur=0.1,
)
