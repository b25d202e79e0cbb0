"""Grouping and layering of the dependency graph."""

from __future__ import annotations

import random

from PySide6.QtCore import QPointF

from ui.graph.canvas import GraphCanvas, draw_up
from ui.graph.layout import MAX_CARDS, build_graph


def test_render_tasks_of_one_kind_share_a_card_between_what_comes_before_and_after() -> None:
    count = 10_000
    names = ["prepare", *(f"render-{at}-{at + 9}" for at in range(count)), "video"]
    types = ["misc", *["blender"] * count, "ffmpeg"]
    waits = [[], *([0] for _ in range(count)), list(range(1, count + 1))]
    graph = build_graph(names, types, waits)
    assert [(card.name, len(card.tasks), card.layer) for card in graph.cards] == [
        ("prepare", 1, 0),
        ("render-#-#", count, 1),
        ("video", 1, 2),
    ]
    assert graph.edges == {(0, 1): count, (1, 2): count}


def test_a_small_job_is_drawn_task_by_task() -> None:
    graph = build_graph(["a-1", "a-2", "b"], ["x", "x", "y"], [[], [], [0, 1]])
    assert not graph.grouped
    assert [card.layer for card in graph.cards] == [0, 0, 1]


def test_like_names_with_other_neighbours_stay_apart() -> None:
    names = [*(f"render-{at}" for at in range(20)), "check"]
    waits: list[list[int]] = [[] for _ in range(20)] + [[3]]
    graph = build_graph(names, ["x"] * 21, waits, group=True)
    assert sorted(len(card.tasks) for card in graph.cards) == [1, 1, 19]


def test_a_chain_of_like_tasks_is_marked_as_one_after_the_other() -> None:
    graph = build_graph([f"step-{at}" for at in range(100)], ["x"] * 100, [[], *([at] for at in range(99))])
    assert [(len(card.tasks), card.chained) for card in graph.cards] == [(1, False), (98, True), (1, False)]


def test_a_cycle_is_laid_out_instead_of_looping() -> None:
    graph = build_graph(["a", "b", "c"], ["x"] * 3, [[2], [0], [1]])
    assert sorted(card.layer for card in graph.cards) == [0, 1, 2]
    assert len(graph.edges) == 3


def test_layers_follow_the_longest_path() -> None:
    graph = build_graph(["a", "b", "c", "d"], ["x"] * 4, [[], [0], [1], [0, 2]])
    assert [card.layer for card in graph.cards] == [0, 1, 2, 3]


def test_ten_thousand_tasks_without_anything_in_common_still_fit_a_screen() -> None:
    dice = random.Random(7)
    names = ["".join(dice.choices("abcdefghijklmnop", k=9)) for _ in range(10_000)]
    waits = [[], *([dice.randrange(at + 1)] for at in range(9_999))]
    graph = build_graph(names, ["x"] * 10_000, waits)
    assert len(graph.cards) <= MAX_CARDS
    assert sum(len(card.tasks) for card in graph.cards) == 10_000


def test_rows_in_a_layer_follow_their_neighbours_to_keep_arrows_from_crossing() -> None:
    # Two pairs, given crossed: a1 -> b2, a2 -> b1.
    graph = build_graph(["a1", "a2", "b1", "b2"], ["x"] * 4, [[], [], [1], [0]])
    rows = {card.name: card.row for card in graph.cards}
    assert (rows["a1"] < rows["a2"]) == (rows["b2"] < rows["b1"])


def test_dependencies_on_tasks_that_are_not_there_are_left_out() -> None:
    assert build_graph(["a"], ["x"], [[5, -1]]).edges == {}
    assert build_graph([], [], []).layers == []


def test_a_long_job_stands_upright_in_a_narrow_window_and_lies_in_a_wide_one(qtbot, dark: None) -> None:
    names = [f"{letter}-task" for letter in "abcdefgh"]
    graph = build_graph(names, ["x"] * 8, [[], *([at] for at in range(7))])
    canvas = GraphCanvas()
    qtbot.addWidget(canvas)
    shapes = []
    for size in ((400, 700), (1600, 300)):
        canvas.resize(*size)
        canvas.show_graph(draw_up(graph), names, ["x"] * 8)
        shapes.append(canvas._bounds.width() > canvas._bounds.height())
    assert shapes == [False, True]


def test_zooming_keeps_the_point_under_the_pointer(qtbot, dark: None) -> None:
    canvas = GraphCanvas()
    qtbot.addWidget(canvas)
    canvas.resize(600, 400)
    canvas.show_graph(draw_up(build_graph(["a", "b"], ["x", "x"], [[], [0]])), ["a", "b"], ["x", "x"])
    at = QPointF(211, 97)
    before = canvas._to_scene(at)
    canvas.zoom(1.7, at)
    after = canvas._to_scene(at)
    assert (round(before.x(), 6), round(before.y(), 6)) == (round(after.x(), 6), round(after.y(), 6))
