"""A trained backbone with its preprocessing: faces in, unit vectors out."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facessl import checkpoints, devices, registry, views
from facessl.devices import DeviceInfo
from facessl.errors import ModelError, NonFiniteError
from facessl.whitening import Whitening, stretched, unit_rows

_BLOCK = 1024  # faces that are embedded at a time
_ENDLESS = 1e15  # what is larger overflows float32 in the products made of it
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(device: DeviceInfo, precision: str) -> torch.autocast:
    """Return the context in which a forward pass runs at this precision ("fp32" switches it off)."""
    dtype = _DTYPES.get(precision)
    return torch.autocast(device.kind, dtype=dtype or torch.bfloat16, enabled=dtype is not None)


def build_backbone(name: str, options: dict[str, Any], weights: Path | None = None) -> nn.Module:
    """Return a backbone plug-in's network, from nothing or from torchvision's ImageNet file."""
    plugin = registry.load("backbones", name)
    network: nn.Module = plugin.build(plugin.Options(**options), weights)
    return network


@contextlib.contextmanager
def _judging(network: nn.Module) -> Iterator[None]:
    """Let batch norm and dropout behave as in use: in training, a batch's own faces would judge each other."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


@dataclass
class Encoder:
    """Use from several threads is safe; one of them computes at a time."""

    backbone: nn.Module
    image_size: int  # side in pixels of what the backbone sees
    device: DeviceInfo
    precision: str = "fp32"
    whitening: Whitening | None = None  # fitted on the faces that were learnt from
    classifier: nn.Module | None = None
    people: tuple[str, ...] = ()  # whom the classifier's outputs stand for
    mirror: bool = False  # an embedding is made of the face and its mirror image
    linear_probe: bool = False  # the classifier is a linear layer on embeddings; else it reads the backbone's features
    grid: int = 0  # places a side at which an embedding keeps where things are; 0: the backbone's own features
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        for module in (self.backbone, self.classifier):
            if module is not None:
                module.to(self.device.kind).to(memory_format=torch.channels_last).eval()

    @classmethod
    def from_run(cls, folder: Path, device: str = "auto") -> "Encoder":
        """Return the encoder that a pre-training or fine-tuning run left.

        Raises:
            ModelError: There is none, or it does not fit its own card.
        """
        weights, card = checkpoints.load_model(folder)
        info = devices.pick(device)
        backbone = build_backbone(card["backbone"], card["backbone_options"])
        classifier = None
        try:
            backbone.load_state_dict(_below("backbone", weights))
            if own := _below("classifier", weights):
                classifier = nn.Linear(own["weight"].shape[1], own["weight"].shape[0])
                classifier.load_state_dict(own)
        except (RuntimeError, KeyError) as error:
            raise ModelError(f"The model of {folder.name} does not fit its card; train it again.") from error
        whitening = None
        if own := _below("whitening", weights):
            whitening = Whitening(own["mean"].numpy(), own["matrix"].numpy())
        precision = card["precision"] if card["device"] == info.kind else "fp32"
        return cls(
            backbone, card["image_size"], info, precision, whitening, classifier, tuple(card["people"]),
            mirror=card.get("mirror", False), grid=card.get("grid", 0), linear_probe=card.get("linear_probe", False),
        )  # fmt: skip

    @classmethod
    def untrained(
        cls, backbone: str, options: dict[str, Any], image_size: int, seed: int, device: str = "auto", grid: int = 0
    ) -> "Encoder":
        """Return a network that has learnt nothing, the floor of every comparison."""
        torch.manual_seed(seed)
        info = devices.pick(device)
        options = registry.backbone_options(backbone, options, image_size, imagenet=False)
        return cls(build_backbone(backbone, options), image_size, info, info.precision, mirror=True, grid=grid)

    def features(self, faces: np.ndarray, batch: int = 256) -> np.ndarray:
        """Return the backbone's output for faces (N, S, S, 3) uint8, shape (N, feature_dim) float32.

        A face's row does not depend on the faces beside it, also of a network that is being trained meanwhile.
        """
        return self._seen(faces, self.backbone, batch)

    def _seen(self, faces: np.ndarray, through: Callable[[Tensor], Tensor], batch: int = 256) -> np.ndarray:
        """Return what comes out for faces (N, S, S, 3) uint8, shape (N, D) float32; NonFiniteError if no numbers."""
        found = []
        none = np.zeros((1, 8, 8, 3), np.uint8)  # says how wide the rows are where there is no face
        with self.held(), torch.inference_mode(), autocast(self.device, self.precision):
            for start in range(0, max(1, len(faces)), batch):
                part = np.ascontiguousarray(faces[start : start + batch]) if len(faces) else none
                inputs = views.to_input(views.plain(part, self.image_size)).to(self.device.kind)
                outputs = through(inputs.contiguous(memory_format=torch.channels_last))
                found.append(outputs.float().cpu().numpy())
                if not np.abs(found[-1]).max() < _ENDLESS:  # also where one of them is nan
                    raise NonFiniteError("What the network says of a face is no number; train it with a lower rate.")
        return np.concatenate(found)[: len(faces)]

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Have the network to oneself and behaving as in use, for those who hook into it."""
        with self._lock, _judging(self.backbone):
            yield

    def described(self, inputs: Tensor) -> Tensor:
        """Return one side's descriptors of inputs (N, 3, image_size, image_size); held by the caller."""
        found: Tensor = self._laid_out(inputs) if self.grid and self.maps else self.backbone(inputs)
        return found

    def _laid_out(self, inputs: Tensor) -> Tensor:
        """Return the backbone's maps (N, D), each averaged at ``grid`` x ``grid`` places and of length 1.

        The average over the whole picture, which a network is trained with, forgets where a thing was seen. Faces
        are aligned, so the place says as much as the thing. Of two maps the earlier is finer and less of the pretext.
        """
        maps: list[Tensor] = []
        hooks = [module.register_forward_hook(lambda _module, _inputs, out: maps.append(out)) for module in self.maps]
        try:
            self.backbone(inputs)
        finally:
            for hook in hooks:
                hook.remove()
        averaged = [functional.adaptive_avg_pool2d(found.float(), self.grid).flatten(1) for found in maps]
        return torch.cat([functional.normalize(one) for one in averaged], dim=1)

    @property
    def maps(self) -> tuple[nn.Module, ...]:
        """Return the modules whose outputs an embedding with a ``grid`` is made of, the earlier first."""
        maps: tuple[nn.Module, ...] = getattr(self.backbone, "maps", ())
        return maps

    def descriptors(self, faces: np.ndarray) -> np.ndarray:
        """Return what embeddings are made of, shape (N, D) float32: the maps' layout, or with no ``grid`` the features.

        With ``mirror`` that is the mean of a face's features and its mirror image's, as verification on LFW is
        usually done (Wang et al. 2018, CosFace, section 4.1, https://arxiv.org/abs/1801.09414): to which side a head
        looks, and from which side the light comes, says nothing about who it is.
        """
        found = self._seen(faces, self.described)
        return (found + self._seen(faces[:, :, ::-1], self.described)) / 2 if self.mirror else found

    def embed(self, faces: np.ndarray, progress: Callable[[int], None] | None = None) -> np.ndarray:
        """Return unit rows, shape (N, E) float32: the descriptors, whitened where the model brings a whitening.

        ``progress`` hears how many are done.
        """
        blocks = []
        for start in range(0, len(faces), _BLOCK):
            part = np.asarray(faces[start : start + _BLOCK])
            blocks.append(self.rows(self.descriptors(part)))
            if progress is not None:
                progress(start + len(part))
        return np.concatenate(blocks) if blocks else self.rows(self.descriptors(faces))

    def weights(self) -> dict[str, Tensor]:
        """Return everything ``from_run`` needs, named as it reads it."""
        found = {f"backbone.{name}": tensor for name, tensor in self.backbone.state_dict().items()}
        if self.classifier is not None:
            found |= {f"classifier.{name}": tensor for name, tensor in self.classifier.state_dict().items()}
        if self.whitening is not None:
            found["whitening.mean"] = torch.from_numpy(self.whitening.mean)
            found["whitening.matrix"] = torch.from_numpy(self.whitening.matrix)
        return found

    def rows(self, descriptors: np.ndarray) -> np.ndarray:
        """Return the embeddings of faces whose descriptors are known."""
        return unit_rows(descriptors if self.whitening is None else self.whitening(descriptors))

    def classified(self, faces: np.ndarray) -> np.ndarray:
        """Return what the classifier reads of faces (N, S, S, 3) uint8, shape (N, D) float32.

        A linear probe reads embeddings, stretched so that each of their E numbers is about 1 large.
        """
        return stretched(self.embed(faces)) if self.linear_probe else self.features(faces)

    def classify(self, features: np.ndarray) -> np.ndarray:
        """Return the classifier's outputs for what ``classified`` gave, shape (N, people) float32.

        Raises:
            ModelError: The model was pre-trained only and knows no names.
        """
        if self.classifier is None:
            raise ModelError("This model was never fine-tuned, so it has no classifier; fine-tune it first.")
        with torch.inference_mode():
            logits: Tensor = self.classifier(torch.from_numpy(features).to(self.device.kind))
        return logits.float().cpu().numpy()

    def logits(self, faces: np.ndarray) -> np.ndarray:
        """Return the classifier's outputs for faces (N, S, S, 3) uint8; see ``classify``."""
        return self.classify(self.classified(faces))

    def opinions(self, faces: np.ndarray, top: int = 3) -> list[list[tuple[str, float]]]:
        """Return for each face the classifier's ``top`` (person, softmax share); empty without a classifier."""
        if self.classifier is None or not len(faces):
            return [[] for _ in faces]
        shares = torch.from_numpy(self.logits(faces)).softmax(dim=1)
        best = shares.topk(min(top, len(self.people)), dim=1)
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return [[(self.people[label], share) for label, share in zip(*pair, strict=True)] for pair in pairs]


def _below(prefix: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(f"{prefix}."): v for k, v in weights.items() if k.startswith(f"{prefix}.")}
