"""Per modality: recognise, read lazily, profile, encode, draw; and how items are split."""
