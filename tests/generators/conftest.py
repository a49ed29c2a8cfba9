import numpy as np
import polars as pl
import pytest

from agentad.modalities.table import TableEncoder, open_table
from agentad.modalities.table.rows import Rows


@pytest.fixture(scope="session")
def payments(tmp_path_factory):
    """300 normal payments, 8 odd ones (large, at night, by phone), an encoder, and the table they stand in."""
    rng = np.random.default_rng(0)
    n, odd = 308, np.arange(308) >= 300
    hour = np.where(odd, rng.integers(0, 5, n), rng.integers(8, 19, n))
    quantity = rng.integers(1, 6, n)
    price = np.round(np.where(odd, rng.uniform(60, 90, n), rng.uniform(5, 30, n)), 2)
    frame = pl.DataFrame(
        {
            "payment_id": [f"p-{k:05}" for k in rng.permutation(n)],
            "price": price,
            "quantity": quantity,
            "total": np.round(price * quantity, 2),
            "rate": rng.normal(0, 0.1, n),
            "channel": np.where(odd, "phone", rng.choice(["web", "shop"], n)),
            "trusted": np.where(rng.uniform(size=n) < 0.7, "yes", "no"),
            "note": [None if k % 4 == 0 else round(float(v), 1) for k, v in enumerate(rng.normal(3, 1, n))],
            "paid": [f"2024-{1 + k % 12:02}-{1 + k % 28:02} {h:02}:{k % 60:02}" for k, h in enumerate(hour)],
            "currency": ["EUR"] * n,
            "label": odd.astype(int),
        }
    )
    path = tmp_path_factory.mktemp("payments") / "payments.csv"
    frame.write_csv(path)
    data = open_table(path)
    rows = Rows(pl.concat(data.chunks()), tuple(map(str, range(n))))
    normal, anomalous = rows.take(np.flatnonzero(~odd)), rows.take(np.flatnonzero(odd))
    return normal, anomalous, TableEncoder().fit(normal.frame, data.profile), data
