"""Film the page of notebook 06 in a browser: a photo is uploaded, its faces get names, and the threshold moves.

README and the published notebook show it, so that one sees the product, as it is, before running anything.
"""

import io
import re
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Page, sync_playwright

from facecourse.core.paths import DATA
from tests.browser.lab import Lab, choose_files, find_chromium

NAME = "06_try_it"
PHOTO = DATA / "group/group_01.jpg"
PAGE, STATUS, UPLOAD = ".fc-try-it", ".fc-status", ".fc-upload"
BARS, HANDLE, READOUT = ".fc-faces", ".fc-threshold .noUi-handle", ".fc-threshold .widget-readout"
VIEW = {"width": 1440, "height": 1100}  # so wide that no row breaks and nothing jumps
SHOWN = {"width": 868, "height": 860}  # of the widget, from its top left corner
ARROW = ((0, 0), (0, 19), (5, 15), (9, 23), (12, 22), (8, 14), (14, 14))
ALT = "A photo is uploaded in notebook 06: each face gets a box with a name, or unknown, and bars of its best candidates"
NAMED = 2  # which shot has the names
Shot = tuple[Image.Image, int]  # and the milliseconds for which it is shown


def chromium() -> str:
    """Return the path of a Chromium; end with what to install where there is none."""
    with sync_playwright() as playwright:
        path = find_chromium(playwright)
    return path or sys.exit("there is no Chromium to film notebook 06 with: apt-get install chromium")


def film(project: Path, path: str) -> list[Shot]:
    """Open notebook 06 of a project that has run, in JupyterLab, and record it with the Chromium at `path`."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        lab = Lab(project, Path(folder))
        try:
            lab.wait_until_up()
            with playwright.chromium.launch(executable_path=path, args=["--no-sandbox"]) as browser:
                page = browser.new_page(viewport=VIEW)
                lab.open(page, NAME)
                lab.run_until(page, PAGE, most=15)
                return record(page)
        finally:
            lab.stop()


def record(page: Page) -> list[Shot]:
    """Use the page of notebook 06, which has run, and return what it shows on the way."""
    shots = [(shot(page, UPLOAD), 1600)]
    choose_files(page, UPLOAD, [PHOTO])
    shots.append((shot(page), 900))
    page.locator(STATUS, has_text=f"{PHOTO.name}: ").wait_for(timeout=60_000)
    page.wait_for_timeout(500)  # the photo itself
    shots.append((shot(page), 3000))
    mark = re.search(r"left:[\d.]+%", page.locator(BARS).inner_html())[0]
    for threshold in ("0.80", "0.88", "0.93"):
        page.locator(READOUT).fill(threshold)
        page.locator(READOUT).press("Enter")
        answered(page, f"left:{float(threshold):.1%}")
        shots.append((shot(page, HANDLE), 1200))
    page.get_by_role("button", name="back to").click()
    answered(page, mark)
    shots.append((shot(page), 1500))
    return shots


def answered(page: Page, mark: str) -> None:
    """Wait until the kernel has drawn the bars anew, with the threshold's mark there, and what it draws after them."""
    page.wait_for_function(
        "([place, mark]) => document.querySelector(place).innerHTML.includes(mark)", arg=[BARS, mark]
    )
    page.wait_for_timeout(400)


def shot(page: Page, pointed_at: str = "") -> Image.Image:
    """Photograph the widget, with an arrow on what the reader is about to press."""
    page.locator(PAGE).evaluate("widget => widget.scrollIntoView({block: 'start'})")
    clip = page.locator(PAGE).bounding_box() | SHOWN
    picture = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")
    if pointed_at:
        place = page.locator(pointed_at).first.bounding_box()
        x = place["x"] + place["width"] / 2 - clip["x"]
        y = place["y"] + place["height"] / 2 - clip["y"]
        ImageDraw.Draw(picture).polygon([(x + a, y + b) for a, b in ARROW], fill="black", outline="white")
    return picture


def packed(shots: list[Shot]) -> bytes:
    """Pack shots as an animated WebP that runs for ever."""
    pictures, milliseconds = zip(*shots, strict=True)
    file = io.BytesIO()
    options = {"quality": 60, "method": 6, "minimize_size": True}
    pictures[0].save(
        file,
        "WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=list(milliseconds),
        loop=0,
        **options,
    )
    return file.getvalue()
