"""Which room of the house imports which, as floors and as a drawing; `make test` writes outputs/layers.svg."""

import ast
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GROUND = "lambda_function"
WIDTH, BOX, TALL = 1180, 136, 30


def graph() -> dict[str, set[str]]:
    """Return every room (file of facecourse/, and lambda_function/ as one) with the rooms that it imports."""
    rooms = {
        path.stem: _imports(path) for path in sorted(ROOT.glob("facecourse/*.py")) if path.stem != "__init__"
    }
    known = {*rooms, GROUND}
    return {GROUND: set(), **{room: (needed & known) - {room} for room, needed in rooms.items()}}


def _imports(path: Path) -> set[str]:
    """Names of our rooms that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            package, _, room = node.module.partition(".")
            if package == GROUND:
                found.add(GROUND)
            elif package == "facecourse":
                found.update([room] if room else [name.name for name in node.names])
    return found


def floors(rooms: dict[str, set[str]]) -> list[list[str]]:
    """Put every room one floor above the highest room that it imports.

    Raises
    ------
    ValueError
        If rooms import each other in a circle.
    """
    level: dict[str, int] = {}
    while len(level) < len(rooms):
        ready = [room for room in rooms if room not in level and rooms[room] <= level.keys()]
        if not ready:
            raise ValueError(f"circle: {', '.join(sorted(rooms.keys() - level.keys()))}")
        for room in ready:
            level[room] = 1 + max((level[other] for other in rooms[room]), default=-1)
    return [sorted(r for r in rooms if level[r] == n) for n in range(1 + max(level.values()))]


def as_svg(storeys: list[list[str]]) -> str:
    """Draw the floors, ground below; every room may import from any floor below its own."""
    per_row = WIDTH // (BOX + 10)
    rows = []
    for number, floor in enumerate(storeys):
        parts = [floor[start : start + per_row] for start in range(0, len(floor), per_row)]
        rows += [(number if part is parts[0] else None, part) for part in reversed(parts)]
    height = 20 + len(rows) * (TALL + 14)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 60} {height}" '
        'font-family="sans-serif" font-size="12" role="img">',
        "<title>The floors of the house: a room imports only from floors below its own</title>",
        f'<rect width="{WIDTH + 60}" height="{height}" fill="white"/>',
    ]
    for place, (number, part) in enumerate(rows):
        y = height - 10 - (place + 1) * (TALL + 14) + 7
        if number is not None:
            lines.append(f'<text x="10" y="{y + 20}" fill="#555">{number}</text>')
        for column, room in enumerate(part):
            x = 40 + column * (BOX + 10)
            fill = "#F0E442" if room == GROUND else "#D6EAF5"
            lines.append(
                f'<rect x="{x}" y="{y}" width="{BOX}" height="{TALL}" rx="4" fill="{fill}" stroke="#0072B2"/>'
            )
            lines.append(
                f'<text x="{x + BOX / 2:.0f}" y="{y + 19}" text-anchor="middle">{escape(room)}</text>'
            )
    return "\n".join([*lines, "</svg>"]) + "\n"
