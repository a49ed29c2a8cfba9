"""Images: recognised, profiled, read, and drawn upon."""

from agentad.modalities.image.data import ImageData, open_images, recognise
from agentad.modalities.image.draw import contact_sheet, heatmap, jpeg_bytes, outline, png_bytes, thumbnail
from agentad.modalities.image.maps import Region, map_from_bytes, map_to_bytes, regions, upsample

__all__ = [
    "ImageData",
    "Region",
    "contact_sheet",
    "heatmap",
    "jpeg_bytes",
    "map_from_bytes",
    "map_to_bytes",
    "open_images",
    "outline",
    "png_bytes",
    "recognise",
    "regions",
    "thumbnail",
    "upsample",
]
