"""A sheet, an expression or a form becomes rows; each row says what would happen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.batch import (
    Existing,
    ShotRow,
    TableError,
    TaskTemplate,
    decoded,
    format_table,
    judge,
    parse_table,
    parse_tasks,
    rows_from_expression,
)
from app.rules.shots import ExpressionError

ANIMATION = TaskTemplate("Animation", 8)


def test_the_studios_example_makes_two_shots_with_the_sequence_before_them() -> None:
    rows = rows_from_expression("001", "####", "10-20:10", [ANIMATION])
    assert [row.shot for row in rows] == ["001_0010", "001_0020"]
    assert rows[0].tasks[0].bid_seconds == 28800
    assert [row.shot for row in rows_from_expression("001", "sh##b", "1-2", [], prefix=False)] == ["sh01b", "sh02b"]


def test_a_wrong_expression_names_the_character() -> None:
    with pytest.raises(ExpressionError) as wrong:
        rows_from_expression("001", "sh*##", "1", [])
    assert wrong.value.position == 2


def test_a_sheet_from_a_spreadsheet_is_read_by_its_headings() -> None:
    text = (
        'Shot\tSequence\tIn\tOut\tTasks\tNotes\nBC_0010\tBC\t1001\t1048\tAnimation 2d; Lighting:4,5\t"two\nlines"\n\n'
    )
    (row,) = parse_table(text)
    assert row == ShotRow(
        "BC", "BC_0010", 1001, 1048, (TaskTemplate("Animation", 16), TaskTemplate("Lighting", 4.5)), "two\nlines"
    )


def test_a_csv_with_semicolons_and_no_headings_is_read_by_position() -> None:
    rows = parse_table("0010;S1;1;24\n0020", sequence="S9", tasks=[ANIMATION])
    assert rows == [ShotRow("S1", "0010", 1, 24, (ANIMATION,)), ShotRow("S9", "0020", tasks=(ANIMATION,))]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("shot,in\nA,1\nB,x1", 3, "frame in"),
        ("shot,in,out\nA,10,9", 2, "frame out"),
        ("shot,sequence\n,S1", 2, "shot"),
        ("shot,tasks\nA,8h", 2, "tasks"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named(text: str, line: int, column: str) -> None:
    with pytest.raises(TableError) as wrong:
        parse_table(text)
    assert (wrong.value.line, wrong.value.column) == (line, column)


@given(
    st.lists(
        st.builds(
            ShotRow,
            st.text("abcXYZ0123_", min_size=1, max_size=8),
            st.text('ab 9_",;é', min_size=1, max_size=8).filter(lambda s: s.strip() == s and s.lower() != "shot"),
            st.none() | st.integers(-10, 5000),
            st.none() | st.just(6000),
            st.just((ANIMATION,)),
            st.text('ab,;"\n', max_size=10).map(str.strip),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_exported_is_imported_unchanged(rows: list[ShotRow]) -> None:
    assert parse_table(format_table(rows)) == rows
    assert parse_table(format_table(rows, "\t")) == rows


def test_each_row_says_new_exists_adds_or_conflict() -> None:
    existing = Existing(
        sequences=frozenset({"001"}),
        shots={"001": frozenset({"001_0010", "001_0020"})},
        tasks={("001", "001_0010"): frozenset({"animation"})},
        others=frozenset({("001", "001_0040")}),
    )
    tasks = (ANIMATION,)
    rows = [ShotRow("001", f"001_00{n}0", tasks=tasks) for n in (1, 2, 3, 4)]
    rows += [ShotRow("001", "001_0030", tasks=tasks), ShotRow("001", "a/b", tasks=tasks)]
    rows += [ShotRow("001", "x", tasks=(TaskTemplate("Hair"),))]
    judged = judge(rows, existing, ["Animation"])
    assert [one.state for one in judged] == ["exists", "adds", "new", "conflict", "conflict", "conflict", "conflict"]
    assert "given twice" in judged[4].words
    assert "separates folders" in judged[5].words
    assert "no task type 'Hair'" in judged[6].words


def test_names_are_compared_without_case() -> None:
    existing = Existing(shots={"SEQ": frozenset({"Seq_0010"})}, tasks={("SEQ", "Seq_0010"): frozenset({"Animation"})})
    assert judge([ShotRow("seq", "SEQ_0010", tasks=(ANIMATION,))], existing)[0].state == "exists"


def test_tasks_of_a_cell_are_read_with_their_bids() -> None:
    assert parse_tasks("Animation, Lighting 1.5h | Compositing 0,5d") == (
        TaskTemplate("Animation"),
        TaskTemplate("Lighting", 1.5),
        TaskTemplate("Compositing", 4),
    )


@pytest.mark.parametrize(
    "text",
    [
        "Shot\tSequence\tFrame In\r\nA_10\tA\t1001\r\n",
        "\ufeffShot,Sequence,In\nA_10,A,1001\n",
        "Shot\tSequence\tIn\t\t\t\nA_10\tA\t1001\t\t\t\n\t\t\t\t\t\n",
        "\r\n\t\t\r\nShot\tSequence\tIn\r\nA_10\tA\t1001\r\n",
        "\tIn\tShot\tColour\tSeq\n\t1001\tA_10\tred\tA\n",
        '"Shot";"Sequence";"In"\n"A_10";"A";"1001"',
        "SHOT CODE\u00a0\tsequence\tFrame_In\nA_10\u00a0\tA\t1001.0\n",
        "Shot\tSequence\tIn\tFrame In\nA_10\tA\t1001\t\n",
    ],
    ids=[
        "Excel",
        "BOM",
        "empty columns",
        "empty lines first",
        "any order",
        "quotes",
        "headings as people write",
        "twice",
    ],
)
def test_a_sheet_says_the_same_whatever_wrote_it(text: str) -> None:
    assert parse_table(text) == [ShotRow("A", "A_10", 1001)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_sheets_file_is_read_in_the_encodings_of_spreadsheets(encoding: str) -> None:
    text = "Shot\tNotes\nA_10\tété\n"
    assert parse_table(decoded(text.encode(encoding))) == [ShotRow("", "A_10", description="été")]


def test_what_is_exported_comes_back_the_same_with_types_that_end_in_a_number() -> None:
    tasks = (TaskTemplate("test 1"), TaskTemplate("Matte Painting", 0.5), TaskTemplate("Layout 2", 16))
    rows = [ShotRow("A", "A_10", 1001, 1100, tasks, 'x, "y"\nand; more\t=1+1'), ShotRow("B", "B 2")]
    for delimiter in ",\t;":
        assert parse_table(format_table(rows, delimiter)) == rows


def test_a_slip_of_the_keyboard_does_not_make_a_thousand_million_shots() -> None:
    with pytest.raises(ExpressionError, match="1,000,000,000 shots"):
        rows_from_expression("001", "####", "10,1-999999999", ())
