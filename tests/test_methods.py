"""Every method on every backbone, through the product's own loop, form and command: a new file is tested by itself."""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from streamlit.testing.v1 import AppTest
from torch import Tensor

from facessl import registry
from facessl.cli import main
from facessl.config import PretrainRecipe
from facessl.encoder import build_backbone
from facessl.methods import Method
from facessl.pretraining import pretrain
from facessl.run import Run
from facessl.viewing import ViewRecipe
from pages._shared.forms import bounds
from tests.cut_off import cut_off
from tests.test_training import loop_of, new_run
from tests.tiny import make_set

METHODS = registry.names("methods")
# Nearly all of the time would go into the figures after each epoch, which have tests of their own.
# Of 32 pixels TinyVGG would keep 5 places a side: with 4 channels too little to draw from within 20 steps.
QUICK = {"precision": "fp32", "whiten": 0, "mirror": False, "hidden_units": 4, "places": 13}
FOR_FEW = {"pseudo_labels": {"clusters": 3}, "vicreg": {"expander_dim": 32}}  # faces: 28, 12 a step


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The coloured people, lit from above and a little from the left: noise has no up, which some methods ask for."""
    faces = make_set(tmp_path) / "faces.npy"
    light = np.linspace(60, -60, 32)[:, None] + np.linspace(30, -30, 32)
    np.save(faces, np.clip(np.load(faces) + light[:, :, None], 0, 255).astype(np.uint8))
    return tmp_path


def build(name: str, backbone: str, **options: object) -> Method:
    torch.manual_seed(0)
    plugin = registry.load("methods", name)
    made: Method = plugin.build(build_backbone(backbone, {}), plugin.Options(**options), people=2)
    return made


def pictures(method: Method, n: int, size: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(n, 3, size, size, generator=generator) for _ in range(method.views)]


@pytest.mark.parametrize("backbone", registry.names("backbones"))
@pytest.mark.parametrize("name", METHODS)
def test_a_step_moves_every_weight_of_every_backbone(name: str, backbone: str) -> None:
    method = build(name, backbone)
    loss = method.loss(method.outputs(pictures(method, 4, 32)), torch.tensor([0, 1, 0, 1]))
    loss.backward()
    assert loss.shape == () and loss.isfinite()
    for weight_name, weight in method.modules.named_parameters():
        assert weight.grad is not None and weight.grad.isfinite().all(), weight_name


@pytest.mark.parametrize(("size", "name"), itertools.product((33, 48, 112), METHODS))
def test_views_of_any_size_work(size: int, name: str) -> None:
    method = build(name, "tinyvgg")
    outputs = method.outputs(pictures(method, 3, size))
    assert all(len(rows) == 3 and rows.requires_grad for rows in outputs)
    assert method.loss(outputs, torch.tensor([0, 1, 0])).isfinite()


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_falls_in_20_steps(workspace: Path, name: str) -> None:
    settings = {"method": name, "epochs": 10, "batch_size": 12, "learning_rate": 3e-3, **QUICK, **FOR_FEW.get(name, {})}
    easy = {"crop_min": 0.5, "rotation": 0, "light_max": 0.8, "blur": 0.3}  # 20 steps are too few for hard views
    run = new_run(workspace, "pretrain", **settings, **easy)
    pretrain(run, workspace)
    losses = [row["loss"] for row in run.metrics() if row["epoch"] > 0]  # two steps each
    assert losses[-1] < 0.97 * losses[0]


@pytest.mark.parametrize("name", METHODS)
def test_a_stopped_run_resumes_to_the_same_weights_and_another_seed_to_others(workspace: Path, name: str) -> None:
    """In two parts a step, each of which passes twice and has to draw the same both times."""
    settings = {"method": name, "epochs": 2, "accumulate": 2, **QUICK, **FOR_FEW.get(name, {})}
    whole, stopped, other = (new_run(workspace, "pretrain", **settings, seed=seed) for seed in (0, 0, 1))
    pretrain(whole, workspace)
    cut_off(pretrain, stopped, workspace, 4)
    pretrain(stopped, workspace)
    pretrain(other, workspace)
    expected, found = weights(whole), weights(stopped)
    assert all(torch.equal(tensor, found[weight]) for weight, tensor in expected.items())
    assert losses_of(whole) == losses_of(stopped) != losses_of(other)


def weights(run: Run) -> dict[str, Tensor]:
    return load_file(run.path / "model.safetensors")


def losses_of(run: Run) -> list[float]:
    return [row["loss"] for row in run.metrics() if row["epoch"] > 0]


@dataclass
class Given:
    """A batch of pictures at hand."""

    pictures: list[Tensor]
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def views(self, part: slice) -> list[Tensor]:
        return [view[part] for view in self.pictures]


@pytest.mark.parametrize("name", METHODS)
def test_a_batch_in_parts_has_the_gradients_of_the_whole(workspace: Path, name: str) -> None:
    """With batch norm by fixed figures and nothing drawn, as who only looks at a network has it."""
    found = []
    for parts in (1, 3):
        method = build(name, "tinyvgg")
        batch = Given(pictures(method, 8, 32), torch.tensor([0, 1, 0, 1, 1, 0, 0, 1]))
        loop = loop_of(workspace, method, accumulate=parts)
        loop.modules.eval()
        loss = loop.gradients.of(batch, 0)
        found.append([loss, *(weight.grad for weight in method.modules.parameters())])
    for whole, parted in zip(*found, strict=True):
        torch.testing.assert_close(parted, whole, rtol=1e-3, atol=1e-5 * max(1.0, whole.abs().max().item()))
    assert all(whole.abs().sum() > 0 for whole in found[0])


@pytest.mark.parametrize("name", METHODS)
def test_chance_is_a_loss_or_there_is_none(name: str) -> None:
    chance = build(name, "tinyvgg").chance(64)
    assert chance is None or 0 < chance < 100


@pytest.mark.parametrize("name", METHODS)
def test_who_needs_names_says_so_before_it_is_built(name: str) -> None:
    """Forms ask the file, the loop asks the method."""
    plugin = registry.load("methods", name)
    made = build(name, "tinyvgg")
    assert (getattr(plugin, "NEEDS_NAMES", False), plugin.VIEWS) == (made.needs_labels, made.views)


# What people meet


@pytest.mark.parametrize("name", METHODS)
def test_every_setting_has_bounds_a_description_and_a_name_of_its_own(name: str) -> None:
    fields = registry.load("methods", name).Options.model_fields
    # Settings are given flat: one called like a recipe's own would never reach the method.
    assert not set(fields) & ({*PretrainRecipe.model_fields} | {*ViewRecipe.model_fields})
    for field_name, field in fields.items():
        assert field.description and field.description.endswith("."), field_name
        if field.annotation in (int, float):
            assert None not in bounds(field), field_name


@pytest.mark.parametrize("name", METHODS)
def test_the_form_draws_every_setting_and_returns_the_defaults(name: str) -> None:
    def page(name: str) -> None:  # its source is run elsewhere: nothing from this file exists there
        import streamlit as st

        from facessl import registry
        from pages._shared.forms import recipe_form

        st.session_state["values"] = recipe_form(registry.load("methods", name).Options, key="f")

    app = AppTest.from_function(page, args=(name,), default_timeout=60).run()
    assert not app.exception
    values: dict[str, Any] = app.session_state["values"]
    options = registry.load("methods", name).Options
    assert options(**values) == options() and set(values) == set(options.model_fields)


def test_the_command_lists_every_method(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in listed] == list(METHODS)
    assert len({row["title"] for row in listed}) == len(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_the_command_has_a_flag_for_every_setting(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["pretrain", "--method", name, "--help"])
    text = capsys.readouterr().out
    for field_name in registry.load("methods", name).Options.model_fields:
        assert f"--{field_name.replace('_', '-')} " in text
