"""Reading back whichever encoder was saved."""

from __future__ import annotations

from pathlib import Path

from agentad.backbones import settings
from agentad.backbones.encoder import PatchEncoder
from agentad.backbones.filters import PatchFilters
from agentad.errors import DetectorRefused


def load_encoder(folder: Path) -> PatchEncoder:
    """The encoder that some `PatchEncoder.save` wrote into `folder`.

    Raises:
        DetectorRefused: the folder holds no encoder this version knows.
        WeightsMissing: its weights are incomplete or damaged.
    """
    name = settings.read(folder, {"name": str})["name"]
    if name == PatchFilters.name:
        return PatchFilters.load(folder)
    if name == "dinov2-small":
        from agentad.backbones.dino import DinoPatches  # brings in transformers, seconds of CPU

        return DinoPatches.load(folder)
    raise DetectorRefused(f"{folder / settings.FILE}: encoder {name!r} is not known to this version; update agentad")
