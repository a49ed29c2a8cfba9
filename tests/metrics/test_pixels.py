import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from agentad.errors import AgentadError
from agentad.metrics import aupro, bootstrap, count_pixels, evaluate, pixel_ap, pixel_auroc, tally
from agentad.metrics import intervals as module
from agentad.metrics import pixels as counting

SHAPE = (16, 20)


def example(seed: int = 0, normal: int = 8, anomalous: int = 12) -> tuple[list, list, list, np.ndarray]:
    """Maps, masks, types and labels: scratches are seen better than dents; one image counts for its group."""
    rng = np.random.default_rng(seed)
    maps, masks, kinds = [], [], []
    for i in range(normal + anomalous):
        mask, kind = np.zeros(SHAPE, bool), ""
        if i >= normal:
            kind = "scratch" if i % 2 else "dent"
            y, x = rng.integers(0, 10, 2)
            mask[y : y + rng.integers(2, 6), x : x + rng.integers(2, 6)] = True
        maps.append((rng.normal(size=SHAPE) + (2.0 if kind == "scratch" else 0.7) * mask).astype(np.float32))
        masks.append(mask)
        kinds.append(kind)
    return maps, masks, kinds, np.repeat([0, 1], [normal, anomalous])


def counted(maps, masks, kinds, labels):
    told = [kind if label else None for kind, label in zip(kinds, labels, strict=True)]
    return tally(len(maps), maps.__getitem__, masks.__getitem__, told)


def test_each_type_is_counted_with_all_normal_images():
    maps, masks, kinds, labels = example()
    found = counted(maps, masks, kinds, labels)
    assert sorted(found.by_type) == ["dent", "scratch"]
    for name, counts in found.by_type.items():
        own = [i for i, kind in enumerate(kinds) if kind in ("", name)]
        scores, truth = (np.concatenate([part[i].ravel() for i in own]) for part in (maps, masks))
        assert pixel_auroc(counts) == pytest.approx(roc_auc_score(truth, scores), abs=1e-9)
        assert pixel_ap(counts) == pytest.approx(average_precision_score(truth, scores), abs=1e-9)
        alone = count_pixels(len(own), lambda k, own=own: maps[own[k]], lambda k, own=own: masks[own[k]])
        assert aupro(counts) == pytest.approx(aupro(alone), abs=1e-9)


def test_macro_is_the_mean_over_types_and_not_over_images():
    maps, masks, kinds, labels = example(anomalous=9)
    item = np.array([m.max() for m in maps])
    found = evaluate(item, labels, kinds=kinds, map_at=maps.__getitem__, mask_at=masks.__getitem__, aupro_limit=0.1)
    assert set(found.macro) == {"auroc", "ap", "f1max", "pixel_auroc", "pixel_ap", "aupro"}
    for name, value in found.macro.items():
        assert value == pytest.approx((found.by_type["dent"][name] + found.by_type["scratch"][name]) / 2)
    assert found.aupro_limit == 0.1
    assert found.aupro < evaluate(item, labels, map_at=maps.__getitem__, mask_at=masks.__getitem__).aupro


@pytest.mark.parametrize("name", ["", "scratch"])
def test_coarse_counts_are_close_to_the_fine_ones(name):
    maps, masks, kinds, labels = example()
    found = counted(maps, masks, kinds, labels)
    fine, coarse = (found.by_type[name] if name else found.whole), found.coarse(name)
    assert len(coarse.normal) <= counting.COARSE + 1 < len(fine.normal)
    assert (coarse.normal.sum(), coarse.anomalous.sum()) == (fine.normal.sum(), fine.anomalous.sum())
    assert coarse.regions == fine.regions
    for metric in (pixel_auroc, pixel_ap, aupro):
        assert metric(coarse) == pytest.approx(metric(fine), abs=5e-3)


def test_pixel_intervals_are_those_of_drawing_whole_images(monkeypatch):
    """Against the definition: every draw's images joined, and counted exactly."""
    monkeypatch.setattr(module, "DRAWS", 40)
    monkeypatch.setattr(module, "FEWEST_DRAWS", 40)
    maps, masks, kinds, labels = example()
    groups = np.arange(len(maps)) // 2  # in pairs
    found = bootstrap(
        np.array([m.max() for m in maps]),
        labels,
        groups,
        seed=3,
        kinds=kinds,
        pixels=counted(maps, masks, kinds, labels),
    )
    (weights,) = module._draws(groups, np.random.default_rng(3))
    assert np.array_equal(weights[:, ::2], weights[:, 1::2])
    for name, own in {"": found.whole, "dent": found.by_type["dent"]}.items():
        chosen = np.array([not name or kind in ("", name) for kind in kinds])
        draws = [np.repeat(np.flatnonzero(chosen), w[chosen].astype(int)) for w in weights]
        exact = [count_pixels(len(d), lambda k, d=d: maps[d[k]], lambda k, d=d: masks[d[k]]) for d in draws if len(d)]
        for key, metric in (("pixel_auroc", pixel_auroc), ("pixel_ap", pixel_ap), ("aupro", aupro)):
            values = [v for c in exact if (v := metric(c)) is not None]
            assert own[key] == pytest.approx(tuple(np.quantile(values, module.LEVEL)), abs=3e-3)


def test_the_interval_of_a_perfect_map_holds_one():
    _, masks, kinds, labels = example()
    found = evaluate(
        labels.astype(float),
        labels,
        kinds=kinds,
        map_at=lambda i: masks[i].astype(np.float32),
        mask_at=masks.__getitem__,
    )
    for key in ("pixel_auroc", "pixel_ap", "aupro"):
        assert found.intervals[key] == found.macro_intervals[key] == pytest.approx((1, 1), abs=1e-6)


def test_an_anomalous_image_whose_mask_marks_nothing_is_left_out_and_counted():
    maps, masks, kinds, labels = example()
    item = np.array([m.max() for m in maps])
    told = evaluate(item[:-1], labels[:-1], kinds=kinds[:-1], map_at=maps.__getitem__, mask_at=masks.__getitem__)
    empty = [*masks[:-1], np.zeros(SHAPE, bool)]
    found = evaluate(item, labels, kinds=kinds, map_at=maps.__getitem__, mask_at=empty.__getitem__)
    assert (told.without_mask, found.without_mask) == (0, 1)
    assert (found.pixel_auroc, found.pixel_ap, found.aupro) == (told.pixel_auroc, told.pixel_ap, told.aupro)
    assert found.auroc != told.auroc  # its score still counts


def test_a_type_without_any_mask_has_no_pixel_metrics():
    maps, masks, kinds, labels = example()
    known = [None if kind == "dent" else mask for kind, mask in zip(kinds, masks, strict=True)]
    item = np.array([m.max() for m in maps])
    found = evaluate(item, labels, kinds=kinds, map_at=maps.__getitem__, mask_at=known.__getitem__)
    assert set(found.by_type["dent"]) == {"auroc", "ap", "f1max"}
    assert found.macro["pixel_ap"] == found.by_type["scratch"]["pixel_ap"]
    assert set(found.by_type_intervals["dent"]) == {"auroc", "ap", "f1max"}
    assert found.without_mask == kinds.count("dent")


def test_many_types_share_the_bins(monkeypatch):
    monkeypatch.setattr(counting, "MOST_BINS", 1 << 16)
    maps, masks, kinds, labels = example()
    few = counted(maps, masks, kinds, labels)
    many = counted(maps, masks, [f"{kind}{i}" if kind else "" for i, kind in enumerate(kinds)], labels)
    assert len(many.by_type) == 12
    assert len(many.whole.normal) < len(few.whole.normal)
    assert pixel_auroc(many.whole) == pytest.approx(pixel_auroc(few.whole), abs=1e-3)


@pytest.mark.parametrize("limit", [0.0, 1.5])
def test_a_limit_that_is_no_rate_is_refused(limit):
    with pytest.raises(AgentadError, match=f"aupro-limit {limit:g}: give a rate above 0, at most 1"):
        evaluate(np.arange(2.0), np.array([0, 1]), aupro_limit=limit)
