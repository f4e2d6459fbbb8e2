"""A prepared set made by hand, without drawing or detecting anything: people are colours."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import save_file

from facessl.config import PrepareRecipe
from facessl.dataset import SPLITS
from facessl.recipes import build


def make_set(workspace: Path, name: str = "tiny", *, people: int = 3, photos: int = 10, unnamed: int = 4) -> Path:
    """Write ``people`` × ``photos`` faces of 32 px, 8 train, 1 val, 1 test of ten, and ``unnamed`` nameless ones."""
    rng = np.random.default_rng(0)
    rows, faces = [], []
    for number in range(people * photos + unnamed):
        label = number // photos if number < people * photos else -1
        place = number % photos
        named = "train" if place < 0.8 * photos else "val" if place < 0.9 * photos else "test"
        colour = np.array([60 + 150 * (label % 2), 60 + 70 * label % 200, 120])
        faces.append(np.clip(colour + rng.normal(0, 25, (32, 32, 3)), 0, 255).astype(np.uint8))
        rows.append(
            {
                "photo": number,
                "path": f"p{label}/{number}.png",
                "person": f"Person {label}" if label >= 0 else "",
                "named": f"Person {label}" if label >= 0 else "",
                "label": label,
                "split": named if label >= 0 else "unlabelled",
                "status": "kept",
                "reason": "",
                "face": number,
                "width": 64,
                "height": 64,
                "found": 1,
                "box_x": 8.0,
                "box_y": 8.0,
                "box_w": 48.0,
                "box_h": 48.0,
                "left_eye_x": np.nan,
                "left_eye_y": np.nan,
                "right_eye_x": np.nan,
                "right_eye_y": np.nan,
                "angle": 0.0,
                "aligned": False,
                "sharpness": 100.0,
                "brightness": 100.0,
                "contrast": 40.0,
                "turn": np.nan,
                "flaws": "",
                "hash": f"{number:016x}",
                "group": -1,
            }
        )
    folder = workspace / "datasets" / name
    folder.mkdir(parents=True)
    np.save(folder / "faces.npy", np.stack(faces))
    pd.DataFrame(rows).to_parquet(folder / "faces.parquet", index=False)
    recipe = build(PrepareRecipe, {"name": name, "size": 32}).model_dump(mode="json")
    splits = {split: sum(row["split"] == split for row in rows) for split in SPLITS}
    counts = {"people": people, "photos": len(rows), "faces": len(rows), "splits": splits}
    info = {
        "name": name,
        "recipe": recipe,
        "people": [f"Person {p}" for p in range(people)],
        "counts": counts,
        "notes": [],
    }
    info["created"] = "2026-11-22T12:00:00"
    (folder / "dataset.json").write_text(json.dumps(info))
    return folder


def leave_model(folder: Path) -> None:
    """Write a run's model with no weights in it: whole files, for those who only ask whether there is one."""
    save_file({}, folder / "model.safetensors")
    network = {"backbone": "resnet18", "backbone_options": {}, "image_size": 64}
    (folder / "model.json").write_text(json.dumps({**network, "precision": "fp32", "device": "cpu", "people": []}))
