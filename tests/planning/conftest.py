from collections.abc import Callable
from typing import Any

import pytest

from agentad.flow import Column, DataProfile, Request, TableFacts, ToolCard
from agentad.tools.cards import load_cards


@pytest.fixture(scope="session")
def cards() -> dict[str, ToolCard]:
    return load_cards()


@pytest.fixture
def asked() -> Callable[..., Request]:
    """A request, by its words and options."""

    def make(text: str = "find what is odd", **options: Any) -> Request:
        return Request(text=text, data="/data/set", **options)

    return make


@pytest.fixture
def table() -> Callable[..., DataProfile]:
    """A table's profile, by what is known of its rows and by its columns."""

    def make(
        normal: int = 0,
        anomalous: int = 0,
        unlabelled: int = 0,
        columns: tuple[Column, ...] = (),
        root: str = "/data/set.csv",
    ) -> DataProfile:
        rows = normal + anomalous + unlabelled
        facts = TableFacts(rows=rows, columns=columns)
        return _profile("table", root, "csv", normal, anomalous, unlabelled, table=facts)

    return make


@pytest.fixture
def images() -> Callable[..., DataProfile]:
    """A folder of images, by what is known of them."""

    def make(normal: int = 0, anomalous: int = 0, unlabelled: int = 0) -> DataProfile:
        return _profile("image", "/data/parts", "plain", normal, anomalous, unlabelled)

    return make


def _profile(
    modality: str, root: str, layout: str, normal: int, anomalous: int, unlabelled: int, **facts: Any
) -> DataProfile:
    items = normal + anomalous + unlabelled
    return DataProfile(
        modality=modality,
        root=root,
        layout=layout,
        fingerprint="0" * 64,
        items=items,
        normal=normal,
        anomalous=anomalous,
        unlabelled=unlabelled,
        groups=items,
        **facts,
    )
