"""What is estimated beside an estimate differs in one setting, and its figures are multiples of the first's."""

from pathlib import Path

import pytest

from facessl import alternatives, config, files, presets, recipes, registry, runs
from facessl.config import ProbeRecipe
from facessl.run import Run
from facessl.studio import Studio
from tests.tiny import make_set


def changed(recipe: ProbeRecipe, other: ProbeRecipe) -> dict[str, object]:
    """Return the settings of ``other`` that differ, without those of the plug-ins that come with them."""
    own = recipe.model_dump()
    return {n: v for n, v in other.model_dump().items() if v != own[n] and n not in ("options", "backbone_options")}


def test_each_has_one_setting_otherwise() -> None:
    recipe = recipes.build(ProbeRecipe, {"image_size": 64, "batch_size": 256})
    found = [changed(recipe, other) for other in alternatives.of(recipe, 5000)]
    assert all(len(change) == 1 for change in found)
    plain = [change for change in found if "views" not in change]
    assert plain[:4] == [{"image_size": 48}, {"image_size": 80}, {"batch_size": 128}, {"batch_size": 512}]
    assert [c["backbone"] for c in plain if "backbone" in c] == ["efficientnet_b0", "tinyvgg"]
    # The two yardsticks that need names are no pre-training.
    others = set(registry.names("methods")) - {"simclr", "supcon", "supervised"}
    assert {change["method"] for change in plain if "method" in change} == others
    views = [change["views"] for change in found if "views" in change]
    assert views == [presets.PRESETS[name].model_dump() for name in presets.BUILT_IN if name != "faces"]


@pytest.mark.parametrize(
    ("settings", "faces", "batches"),
    [
        ({"batch_size": 256}, 300, [128]),  # no batch has more faces than there are
        ({"batch_size": 6}, 300, [12]),
        ({"batch_size": 8}, 300, [4, 16]),
        ({"batch_size": 8, "processes": 4}, 300, [16]),  # two faces each at least
    ],
)
def test_batches_are_such_as_can_be(settings: dict[str, int], faces: int, batches: list[int]) -> None:
    recipe = recipes.build(ProbeRecipe, settings)
    found = [changed(recipe, other) for other in alternatives.of(recipe, faces)]
    assert [change["batch_size"] for change in found if "batch_size" in change] == batches


def test_a_network_with_weights_stays() -> None:
    recipe = recipes.build(ProbeRecipe, {"init": "imagenet"})
    assert not any("backbone" in changed(recipe, other) for other in alternatives.of(recipe, 1000))


def probe_of(workspace: Path, seconds: float, memory: int, **settings: object) -> Run:
    recipe = recipes.build(config.ProbeRecipe, {"dataset": "tiny", **settings})
    run = runs.create(workspace, "probe", recipe, title="an estimate")
    files.write_json(run.path / "result.json", {"seconds_an_epoch": seconds, "memory_mib": memory})
    run.update(state="finished")
    return run


def test_the_table_compares_with_the_first(tmp_path: Path) -> None:
    base = probe_of(tmp_path, 4.0, 1000)
    smaller = probe_of(tmp_path, 1.0, 900, image_size=48)
    other = probe_of(tmp_path, 6.0, 1500, method="vicreg")
    gentle = probe_of(tmp_path, 4.0, 1000, views=presets.PRESETS["gentle"].model_dump())
    failed = runs.create(
        tmp_path, "probe", recipes.build(ProbeRecipe, {"dataset": "tiny", "batch_size": 512}), title=""
    )
    failed.update(state="failed", error="The memory is full.")
    rows = alternatives.table(base, [smaller, other, gentle, failed])
    assert [(row["setting"], row["value"], row["times"], row["more_memory_mib"]) for row in rows] == [
        ("image_size", "48", 0.25, -100),
        ("method", "VICReg", 1.5, 500),
        ("views", "gentle", 1.0, 0),
        ("batch_size", "512", None, None),
    ]
    assert [row["error"] for row in rows] == ["", "", "", "The memory is full."]
    # Before the first is measured there is nothing to compare with.
    (base.path / "result.json").unlink()
    assert alternatives.table(base, [smaller])[0]["times"] is None


def test_the_studio_starts_the_first_and_those_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_set(tmp_path)  # 28 faces to learn from
    started: list[Run] = []
    monkeypatch.setattr("facessl.jobs.start", lambda workspace, run, changes=None: started.append(run))
    made = Studio(tmp_path).estimate_each({"dataset": "tiny", "image_size": 32, "batch_size": 16, "method": "vicreg"})
    assert made == started
    base, *others = made
    assert base.config["group"] == "" and base.config["recipe"]["batch_size"] == 16
    assert all(run.config["after"] == [base.id] for run in others)  # the first is measured first
    assert {run.config["group"] for run in others} == {alternatives.group_of(base)}
    sizes = {run.config["recipe"]["batch_size"] for run in others}
    assert sizes == {16, 8}
    assert ("method", "SimCLR") in [alternatives.difference(base, run) for run in others]
