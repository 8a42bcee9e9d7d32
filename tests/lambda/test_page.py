"""The web page in headless Chromium, against the function itself behind a local bridge."""

import base64
import io
import json
import re

import pytest
from PIL import Image

from facecourse.core.paths import DATA, PEOPLE_DIR
from facecourse.deployment.local_function import LocalFunction

ADA = PEOPLE_DIR / "Ada_Ferro" / "Ada_Ferro_0001.jpg"
GROUP = DATA / "group" / "group_01.jpg"
PATIENCE = 30_000  # ms


@pytest.fixture(scope="module")
def events() -> list[dict]:
    """What has reached the function."""
    return []


@pytest.fixture(scope="module")
def served(function, events, quiet):
    def handler(event, context):
        events.append(event)
        return function.handle(event, context)

    with LocalFunction(handler) as local:
        yield local.url


def last_photo(events) -> bytes:
    return base64.b64decode(next(event["body"] for event in reversed(events) if event.get("body")))


@pytest.fixture
def page(browser, served):
    """The page on a desktop; fails on any error in its script."""
    opened = browser.new_page(viewport={"width": 1200, "height": 900})
    faults = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    # Tells Chromium in time that no window is to open for choosing files.
    opened.on("filechooser", lambda chooser: None)
    opened.goto(served)
    yield opened
    opened.close()
    assert not faults


def named(page) -> list[str]:
    page.wait_for_selector("#result.named", timeout=PATIENCE)
    return [re.sub(r"^\d+\. ", "", name) for name in page.locator("#faces strong").all_inner_texts()]


def until(page, script: str) -> None:
    """Wait until a script gives true; Playwright's own waiting needs eval, which the page forbids."""
    for _ in range(PATIENCE // 100):
        if page.evaluate(script):
            return
        page.wait_for_timeout(100)
    pytest.fail(f"never true: {script}")


def error_of(page) -> str:
    page.wait_for_selector("#error:not([hidden])", timeout=PATIENCE)
    return page.inner_text("#error span")


def as_file(image: Image.Image, name: str, kind: str, **options) -> dict:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return {"name": name, "mimeType": f"image/{kind.lower()}", "buffer": file.getvalue()}


def test_choosing_a_photo_names_its_faces(page, function, new_event):
    with page.expect_file_chooser() as chooser:
        page.click("#choose")
    chooser.value.set_files(GROUP)
    assert named(page) == ["Ada Ferro", "Bruno Takala", "Chioma Lindqvar"]
    assert page.inner_text("#status").startswith("3 faces in")
    assert "Ada Ferro, Bruno Takala, Chioma Lindqvar" in page.get_attribute("#photo", "aria-label")
    # The very boxes of the function, and ink where they are drawn.
    answer = function.handle(new_event("POST", "/recognize", GROUP.read_bytes(), content_type="image/jpeg"))
    faces = sorted(json.loads(answer["body"])["faces"], key=lambda face: face["box"][0])
    assert page.evaluate("state.faces.map(face => face.box)") == [face["box"] for face in faces]
    assert edge_colour(page, faces[1]["box"]) == [0, 114, 178]


def edge_colour(page, box) -> list[int]:
    """Colour in the middle of a box's left edge, as it is on the canvas."""
    script = """([x, y]) => { const c = document.getElementById('photo'), s = c.width / state.picture.width;
        return [...c.getContext('2d').getImageData(Math.round(x * s), Math.round(y * s), 1, 1).data].slice(0, 3); }"""
    return page.evaluate(script, [box[0], (box[1] + box[3]) / 2])


def tab_to(page, selector: str) -> None:
    """Press Tab until the element has the focus, as someone without a mouse does."""
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"{selector} cannot be reached by keyboard")


def test_the_top_five_open_and_close_by_keyboard(page):
    page.set_input_files("#file", GROUP)
    named(page)
    assert not page.is_visible("#faces li:nth-child(2) table")
    tab_to(page, "#faces li:nth-child(2) summary")
    page.keyboard.press("Enter")
    assert page.is_visible("#faces li:nth-child(2) table") and page.evaluate("state.chosen") == 1
    rows = page.locator("#faces li:nth-child(2) tr")
    assert rows.count() == 5 and rows.first.inner_text().startswith("Bruno Takala")


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_dropping_and_pasting_a_photo(page, events, way):
    script = """([bytes, way]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], 'ada.jpg', { type: 'image/jpeg' }));
        document.body.dispatchEvent(way === 'drop'
            ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
            : new ClipboardEvent('paste', { clipboardData: data, bubbles: true }));
    }"""
    page.evaluate(script, [list(ADA.read_bytes()), way])
    assert named(page) == ["Ada Ferro"] and last_photo(events) == ADA.read_bytes()  # small: sent as it is


def test_taking_a_photo_with_the_camera(page):
    page.click("#take")
    until(page, "document.querySelector('#booth video').videoWidth > 0")
    page.click("#snap")
    page.wait_for_selector("#status:has-text('face'):not(.busy)", timeout=PATIENCE)
    assert not page.is_visible("#booth") and page.evaluate("state.picture.width") > 100
    assert page.evaluate("document.querySelector('#booth video').srcObject") is None


def test_a_large_turned_photo_is_made_small_and_upright(page, events):
    exif = Image.Exif()
    exif[0x0112] = 6
    large = Image.open(ADA).resize((3000, 3000)).transpose(Image.Transpose.ROTATE_90)
    page.set_input_files("#file", as_file(large, "large.jpg", "JPEG", exif=exif))
    assert named(page) == ["Ada Ferro"]
    with Image.open(io.BytesIO(last_photo(events))) as small:
        assert small.size == (1600, 1600) and small.format == "JPEG" and not small.getexif()


def test_a_stranger_is_unknown_and_drawn_otherwise(page):
    page.set_input_files("#file", DATA / "group" / "group_03.jpg")
    names = named(page)
    assert "Unknown" in names
    assert "not sure enough" in page.inner_text(f"#faces li:nth-child({names.index('Unknown') + 1})")


def test_no_face(page):
    page.set_input_files("#file", as_file(Image.new("RGB", (300, 200), "teal"), "empty.png", "PNG"))
    page.wait_for_selector("#status:has-text('No')", timeout=PATIENCE)
    assert not page.is_visible("#names") and not page.is_visible("#error")


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("notes.txt", "text/plain", "cannot be opened"),
        ("IMG_1.HEIC", "", "HEIC"),
        ("cut.jpg", "image/jpeg", "opened"),
    ],
)
def test_what_is_no_photo_is_said(page, name, kind, words):
    page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": ADA.read_bytes()[:40]})
    assert words in error_of(page) and not page.is_visible("#again")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (429, {"Message": "Rate Exceeded."}, "Too many photos"),
        (413, {"Message": "Request Entity Too Large"}, "too large"),
        (403, {"Message": "Forbidden"}, "signed requests"),
        (502, "<html>", "status 502"),
    ],
)
def test_refusals_are_told_and_can_be_tried_again(page, status, body, words):
    text = body if isinstance(body, str) else json.dumps(body)
    page.route("**/recognize", lambda route: route.fulfill(status=status, body=text))
    page.set_input_files("#file", ADA)
    assert words in error_of(page)
    assert page.is_visible("#again") == (status == 429 or status >= 500)
    if page.is_visible("#again"):
        page.unroute("**/recognize")
        page.click("#again")
        assert named(page) == ["Ada Ferro"] and not page.is_visible("#error")


def test_a_lost_connection_is_told(page):
    page.route("**/recognize", lambda route: route.abort())
    page.set_input_files("#file", ADA)
    assert "cannot be reached" in error_of(page) and page.is_visible("#again")


def test_the_second_photo_wins(page):
    """Whoever is impatient and chooses another photo must not see the first one's names on it."""
    held = []
    page.route("**/recognize", lambda route: held.append(route) if not held else route.continue_())
    page.set_input_files("#file", GROUP)
    page.wait_for_selector("#status:has-text('Looking')", timeout=PATIENCE)
    page.set_input_files("#file", ADA)
    assert named(page) == ["Ada Ferro"] and page.evaluate("state.picture.width") == 250


def test_names_are_text_and_never_markup(page):
    face = {
        "box": [50, 50, 150, 150],
        "landmarks": [],
        "name": "<img src=x onerror=alert(1)>",
        "confidence": 0.9,
    }
    face["top"] = [{"name": face["name"], "score": 0.9, "confidence": 0.9}]
    answer = {"model": "<b>m", "threshold": 0.5, "faces_found": 1, "faces": [face]}
    page.route("**/recognize", lambda route: route.fulfill(json=answer))
    page.set_input_files("#file", ADA)
    assert named(page) == ["<img src=x onerror=alert(1)>"]
    assert page.locator("#faces img, footer b").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_everything_fits_and_can_be_read(browser, served, scheme):
    phone = browser.new_context(
        viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True, color_scheme=scheme
    )
    page = phone.new_page()
    page.goto(served)
    page.set_input_files("#file", GROUP)
    assert len(named(page)) == 5
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for button in ("#choose", "#take"):
        assert page.locator(button).bounding_box()["height"] >= 44
    page.tap("#faces li:nth-child(1) summary")
    assert page.is_visible("#faces li:nth-child(1) table")
    for text in ("h1", ".quiet", "#choose", "#faces strong", "footer"):
        assert contrast(page, text) >= 4.5, text
    phone.close()


def contrast(page, selector: str) -> float:
    """WCAG 2.2 contrast of a text with what lies behind it, 1 to 21."""
    return page.evaluate(
        """selector => {
        const seen = colour => colour.match(/[\\d.]+/g).map(Number);
        const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const element = document.querySelector(selector);
        let behind = element, paper = [0, 0, 0, 0];
        while (behind && (paper.length === 4 && paper[3] === 0)) {
            paper = seen(getComputedStyle(behind).backgroundColor);
            behind = behind.parentElement;
        }
        const [a, b] = [light(seen(getComputedStyle(element).color)), light(paper)].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
    }""",
        selector,
    )


def test_the_page_asks_nobody_but_the_function(browser, served):
    page = browser.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(served)
    page.set_input_files("#file", ADA)
    named(page)
    assert {url.split("?")[0] for url in asked if not url.startswith(("data:", "blob:"))} == {
        served,
        served + "health",
        served + "recognize",
    }
    page.close()
