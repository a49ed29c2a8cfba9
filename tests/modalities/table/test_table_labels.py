from pathlib import Path

import pytest

from agentad.modalities.table import TableData, open_table


def labelled(path: Path, name: str, labels: list[str]) -> TableData:
    file = path / "t.csv"
    file.write_text(f"v,{name}\n" + "".join(f"{k * 1.5},{label}\n" for k, label in enumerate(labels)))
    return open_table(file)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("label", ["0", "1", "0", "0"], [0, 1, 0, 0]),
        ("Is_Anomaly", ["false", "True", "FALSE", "false"], [0, 1, 0, 0]),
        ("y", ["0.0", "1.0", "0.0", "0.0"], [0, 1, 0, 0]),
        ("class", ["normal", "anomaly", "Normal", "normal"], [0, 1, 0, 0]),
        ("attack", ["yes", "no", "no", "yes"], [1, 0, 0, 1]),
        ("Normal/Attack", ["Normal", "Attack", "Normal", "Normal"], [0, 1, 0, 0]),
        ("outlier", ["1", "-1", "1", "1"], [0, 1, 0, 0]),
        ("target", ["-1", "1", "-1", "-1"], [0, 1, 0, 0]),
        ("fraud", ["0", "", "1", "NA"], [0, -1, 1, -1]),
        ("label", ["0", "0", "0", "0"], [0, 0, 0, 0]),
        ("anomaly", ["1", "1", "1", "0"], [1, 1, 1, 0]),
    ],
)
def test_labels(tmp_path: Path, name: str, values: list[str], expected: list[int]) -> None:
    data = labelled(tmp_path, name, values)
    assert data.items.label.tolist() == expected
    assert data.profile.table is not None and data.profile.table.label_column == name
    assert (data.profile.normal, data.profile.anomalous, data.profile.unlabelled) == tuple(
        expected.count(value) for value in (0, 1, -1)
    )


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("class", ["a", "b", "a", "b"]),
        ("class", ["1", "2", "3", "1"]),
        ("attack", ["normal", "smurf", "neptune", "normal"]),
        ("label", ["0", "false", "1", "0"]),
    ],
)
def test_a_telling_name_alone_is_no_label(tmp_path: Path, name: str, values: list[str]) -> None:
    data = labelled(tmp_path, name, values)
    assert data.items.label.tolist() == [-1] * 4
    assert data.profile.notes[0] == (
        f"{name} is named like a label but does not hold two values that mean normal and anomalous; "
        "it is used as an ordinary column. Take it out if it is the answer."
    )


def test_binary_content_alone_is_no_label(tmp_path: Path) -> None:
    assert labelled(tmp_path, "valve_open", ["0", "1", "0", "0"]).profile.unlabelled == 4


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (["0", "0", "0", "1"], "Assumed: label is the label, and 1 means anomalous (25.00% of the rows)."),
        (["0", "0", "0", "0"], "Assumed: label is the label, and its only value 0 means normal."),
        (
            ["1", "1", "0", "1"],
            "Assumed: label is the label, and 1 means anomalous (75.00% of the rows). "
            "That is more than half: rename the column if it means something else.",
        ),
    ],
)
def test_the_assumption_is_said(tmp_path: Path, values: list[str], note: str) -> None:
    assert labelled(tmp_path, "label", values).profile.notes == (note,)


def test_a_second_label_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("v,y,is_fraud\n1.5,0,0\n2.5,1,1\n3.5,0,0\n")
    data = open_table(file)
    assert data.profile.table is not None and data.profile.table.label_column == "is_fraud"
    assert [column.kind for column in data.profile.table.columns] == ["numeric", "label", "label"]
    assert data.profile.notes[1] == "Assumed: y is a second label column; left out."
