"""What the room offers."""

import agentad.report


def test_exports_are_sorted_and_exist() -> None:
    assert agentad.report.__all__ == sorted(agentad.report.__all__)
    assert all(hasattr(agentad.report, name) for name in agentad.report.__all__)
