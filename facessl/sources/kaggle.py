"""A data set of kaggle.com, fetched by the optional package kagglehub and read as a folder."""

import importlib.util
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from facessl.errors import SourceError
from facessl.sources import Source, folder
from facessl.sources._downloads import downloads, impatient, one_at_a_time, why
from facessl.sources._layout import Layout

TITLE = "Kaggle data set"
REFERENCE = "kagglehub, https://github.com/Kaggle/kagglehub"


class Options(BaseModel):
    """Which data set, and how its folders are meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    handle: str = Field(
        "hemantsoni042/celebrity-images-for-facerecognition",
        pattern=r"^[A-Za-z0-9_-]+/[A-Za-z0-9_.-]*[A-Za-z0-9_-](/versions/\d+)?$",
        description="owner/name of the data set, as in its address on kaggle.com.",
    )
    layout: Layout = Field("auto", description="How the folders are meant, as for the source folder.")


def check(options: Options, path: str | Path) -> None:
    """Raise SourceError when neither the data set nor the package that fetches it is here."""
    if str(path).strip():
        folder.check(folder.Options(layout=options.layout), path)
    elif not _place(options.handle).is_dir():
        _refuse_without_package(options.handle)


def open_source(options: Options, path: str | Path) -> Source:
    """List the photos; without a ``path`` they are fetched, once, into ``<workspace>/downloads/kaggle``.

    Args:
        options: Which data set.
        path: Its zip or folder where somebody has downloaded it by hand, or "".

    Raises:
        SourceError: It cannot be fetched, or holds no photos.
    """
    as_folder = folder.Options(layout=options.layout)
    return folder.open_source(as_folder, path if str(path).strip() else _fetched(options.handle))


def _place(handle: str) -> Path:
    return downloads() / "kaggle" / handle.replace("/", "--")


def _by_hand(handle: str) -> str:
    """Return the way that always works."""
    address = f"kaggle.com/datasets/{handle.partition('/versions/')[0]}"
    return f"download its zip from {address} in a browser and use the source folder with the zip's path"


def _refuse_without_package(handle: str) -> None:
    if importlib.util.find_spec("kagglehub") is None:
        raise SourceError(
            f"The package kagglehub, which fetches {handle}, is missing; install it with pip, or {_by_hand(handle)}."
        )


def _fetched(handle: str) -> Path:
    """Return the folder of the data set, after fetching it where that was not done yet."""
    place = _place(handle)
    if place.is_dir():
        return place
    _refuse_without_package(handle)
    import kagglehub
    from kagglehub import exceptions

    failures = (
        OSError,
        ValueError,
        exceptions.BackendError,
        exceptions.CredentialError,
        exceptions.DataCorruptionError,
        exceptions.NotFoundError,
        exceptions.UnauthenticatedError,
    )
    partial = place.with_name(f".{place.name}.partial")  # what is in it belongs to an attempt that was cut off
    try:
        with one_at_a_time(place.parent), impatient():
            if not place.is_dir():  # another process may have fetched it while this one waited
                kagglehub.dataset_download(handle, output_dir=str(partial), force_download=True)
                partial.rename(place)
    except failures as error:
        raise SourceError(f"{handle} could not be fetched ({why(error)}); {_by_hand(handle)}.") from error
    return place
