"""Small plots in plain characters, for a terminal as for a pipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence

WIDTH, HEIGHT = 60, 11
#: (time, low, mean, high); an interval that is not known is None.
Point = tuple[int, float | None, float, float | None]


def plot(points: Sequence[Point], value: Callable[[float], str], time: Callable[[int], str]) -> list[str]:
    """Estimates over time as lines of text: ``o`` the estimate, ``|`` its interval, ``-`` nothing at all.

    >>> for line in plot([(0, -1, 1, 3), (10, 1, 2, 3)], "{:.0f}".format, str): print(line)
     3 |                                                          |
       |                                                          |
       |                                                          o
       |                                                          |
       |                                                          |
       o                                                          |
       |
       |
     0 |-----------------------------------------------------------
       |
    -1 |
       0                                                         10
    """
    ends = [end for _, low, mean, high in points for end in (low, mean, high) if end is not None]
    top, bottom = max(*ends, 0.0), min(*ends, 0.0)
    top += 0.0 if top > bottom else 1.0
    first, last = points[0][0], points[-1][0]

    def row(of: float) -> int:
        return round((top - of) / (top - bottom) * (HEIGHT - 1))

    grid = [[" "] * WIDTH for _ in range(HEIGHT)]
    grid[row(0.0)] = ["-"] * WIDTH
    for at, low, mean, high in points:
        x = round((at - first) / max(1, last - first) * (WIDTH - 1))
        for line in grid:  # of those that share a column the last is shown
            line[x] = "-" if line is grid[row(0.0)] else " "
        if low is not None and high is not None:
            for y in range(row(high), row(low) + 1):
                grid[y][x] = "|"
        grid[row(mean)][x] = "o"
    names = {0: value(top), HEIGHT - 1: value(bottom), row(0.0): value(0.0)}
    wide = max(map(len, names.values()))
    lines = [f"{names.get(y, ''):>{wide}} {''.join(line)}".rstrip() for y, line in enumerate(grid)]
    until = f"{time(last):>{WIDTH - len(time(first))}}" if last > first else ""
    return [*lines, f"{'':>{wide}} {time(first)}{until}"]


def bars(numbers: Sequence[int]) -> str:
    """Numbers as little bars, the largest one full.

    >>> bars([0, 1, 4, 8])
    '▁▂▅█'
    """
    most = max(1, *numbers) if numbers else 1
    return "".join("▁▂▃▄▅▆▇█"[round(7 * number / most)] for number in numbers)
