from agentad.modalities import table


def test_exports_are_sorted_and_exist() -> None:
    assert table.__all__ == sorted(table.__all__)
    assert all(hasattr(table, name) for name in table.__all__)
