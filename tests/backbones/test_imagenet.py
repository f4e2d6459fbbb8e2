import hashlib

import pytest

from facessl.backbones import _imagenet
from facessl.errors import ModelError

CONTENT = b"stands in for 45 MB of weights"
NAME = f"resnet18-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A folder that stands in for torchvision's server."""
    folder = tmp_path / "server"
    folder.mkdir()
    monkeypatch.setattr(_imagenet, "_URL", folder.as_uri() + "/")
    return folder


def test_a_file_is_fetched_once_into_the_workspace(server, tmp_path):
    (server / NAME).write_bytes(CONTENT)
    path = _imagenet.weights_file(NAME, tmp_path)
    assert path == tmp_path / "weights" / NAME
    assert path.read_bytes() == CONTENT
    (server / NAME).unlink()
    assert _imagenet.weights_file(NAME, tmp_path) == path


def test_without_a_network_one_sentence_says_which_file_goes_where(server, tmp_path):
    with pytest.raises(ModelError) as error:
        _imagenet.weights_file(NAME, tmp_path)
    assert f"{NAME} into {tmp_path / 'weights'}." in str(error.value)
    assert "\n" not in str(error.value)
    assert list((tmp_path / "weights").iterdir()) == []


def test_another_files_content_is_refused_and_not_left_as_if_it_were_right(server, tmp_path):
    (server / NAME).write_bytes(b"<html>please log in to the hotel's network</html>")
    for _ in range(2):
        with pytest.raises(ModelError, match="not what its name promises"):
            _imagenet.weights_file(NAME, tmp_path)
        assert list((tmp_path / "weights").iterdir()) == []


def test_a_damaged_file_put_there_by_hand_is_refused(server, tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / NAME).write_bytes(CONTENT[:-1])
    with pytest.raises(ModelError, match="is damaged; delete it"):
        _imagenet.weights_file(NAME, tmp_path)
