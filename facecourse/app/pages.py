"""A result as a page: the photo, its boxes and names drawn over it, and the candidates of each face as bars.

Everything that came from outside (file names, people's names) is escaped here.
"""

import base64
import io
from html import escape

import numpy as np
from PIL import Image

from facecourse.app.session import Result
from facecourse.core.figures import COLOURS
from lambda_function.gallery import UNKNOWN
from lambda_function.photos import shrink

SHOWN_SIDE = 900
THUMBNAIL = 96
MANY_FACES = 8  # from here on the names would hide each other: boxes carry numbers only
BAR = "display:inline-block;position:relative;height:10px;width:150px;background:rgba(128,128,128,.25)"
LINE = f"position:absolute;top:-2px;height:14px;width:2px;background:{COLOURS['red']}"


def shown_name(name: str) -> str:
    """Return a person's name as it is read: with spaces."""
    return name.replace("_", " ")


def jpeg(image: np.ndarray, side: int) -> bytes:
    """Pack a photo, at most `side` pixels on its longer side, for showing."""
    packed = io.BytesIO()
    Image.fromarray(shrink(image, side)[0]).save(packed, "JPEG", quality=85)
    return packed.getvalue()


def boxes_svg(result: Result, threshold: float) -> str:
    """Draw boxes and names for laying over the photo: solid for a name, dashed for "unknown"."""
    height, width = result.image.shape[:2]
    unit = max(width, height) / SHOWN_SIDE
    drawn = [
        _box(place, face, name, width, unit, len(result.faces) >= MANY_FACES)
        for place, (face, name) in enumerate(zip(result.faces, result.names(threshold), strict=True), 1)
    ]
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{len(result.faces)} faces"'
        f' style="display:block;width:100%;height:100%">{"".join(drawn)}</svg>'
    )


def _box(place: int, face: dict, name: str, width: int, unit: float, number_only: bool) -> str:
    x0, y0, x1, y1 = face["box"]
    known = name != UNKNOWN
    colour, dashes = (COLOURS["sky"], "none") if known else (COLOURS["orange"], f"{8 * unit} {5 * unit}")
    size = 17 * unit
    text = (
        f"{place}"
        if number_only
        else f"{place} {shown_name(name)} {face['confidence']:.0%}"
        if known
        else f"{place} unknown"
    )
    anchor, x = ("start", x0) if (x0 + x1) / 2 < width * 0.6 else ("end", x1)
    y = y0 - 6 * unit if y0 > 26 * unit else y1 + size + 2 * unit
    return (
        f'<rect class="fc-box" x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" fill="none"'
        f' stroke="{colour}" stroke-width="{3 * unit:.2f}" stroke-dasharray="{dashes}"/>'
        f'<text class="fc-name" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size:.1f}"'
        f' font-family="sans-serif" font-weight="600" fill="#fff" stroke="#000" stroke-width="{4 * unit:.2f}"'
        f' paint-order="stroke" stroke-linejoin="round">{escape(text)}</text>'
    )


def faces_html(result: Result, threshold: float) -> str:
    """List every face with its cut-out and its best candidates as bars of similarity."""
    cards = [
        _card(place, result.image, face, name, threshold)
        for place, (face, name) in enumerate(zip(result.faces, result.names(threshold), strict=True), 1)
    ]
    note = (
        '<div style="opacity:.75;margin:4px 0">Bars: score; the line is the threshold;'
        " per cent: estimated probability of being that person.</div>"
        if cards
        else ""
    )
    return f'<div style="line-height:1.35">{"".join(cards)}{note}</div>'


def _card(place: int, image: np.ndarray, face: dict, name: str, threshold: float) -> str:
    bars = "".join(_bar(one, threshold) for one in face["top"])
    return (
        '<div class="fc-face" style="display:inline-flex;gap:10px;margin:6px 18px 6px 0;vertical-align:top">'
        f'<img alt="face {place}" width="64" height="64" style="object-fit:cover" src="{_cut_out(image, face["box"])}">'
        f'<div><b class="fc-verdict">{place} {escape(shown_name(name))}</b>{_sure(face, name)}'
        f'<table style="border-spacing:0;margin-top:2px">{bars}</table></div></div>'
    )


def _sure(face: dict, name: str) -> str:
    if name != UNKNOWN:
        return f" {face['confidence']:.0%}"
    nearest = escape(shown_name(face["top"][0]["name"])) if face["top"] else ""
    return f" (nearest: {nearest})" if nearest else " (nobody is enrolled)"


def _bar(one: dict, threshold: float) -> str:
    colour = COLOURS["blue"] if one["score"] >= threshold else "#888888"
    share, line = (min(max(value, 0.0), 1.0) * 100 for value in (one["score"], threshold))
    cell = 'style="padding:0 8px 0 0;border:0;text-align:left"'
    return (
        f'<tr class="fc-bar"><td {cell}>{escape(shown_name(one["name"]))}</td>'
        f'<td {cell}><span style="{BAR}">'
        f'<span style="display:block;height:10px;width:{share:.0f}%;background:{colour}"></span>'
        f'<span style="{LINE};left:{line:.1f}%"></span>'
        f"</span></td><td {cell}>{one['score']:.2f}</td><td {cell}>{one['confidence']:.0%}</td></tr>"
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
