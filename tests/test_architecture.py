"""The shape of the code: layers, no screen in the core, nothing heavy at import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = (  # from the ground up; a part imports from the lines above it only
    "errors kept stages stopping",
    "registry",
    "recipes",
    "viewing",
    "config devices distributed files images neighbours states",
    "damage shapes",
    "flags printing run detection duplicates quality metrics mistakes significance",
    "following revision runs answers",
    "whitening views losses optimisers sources backbones",
    "edits turns methods presets",
    "dataset attending studying alternatives",
    "jobs borrowed",
    "comparison checkpoints learnt baselines evaluation gallery overview pairs suspects verification",
    "preparation",
    "encoder embeddings batches",
    "beginnings gradients progress telling trouble",
    "training recognition likeness explain heads",
    "pretraining figures models",
    "judging probe seen bench",
    "finetuning",
    "together",
    "evaluating",
    "studies",
    "demo resolve",
    "conducting",
    "worker",
    "library",
    "studio",
    "starting",
    "cli",
    "__main__",
)
LAYER_OF = {name: layer for layer, names in enumerate(LAYERS) for name in names.split()}
HEAVY = {"torch", "torchvision", "umap", "sklearn", "cv2", "pandas", "plotly", "scipy", "splitfolders"}
MAY_LOAD_TORCH = {
    "losses",
    "checkpoints",
    "batches",
    "optimisers",
    "encoder",
    "beginnings",
    "gradients",
    "progress",
    "telling",
    "trouble",
    "heads",
    "training",
    "pretraining",
    "judging",
    "finetuning",
    "probe",
    "seen",
    "models",
    "evaluating",
}
PACKAGE = sorted((ROOT / "facessl").rglob("*.py"))
SCREEN = [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))]


def part_of(path: Path) -> str:
    """Return the module or plug-in folder directly below facessl that a file belongs to."""
    return path.relative_to(ROOT / "facessl").parts[0].removesuffix(".py")


def imports(path: Path, *, only_at_import: bool = False) -> list[str]:
    """Return the dotted names a file imports; with ``only_at_import`` those that importing it executes."""
    found: list[str] = []

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            if only_at_import and (typing_only or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)):
                continue
            if isinstance(child, ast.Import):
                found.extend(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module:
                assert child.level == 0, f"{path}: write imports absolute"
                found.extend(f"{child.module}.{alias.name}" for alias in child.names)
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


@pytest.mark.parametrize("path", PACKAGE, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_to_a_lower_layer(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        return
    for name in imports(path):
        target = name.split(".")
        if target[0] != "facessl" or len(target) < 2 or target[1] in ("__version__", part):
            continue
        assert LAYER_OF[target[1]] < LAYER_OF[part], f"{part} imports {target[1]}, which is not below it"


@pytest.mark.parametrize("path", PACKAGE, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_core_knows_no_screen(path: Path) -> None:
    assert not any(name.split(".")[0] == "streamlit" for name in imports(path))


@pytest.mark.parametrize("path", [*PACKAGE, *SCREEN], ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_heavy_is_loaded_at_import(path: Path) -> None:
    heavy = {name.split(".")[0] for name in imports(path, only_at_import=True)} & HEAVY
    if path in PACKAGE and path.stem.startswith("_"):
        return  # a plug-in's private neighbour: reached from inside its functions, as the next test shows
    if path in PACKAGE and part_of(path) in MAY_LOAD_TORCH:
        heavy -= {"torch"}
    assert not heavy, f"import {', '.join(heavy)} inside the function that needs it"


def test_reading_every_plugin_and_the_studio_loads_nothing_heavy() -> None:
    code = """
import sys
from facessl import registry, studio
for kind in registry.KINDS:
    for name in registry.names(kind):
        registry.load(kind, name).Options()
print(*{name.split('.')[0] for name in sys.modules})
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & HEAVY


@pytest.mark.parametrize("path", SCREEN, ids=lambda p: str(p.relative_to(ROOT)))
def test_pages_do_not_load_torch_through_the_core(path: Path) -> None:
    for name in imports(path, only_at_import=True):
        parts = name.split(".")
        assert not (parts[0] == "facessl" and len(parts) > 1 and parts[1] in MAY_LOAD_TORCH), name
