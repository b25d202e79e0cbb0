"""Where the tasks of a job stand in its dependency graph: grouping, layers, order within a layer. No Qt.

Like tasks are drawn as one card: ten thousand render tasks that wait for the same task and are waited for by the same
task look alike, so one card with a count says more than ten thousand boxes, and it stays smooth.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

_DIGITS = re.compile(r"\d+")

ALONE_UP_TO = 14
"""Jobs of at most so many tasks are drawn task by task."""
MAX_CARDS = 400
"""More cards than this are merged by type and layer, of a deep job by type and some layers."""
MAX_LAYERS = 60
"""Deeper jobs that are merged have some layers in one: a row of more cards is a line on any screen."""
ALONE_LIMIT = 1500
"""More tasks than this are always grouped."""


@dataclass(slots=True)
class Card:
    """One box of the graph: a task or a group of like tasks.

    Attributes:
        tasks: Places of the tasks in the job.
        name: The task's name, or the pattern of the group's names with `#` for digits.
        type: Task type.
        layer: Column, from 0: the longest chain of dependencies before it.
        row: Place in the column, from 0.
        chained: Whether tasks of the group depend on each other.
    """

    tasks: list[int]
    name: str
    type: str
    layer: int = 0
    row: int = 0
    chained: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Cards and the arrows between them, laid out.

    Attributes:
        cards: All cards, by layer and row.
        edges: Pairs of card numbers (what is waited for, what waits) with the number of dependencies they stand for.
        layers: Card numbers by column.
        card_of: Card number of every task.
        grouped: Whether like tasks share cards.
    """

    cards: list[Card]
    edges: dict[tuple[int, int], int]
    layers: list[list[int]] = field(default_factory=list)
    card_of: list[int] = field(default_factory=list)
    grouped: bool = False


def name_pattern(name: str) -> str:
    """`render-1-10` becomes `render-#-#`: the part of a name that like tasks share."""
    return _DIGITS.sub("#", name)


def name_patterns(names: Sequence[str], types: Sequence[str]) -> Counter[tuple[str, str]]:
    """How many tasks share each (type, name pattern)."""
    return Counter(zip(types, map(name_pattern, names), strict=True))


def build_graph(
    names: Sequence[str], types: Sequence[str], dependencies: Sequence[Sequence[int]], *, group: bool | None = None
) -> Graph:
    """Group, layer and order.

    Args:
        names: Task names in the job's order.
        types: Task types.
        dependencies: For each task the places of the tasks it waits for.
        group: Whether like tasks share a card; None decides by their number.

    Returns:
        The graph; with no tasks, one without cards.
    """
    count = len(names)
    grouped = count > ALONE_UP_TO if group is None else group
    valid = [[other for other in waits if 0 <= other < count] for waits in dependencies]
    keys: Sequence[Hashable] = _alike(names, types, valid) if grouped else range(count)
    if grouped and len(set(keys)) > MAX_CARDS:
        keys = _by_layer(types, _layers(count, valid))
    cards, card_of = _cards(names, types, keys)
    edges: Counter[tuple[int, int]] = Counter()
    for task, waits in enumerate(valid):
        here = card_of[task]
        for other in waits:
            if card_of[other] == here:
                cards[here].chained = len(cards[here].tasks) > 1
            else:
                edges[card_of[other], here] += 1
    before: list[list[int]] = [[] for _ in cards]
    for source, target in edges:
        before[target].append(source)
    for card, layer in zip(cards, _layers(len(cards), before), strict=True):
        card.layer = layer
    layers = _order(cards, edges)
    return Graph(cards, dict(edges), layers, card_of, grouped)


def _alike(
    names: Sequence[str], types: Sequence[str], dependencies: Sequence[Sequence[int]]
) -> list[tuple[object, ...]]:
    """A key per task, equal for tasks of one pattern that wait for, and are waited for by, the same kinds of task."""
    kinds: dict[tuple[str, str], int] = {}
    patterns: dict[str, str] = {}
    kind = []
    for name, task_type in zip(names, types, strict=True):
        pattern = patterns.get(name) or patterns.setdefault(name, name_pattern(name))
        kind.append(kinds.setdefault((task_type, pattern), len(kinds)))
    waited: list[set[int]] = [set() for _ in names]
    for task, waits in enumerate(dependencies):
        for other in waits:
            waited[other].add(kind[task])
    return [
        (kind[task], frozenset(kind[other] for other in dependencies[task]), frozenset(waited[task]))
        for task in range(len(names))
    ]


def _by_layer(types: Sequence[str], layers: Sequence[int]) -> list[tuple[object, ...]]:
    """A key per task: type and layer; of a deep job as many layers in a row share one as it takes."""
    together = 1
    while True:
        keys: list[tuple[object, ...]] = [(kind, layer // together) for kind, layer in zip(types, layers, strict=True)]
        if together > max(layers) or (max(layers) // together < MAX_LAYERS and len(set(keys)) <= MAX_CARDS):
            return keys
        together *= 2


def _cards(names: Sequence[str], types: Sequence[str], keys: Sequence[Hashable]) -> tuple[list[Card], list[int]]:
    numbers: dict[Hashable, int] = {}
    cards: list[Card] = []
    card_of: list[int] = []
    for task, key in enumerate(keys):
        number = numbers.setdefault(key, len(cards))
        if number == len(cards):
            cards.append(Card([], names[task], types[task]))
        cards[number].tasks.append(task)
        card_of.append(number)
    for card in cards:
        if len(card.tasks) > 1:
            shapes = {name_pattern(names[task]) for task in card.tasks[:200]}
            card.name = shapes.pop() if len(shapes) == 1 else f"{card.type} tasks"
    return cards, card_of


def _layers(count: int, before: Sequence[Sequence[int]]) -> list[int]:
    """Longest path from a start, by Kahn's order; what is left in a cycle is placed after what came before it."""
    after: list[list[int]] = [[] for _ in range(count)]
    missing = [0] * count
    for node, sources in enumerate(before):
        for source in set(sources):
            if source != node:
                after[source].append(node)
                missing[node] += 1
    layer = [0] * count
    ready = [node for node in range(count) if missing[node] == 0]
    done = [False] * count
    place = 0
    seen = 0
    while seen < count:
        while place < len(ready):
            node = ready[place]
            place += 1
            if done[node]:
                continue
            done[node] = True
            seen += 1
            for target in after[node]:
                if done[target]:
                    continue
                layer[target] = max(layer[target], layer[node] + 1)
                missing[target] -= 1
                if missing[target] == 0:
                    ready.append(target)
        if seen < count:
            # A cycle: open it at its earliest task.
            ready.append(next(node for node in range(count) if not done[node]))
    return layer


def _order(cards: list[Card], edges: dict[tuple[int, int], int]) -> list[list[int]]:
    """Rows in each layer by the barycentre of the neighbours, four sweeps; sets `Card.row`."""
    layers: list[list[int]] = [[] for _ in range(max((card.layer for card in cards), default=-1) + 1)]
    for number, card in enumerate(cards):
        layers[card.layer].append(number)
    neighbours: dict[int, list[int]] = defaultdict(list)
    for source, target in edges:
        neighbours[source].append(target)
        neighbours[target].append(source)
    row = [0.0] * len(cards)
    for layer in layers:
        for place, number in enumerate(layer):
            row[number] = place - len(layer) / 2
    for sweep in range(4):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            centre = {
                number: (sum(row[other] for other in neighbours[number]) / len(neighbours[number]))
                if neighbours[number]
                else row[number]
                for number in layer
            }
            layer.sort(key=centre.__getitem__)
            for place, number in enumerate(layer):
                row[number] = place - len(layer) / 2
    for layer in layers:
        for place, number in enumerate(layer):
            cards[number].row = place
    return layers
