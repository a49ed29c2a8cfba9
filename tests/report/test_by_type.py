from agentad import flow
from agentad.report.by_type import Value, type_table


def test_the_hardest_type_comes_first_and_the_mean_last(new_table_run):
    report, items, shown = new_table_run()
    table = type_table(report, items, shown.labels, shown.kinds)
    assert (table.methods, table.metrics) == (("empirical-denoiser", "knn1"), ("AUROC", "AP"))
    assert [row.name for row in table.rows] == ["shift", "spike", ""]
    shift, spike, mean = table.rows
    assert (shift.n, spike.n, mean.n) == (12, 12, 24)
    assert mean.found == shift.found + spike.found == sum(i.flag for i in items if shown.labels[i.id] == 1)
    assert shift.values == (
        (Value(0.871, None, True), Value(0.514, None, False)),
        (Value(0.842, None, False), Value(0.533, None, True)),
    )
    assert mean.values[0] == (Value(0.926, (0.895, 0.947), True), Value(0.588, None, True))


def test_images_show_pixels_too_and_one_type_needs_no_mean(images):
    report, items, shown = images
    table = type_table(report, items, shown.labels, shown.kinds)
    assert table.metrics == ("AUROC", "pixel AP", "AUPRO")
    (row,) = table.rows
    assert row.values == (
        (Value(0.931, None, True), Value(0.497, None, True), Value(0.823, None, True)),
        (Value(0.901, None, False), Value(None, None, False), Value(None, None, False)),
    )


def test_without_types_there_is_no_table(new_report):
    assert type_table(new_report([], metrics={"a": flow.Metrics(auroc=0.9)}), [], {}, {}) is None
    assert type_table(new_report([], metrics=None), [], {}, {}) is None
