"""A result as a page: the photo, its boxes and names drawn over it, and the candidates of each face as bars.

Everything that came from outside (file names, people's names) is escaped here.
"""

import base64
from html import escape

import numpy as np

from facecourse.app.session import Result
from facecourse.app.uploads import jpeg
from facecourse.core.figures import COLOURS
from lambda_function.gallery import UNKNOWN

SHOWN_SIDE = 900
RAREST = 1e-4  # a smaller share rests on no photos of strangers, only on how the tail goes on
MANY_FACES = 8  # from here on the names would hide each other: boxes carry numbers only
BAR = "display:inline-block;position:relative;height:10px;width:150px;background:rgba(128,128,128,.25)"
LINE = f"position:absolute;top:-2px;height:14px;width:2px;background:{COLOURS['red']}"


def shown_name(name: str) -> str:
    """Return a person's name as it is read: with spaces."""
    return name.replace("_", " ")


def meaning(face: dict) -> str:
    """Say what a face's score means: how often a stranger's reaches it; "" where that is not known."""
    fpir = face.get("fpir")
    if fpir is None:
        return ""
    if fpir < RAREST:
        return f"fewer than 1 stranger in {1 / RAREST:,.0f}"
    rarely = 1 / fpir
    digits = 10 ** max(0, len(str(int(rarely))) - 2)  # two of them: more would be made up
    return f"1 stranger in {round(rarely / digits) * digits:,.0f}" if rarely >= 2 else "every other stranger"


def boxes_svg(result: Result, threshold: float) -> str:
    """Draw boxes and names for laying over the photo: solid for a name, dashed for "unknown"."""
    height, width = result.image.shape[:2]
    unit, faces = max(width, height) / SHOWN_SIDE, result.named(threshold)
    size, drawn = 17 * unit, []
    for place, face in enumerate(faces, 1):
        x0, y0, x1, y1 = face["box"]
        known = face["name"] != UNKNOWN
        colour, dashes = (COLOURS["sky"], "none") if known else (COLOURS["orange"], f"{8 * unit} {5 * unit}")
        text = f"{place} {shown_name(face['name'])}"
        anchor, x = ("start", x0) if (x0 + x1) / 2 < width * 0.6 else ("end", x1)
        y = y0 - 6 * unit if y0 > 26 * unit else y1 + size + 2 * unit
        drawn.append(
            f'<rect class="fc-box" x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" fill="none"'
            f' stroke="{colour}" stroke-width="{3 * unit:.2f}" stroke-dasharray="{dashes}"/>'
            f'<text class="fc-name" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size:.1f}"'
            f' font-family="sans-serif" font-weight="600" fill="#fff" stroke="#000" stroke-width="{4 * unit:.2f}"'
            f' paint-order="stroke" stroke-linejoin="round">{escape(text if len(faces) < MANY_FACES else str(place))}</text>'
        )
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{len(faces)} faces"'
        f' style="display:block;width:100%;height:100%">{"".join(drawn)}</svg>'
    )


def faces_html(result: Result, threshold: float) -> str:
    """List every face with its cut-out and its best candidates as bars of similarity."""
    cards = []
    for place, face in enumerate(result.named(threshold), 1):
        if face["name"] != UNKNOWN:
            about = meaning(face)
        elif face["top"]:
            about = f"(nearest: {escape(shown_name(face['top'][0]['name']))})"
        else:  # a deployed function tells nothing more without a key
            about = "(nobody is enrolled)" if result.recognition is not None else ""
        cards.append(
            '<div class="fc-face" style="display:inline-flex;gap:10px;margin:6px 18px 6px 0;vertical-align:top">'
            f'<img alt="face {place}" width="64" height="64" style="object-fit:cover"'
            f' src="{_cut_out(result.image, face["box"])}">'
            f'<div><b class="fc-verdict">{place} {escape(shown_name(face["name"]))}</b> {about}'
            '<table style="border-spacing:0;margin-top:2px">'
            f"{''.join(_bar(one, threshold) for one in face['top'])}</table></div></div>"
        )
    if cards:
        cards.append(
            '<div style="opacity:.75;margin:4px 0">Bars: score; the line is the threshold. 1 stranger in 400: so often'
            " does somebody who is not enrolled reach this score with anyone here.</div>"
        )
    return f'<div style="line-height:1.35">{"".join(cards)}</div>'


def _bar(one: dict, threshold: float) -> str:
    colour = COLOURS["blue"] if one["score"] >= threshold else "#888888"
    share, line = (min(max(value, 0.0), 1.0) * 100 for value in (one["score"], threshold))
    cell = 'style="padding:0 8px 0 0;border:0;text-align:left"'
    return (
        f'<tr class="fc-bar"><td {cell}>{escape(shown_name(one["name"]))}</td>'
        f'<td {cell}><span style="{BAR}">'
        f'<span style="display:block;height:10px;width:{share:.0f}%;background:{colour}"></span>'
        f'<span style="{LINE};left:{line:.1f}%"></span>'
        f"</span></td><td {cell}>{one['score']:.2f}</td></tr>"
    )


def _cut_out(image: np.ndarray, box: list[float]) -> str:
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0) * 1.3
    left, top = int(max((x0 + x1 - side) / 2, 0)), int(max((y0 + y1 - side) / 2, 0))
    left, top = min(left, width - 1), min(top, height - 1)
    cut = image[top : max(int(top + side), top + 1), left : max(int(left + side), left + 1)]
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(np.ascontiguousarray(cut), 128)).decode()


def caption(result: Result, threshold: float) -> str:
    """Say in one line what a result came to, escaped for HTML."""
    photo = f"<b>{escape(result.photo)}</b>"
    if result.problem:
        return f"{photo}: {escape(result.problem)}"
    names = [escape(shown_name(name)) for name in result.names(threshold)]
    return f"{photo}: {', '.join(names)} ({result.by}, {result.seconds:.2f} s)"
