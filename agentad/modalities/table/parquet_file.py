"""Parquet, read batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from agentad.errors import UnreadableData
from agentad.modalities.shown import shown
from agentad.modalities.table.dialect import unique_names
from agentad.modalities.table.files import reading
from agentad.modalities.table.source import FRAME_ROWS, MAX_ROWS, Losses, check_width, repeated_note
from agentad.modalities.table.values import clean

BUFFER = 1 << 16
"""Bytes read ahead in each column."""


class ParquetFile:
    """A Parquet file (`source.Source`). Columns of lists, structs, maps and bytes are left out."""

    delimiter: str | None = None
    encoding: str | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        with reading(path), path.open("rb") as stream:
            parquet = pq.ParquetFile(stream)
            schema, rows = parquet.schema_arrow, parquet.metadata.num_rows
        check_width(path, len(schema.names))
        if not 0 < rows <= MAX_ROWS:
            raise UnreadableData(
                f"{shown(path)} says it holds {rows:,} rows; between 1 and {MAX_ROWS:,} can be read. "
                "Export it again, or in parts."
            )
        self._columns = [position for position, field in enumerate(schema) if _flat(field.type)]
        every = unique_names(schema.names)
        self.names = tuple(every[position] for position in self._columns)
        left_out = [shown(name, 40) for position, name in enumerate(every) if position not in set(self._columns)]
        nested = (f"Left out, not a column of single values: {', '.join(left_out[:10])}.",) if left_out else ()
        self.notes = nested + repeated_note(schema.names)

    def frames(self, losses: Losses | None = None) -> Iterator[pl.DataFrame]:
        """Frames of typed columns; see `source.Source`."""
        with reading(self.path), self.path.open("rb") as stream:
            # Read in this thread: a reader thread that calls back into Python can abort the interpreter on its way out.
            # Without a buffer size each column is loaded whole, and a file may be a single group of rows.
            parquet = pq.ParquetFile(stream, pre_buffer=False, buffer_size=BUFFER)
            for batch in parquet.iter_batches(FRAME_ROWS, use_threads=False):
                yield pl.DataFrame(
                    [
                        clean(pl.Series(name, batch.column(position)))
                        for name, position in zip(self.names, self._columns, strict=True)
                    ]
                )


def _flat(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _flat(kind.value_type)
    return not (
        pa.types.is_nested(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_interval(kind)
    )
