"""Reading back whichever encoder was saved."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from agentad.backbones import settings
from agentad.backbones.encoder import PatchEncoder
from agentad.errors import DetectorRefused

_CLASSES = {
    "patch-filters": "agentad.backbones.filters:PatchFilters",
    "efficientnet-lite0": "agentad.backbones.lite:LitePatches",
    "dinov2-lite": "agentad.backbones.pair:PairPatches",
    "dinov2-small": "agentad.backbones.dino:DinoPatches",
    "dinov2-base": "agentad.backbones.dino:DinoBasePatches",
    "dinov2-large": "agentad.backbones.dino:DinoLargePatches",
    "dinov3-small": "agentad.backbones.dino:Dino3Patches",
    "dinov3-base": "agentad.backbones.dino:Dino3BasePatches",
    "siglip2-base": "agentad.backbones.dino:SiglipPatches",
}


def load_encoder(folder: Path) -> PatchEncoder:
    """The encoder that some `PatchEncoder.save` wrote into `folder`.

    Raises:
        DetectorRefused: the folder holds no encoder this version knows.
        WeightsMissing: its weights are incomplete or damaged.
    """
    name = settings.read(folder, {"name": str})["name"]
    if name not in _CLASSES:
        raise DetectorRefused(
            f"{folder / settings.FILE}: encoder {name!r} is not known to this version; update agentad"
        )
    module, _, kind = _CLASSES[name].partition(":")
    return cast("PatchEncoder", getattr(import_module(module), kind).load(folder))
