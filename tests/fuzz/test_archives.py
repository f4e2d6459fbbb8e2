"""Any folder and any archive is taken in as it is, with nothing lost in silence, or refused in one sentence."""

import io
import re
import stat
import struct
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facessl.errors import ImageError, SourceError
from facessl.sources import Source
from facessl.sources.folder import Options, open_source

LAYOUTS = ("auto", "people", "splits", "innermost", "flat")


def _picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (20, 20), "teal").save(file, kind)
    return file.getvalue()


def _zip_of(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.jpg", content)
    return file.getvalue()


JPEG = _picture("JPEG")
CONTENTS = {
    "jpeg": JPEG,
    "png": _picture("PNG"),
    "cut": JPEG[:-30],
    "empty": b"",
    "text": b"hello",
    "zip": _zip_of(JPEG),
}
NASTY = (
    *("Anna", "anna", "ANNA", "Zoe\u0308", "Zo\u00eb", "CON", "nul", "aux.jpg", "a'b", 'a"b', "a\nb", "a\tb", "🙂"),
    *("\u202eevil", "राजेश", "a b", " ", "...", "..b", "a.", "-rf", "$(id)", "<b>", "C:", "c:x", "a\\b", "..\\x"),
    *("%2e%2e", "x" * 200, "train", "test", "unlabelled", ".hidden", "__MACOSX", "Thumbs.db", "more.zip", "a.txt"),
)  # fmt: skip
ENDINGS = ("", ".jpg", ".JPG", ".png", ".txt", ".zip", ".heic", ".tar.gz")

# What a disk can hold as one name.
part = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12),
).filter(lambda name: name not in (".", "..") and len(name.encode()) <= 240)
file_name = st.builds(lambda stem, ending: stem + ending, part, st.sampled_from(ENDINGS))
path = st.builds(lambda folders, name: "/".join([*folders, name]), st.lists(part, max_size=3), file_name)
trees = st.dictionaries(path, st.sampled_from(sorted(CONTENTS)), min_size=1, max_size=12)


@pytest.fixture(autouse=True, scope="module")
def _workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACESSL_HOME", str(tmp_path_factory.mktemp("workspace")))
        yield


def opened(place: Path, layout: str) -> Source | str:
    """Return the source, or the one sentence it was refused with."""
    try:
        return open_source(Options(layout=layout), place)
    except SourceError as error:
        sentence = str(error)
        assert sentence.endswith(".") and sentence.isprintable() and len(sentence) < 400
        return sentence


def counted(source: Source) -> int:
    """Return how many files the photos and the notes account for."""
    said = r"Left out (?:.*: ([\d,]+)\.|([\d,]+) files? that (?:is|are) no pictures? .*)"
    left_out = [re.fullmatch(said, note) for note in source.notes]
    return len(source.photos) + sum(int((note[1] or note[2]).replace(",", "")) for note in left_out if note)


def pictures(source: Source) -> list[bytes | None]:
    """Return what each photo shows, None where it cannot be read."""
    shown: list[bytes | None] = []
    for photo in source.photos:
        try:
            image = source.read(photo)
        except ImageError as error:
            assert str(error).isprintable()
            shown.append(None)
        else:
            assert image.dtype == np.uint8 and image.shape[2] == 3
            shown.append(image.tobytes())
    return shown


def write_tree(root: Path, tree: dict[str, str]) -> list[str]:
    """Write what of a tree a disk can hold, where a file is no folder; return that."""
    written = []
    for name, content in tree.items():
        file = root / name
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(CONTENTS[content])
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue
        written.append(name)
    return written


@settings(max_examples=100, deadline=None)
@given(trees, st.sampled_from(LAYOUTS))
def test_a_folder_its_zip_and_its_tars_are_the_same_photos(tree: dict[str, str], layout: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch, "photos")
        written = write_tree(root, tree)
        with zipfile.ZipFile(Path(scratch, "z.zip"), "w", zipfile.ZIP_DEFLATED) as zipped:
            for name in written:
                zipped.write(root / name, name)
        for packing in ("", "gz"):
            with tarfile.open(Path(scratch, f"t.{packing or 'tar'}"), f"w:{packing}") as tarred:
                for name in written:
                    tarred.add(root / name, name)
        folder = opened(root, layout)
        if not isinstance(folder, str):
            assert counted(folder) == len(written)
            assert [photo.path for photo in folder.photos] == sorted(
                (photo.path for photo in folder.photos), key=lambda found: found.split("/")
            )
        for file in ("z.zip", "t.tar", "t.gz"):
            archive = opened(Path(scratch, file), layout)
            if isinstance(archive, str) and "points outside" in archive:
                # A name that a disk here takes for harmless, and another for the way out.
                assert any(re.search(r"(^|[/\\])\.\.([/\\]|$)|^[A-Za-z]:[/\\]|^\\", name) for name in written)
            elif isinstance(archive, str) or isinstance(folder, str):
                assert isinstance(archive, str) and isinstance(folder, str)
                assert archive.replace(file, "photos") == folder
            else:
                assert archive.photos == folder.photos
                assert sorted(archive.notes) == sorted(folder.notes)
                assert pictures(archive) == pictures(folder)
                archive.close()


# Names as only an archive can hold them.
any_name = st.one_of(
    path,
    st.builds(lambda parts, glue: glue.join(parts), st.lists(part, min_size=2, max_size=4), st.sampled_from("/\\")),
    st.sampled_from(
        ("../x.jpg", "a/../../x.jpg", "/etc/x.jpg", "C:\\x.jpg", "\\\\host\\x.jpg", "a//b.jpg", "./a/./b.jpg", "a/")
    ),
    st.just("y" * 300 + "/" + "x" * 300 + ".jpg"),
    st.just("/".join(["deep"] * 300) + "/x.jpg"),
)
kinds = st.sampled_from((0, stat.S_IFREG, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR))
entries = st.lists(st.tuples(any_name, st.sampled_from(sorted(CONTENTS)), kinds, st.sampled_from((0, 3))), max_size=10)


@settings(max_examples=150, deadline=None)
@given(entries, st.sampled_from(LAYOUTS), st.booleans())
def test_no_zip_escapes_and_nothing_in_it_is_lost(
    entries: list[tuple[str, str, int, int]], layout: str, twice: bool
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch, "z.zip")
        entries = entries * 2 if twice else entries
        with zipfile.ZipFile(place, "w") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that come twice
            for name, content, kind, system in entries:
                info = zipfile.ZipInfo(name)
                info.create_system, info.external_attr = system, (kind | 0o644) << 16 if kind else 0
                archive.writestr(info, CONTENTS[content])
        source = opened(place, layout)
        if isinstance(source, str):
            return
        assert_within(source)
        folders = sum(
            kind == stat.S_IFDIR or name.endswith("/") or (name.endswith("\\") and system == 0)
            for name, content, kind, system in entries
            if content == "empty"
        )
        assert counted(source) == len(entries) - folders
        pictures(source)
        source.close()
        assert list(Path(scratch).iterdir()) == [place]


@settings(max_examples=150, deadline=None)
@given(entries, st.sampled_from(LAYOUTS))
def test_no_tar_escapes_and_nothing_in_it_is_lost(entries: list[tuple[str, str, int, int]], layout: str) -> None:
    types = {stat.S_IFLNK: tarfile.SYMTYPE, stat.S_IFIFO: tarfile.FIFOTYPE, stat.S_IFDIR: tarfile.DIRTYPE}
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch, "t.tar")
        with tarfile.open(place, "w") as archive:
            for name, content, kind, system in entries:
                info = tarfile.TarInfo(name)
                info.type = types.get(kind, tarfile.LNKTYPE if system == 0 else tarfile.REGTYPE)
                info.linkname = "../../../etc/passwd"
                info.size = len(CONTENTS[content]) if info.isreg() else 0
                archive.addfile(info, io.BytesIO(CONTENTS[content]))
        source = opened(place, layout)
        if isinstance(source, str):
            return
        assert_within(source)
        assert counted(source) == sum(kind != stat.S_IFDIR for _, _, kind, _ in entries)
        pictures(source)
        source.close()
        assert list(Path(scratch).iterdir()) == [place]


def assert_within(source: Source) -> None:
    for photo in source.photos:
        assert not photo.path.startswith("/") and ".." not in photo.path.split("/")
        assert photo.person is None or ("/" not in photo.person and photo.person not in ("", ".", ".."))
    assert len({photo.path for photo in source.photos}) == len(source.photos)


LEADS = ("inside", "outside", "folder", "itself", "nothing")


@settings(max_examples=60, deadline=None)
@given(trees, st.lists(st.tuples(path, st.sampled_from(LEADS)), max_size=4))
def test_links_lead_nobody_out_of_a_folder(tree: dict[str, str], links: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root, secret = Path(scratch, "photos"), Path(scratch, "secret")
        written = write_tree(root, tree)
        write_tree(secret, {"secret.jpg": "jpeg", "private/1.jpg": "jpeg"})
        files = len(written)
        for name, leads in links:
            link = root / name
            targets = {
                "inside": root / next(iter(written), "x"),
                "outside": secret / "secret.jpg",
                "folder": secret / "private",
                "itself": link,
                "nothing": secret / "x",
            }
            if any(parent.is_symlink() for parent in link.parents):
                continue
            try:
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(targets[leads])
            except (FileExistsError, NotADirectoryError):
                continue
            files += 1
        source = opened(root, "auto")
        if isinstance(source, str):
            return
        assert counted(source) == files
        for photo in source.photos:
            assert (root / photo.path).resolve().is_relative_to(root.resolve())


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(("zip", "tar", "tgz")), st.data())
def test_damaged_archives_are_read_or_refused(kind: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch, f"photos.{kind}")
        names = ("Anna/1.jpg", "Anna/2.jpg", "Bo/1.jpg", "a long name " * 12 + "/1.png")
        if kind == "zip":
            with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
                for name in names:
                    archive.writestr(name, JPEG)
        else:
            with tarfile.open(place, "w:gz" if kind == "tgz" else "w") as archive:
                for name in names:
                    info = tarfile.TarInfo(name)
                    info.size = len(JPEG)
                    archive.addfile(info, io.BytesIO(JPEG))
        content = bytearray(place.read_bytes())
        for _ in range(data.draw(st.integers(1, 6))):
            at = data.draw(st.integers(0, len(content) - 1))
            number = data.draw(st.sampled_from((b"\0", b"\xff", b"/", b"7777", b"\xff" * 4, struct.pack("<I", 2**31))))
            content[at : at + len(number)] = number
        if data.draw(st.booleans()):
            del content[data.draw(st.integers(1, len(content))) :]
        place.write_bytes(content)
        source = opened(place, "auto")
        if not isinstance(source, str):
            assert_within(source)
            pictures(source)
            source.close()
