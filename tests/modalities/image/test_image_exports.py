from agentad.modalities import image


def test_exports_are_sorted_and_there() -> None:
    assert list(image.__all__) == sorted(image.__all__, key=lambda name: (name.islower(), name))
    assert all(hasattr(image, name) for name in image.__all__)
