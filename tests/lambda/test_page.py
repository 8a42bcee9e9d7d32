"""The web page in headless Chromium, against the function itself behind a local bridge."""

import base64
import io
import json
import re

import pytest
from examples import ASK, ASK_KEY, GROUP, MANAGE, MANAGE_KEY, NEWCOMER, newcomer
from PIL import Image

from facecourse.core.paths import PEOPLE_DIR
from facecourse.deployment.local_function import LocalFunction
from lambda_function.app import Application
from lambda_function.settings import Settings

ADA = PEOPLE_DIR / "Ada_Ferro" / "Ada_Ferro_0001.jpg"
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


@pytest.fixture(scope="module")
def closed(function, bundle, tmp_path_factory, quiet):
    """A function that asks for a key, and whose people may be changed."""
    place = tmp_path_factory.mktemp("people") / "people.npz"
    keys = {
        "face_keys": f"{ASK_KEY} {MANAGE_KEY.replace(':manage:', ':manage+recognise:')}",
        "face_open": "none",
    }
    texts = {
        "face_operator": "Example Ltd",
        "face_contact": "faces@example.org",
        "face_purpose": "opening the door",
    }
    texts["face_retention"] = "until they ask to leave, at most two years"
    settings = Settings(
        model_bundle=str(bundle), face_gallery=str(place), face_gallery_seconds=0, **keys, **texts
    )
    application = Application(settings)
    application.store = function.store
    with LocalFunction(application.handle) as local:
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
    opened.check("#agreed")
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


@pytest.fixture(scope="module")
def faces(function, new_event) -> list[dict]:
    """What the function says about GROUP, from left to right."""
    answer = function.handle(new_event("POST", "/recognize", GROUP.read_bytes(), content_type="image/jpeg"))
    return sorted(json.loads(answer["body"])["faces"], key=lambda face: face["box"][0])


def shown(faces) -> list[str]:
    return [face["name"].replace("_", " ").replace("unknown", "Unknown") for face in faces]


def test_choosing_a_photo_names_its_faces(page, faces):
    with page.expect_file_chooser() as chooser:
        page.click("#choose")
    chooser.value.set_files(GROUP)
    assert named(page) == shown(faces) and len(faces) == 6 and "Unknown" in shown(faces)
    assert page.inner_text("#status").startswith("6 faces in")
    assert shown(faces)[0] in page.get_attribute("#photo", "aria-label")
    # The very boxes of the function, and ink where they are drawn.
    assert page.evaluate("state.faces.map(face => face.box)") == [face["box"] for face in faces]
    known = next(face for face in faces if face["name"] != "unknown")
    assert edge_colour(page, known["box"]) == [0, 114, 178]
    stranger = page.locator(f"#faces li:nth-child({shown(faces).index('Unknown') + 1})")
    assert "not sure enough" in stranger.inner_text() and not page.locator("#faces table").count()


def test_nothing_is_sent_before_the_tick(page, events):
    page.uncheck("#agreed")
    before = len(events)
    assert page.is_disabled("#choose") and page.is_disabled("#take") and page.is_disabled("#live")
    page.evaluate(PASTE, [list(ADA.read_bytes()), "paste"])
    assert "First tick" in error_of(page) and len(events) == before


def test_the_largest_face_only(page, faces):
    page.check("#largest")
    page.set_input_files("#file", GROUP)
    assert len(named(page)) == 1 and "the largest of 6 is shown" in page.inner_text("#status")


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


def test_candidates_open_and_close_by_keyboard_for_who_may_manage(page, faces):
    use_key(page, MANAGE)
    page.set_input_files("#file", GROUP)
    named(page)
    assert not page.is_visible("#faces li:nth-child(2) table")
    tab_to(page, "#faces li:nth-child(2) summary")
    page.keyboard.press("Enter")
    assert page.is_visible("#faces li:nth-child(2) table") and page.evaluate("state.chosen") == 1
    rows = page.locator("#faces li:nth-child(2) tr")
    assert rows.count() == 5 and rows.first.inner_text().startswith(shown(faces)[1])


def use_key(page, key: str) -> None:
    """Enter a key, as its owner does."""
    page.evaluate("document.querySelector('#access').open = true")
    page.fill("#key", key)
    page.press("#key", "Enter")
    until(page, "!document.querySelector('#drop-key').hidden")
    page.wait_for_load_state("networkidle")


PASTE = """([bytes, way]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], 'ada.jpg', { type: 'image/jpeg' }));
    document.body.dispatchEvent(way === 'drop'
        ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
        : new ClipboardEvent('paste', { clipboardData: data, bubbles: true }));
}"""


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_dropping_and_pasting_a_photo(page, events, way):
    page.evaluate(PASTE, [list(ADA.read_bytes()), way])
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


def test_the_live_camera_asks_again_when_it_is_answered_and_stops(page, events):
    before = len(events)
    page.click("#live")
    until(page, "document.querySelector('#live').textContent === 'Stop the camera'")
    for _ in range(100):
        if len(events) >= before + 3:
            break
        page.wait_for_timeout(100)
    assert len(events) >= before + 3 and page.evaluate("state.picture.width") == 640
    page.click("#live")
    assert page.inner_text("#live") == "Live camera" and page.evaluate("state.stream") is None
    page.wait_for_timeout(500)
    asked = len(events)
    page.wait_for_timeout(1000)
    assert len(events) == asked and not page.is_visible("#error")


COUNT_STREAMS = """() => {
    window.streams = [];
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async wanted => {
        const stream = await real(wanted);
        streams.push(stream);
        return stream;
    };
}"""


@pytest.mark.parametrize(("button", "end"), [("#live", "#live"), ("#take", "#leave")])
def test_a_double_click_leaves_no_camera_on(page, button, end):
    page.evaluate(COUNT_STREAMS)
    page.evaluate("button => { const b = document.querySelector(button); b.click(); b.click(); }", button)
    until(page, "streams.length === 2")
    until(page, "state.stream !== null || document.querySelector('#booth').open")
    page.click(end)
    until(page, "streams.every(stream => !stream.active)")


def test_a_key_opens_stays_in_this_tab_and_can_be_wrong(browser, closed, page):
    page.goto(closed)
    page.check("#agreed")
    page.set_input_files("#file", ADA)
    assert "only with a key" in error_of(page) and page.is_visible("#key")
    use_key(page, "wrong")
    assert "not known" in error_of(page)
    use_key(page, ASK)
    page.set_input_files("#file", ADA)
    assert named(page) == ["Ada Ferro"] and not page.is_visible("#people")
    page.reload()
    assert page.evaluate("sessionStorage.getItem('key')") == ASK
    other = browser.new_page()
    other.goto(closed)
    assert (
        other.evaluate("sessionStorage.getItem('key')") is None and other.evaluate("localStorage.length") == 0
    )
    other.close()
    page.evaluate("document.querySelector('#access').open = true")
    page.click("#drop-key")
    assert page.evaluate("sessionStorage.getItem('key')") is None


def test_enrolling_and_forgetting_by_the_page(closed, page):
    page.goto(closed)
    use_key(page, MANAGE)
    page.wait_for_selector("#people:not([hidden])")
    before = page.locator("#who li").count()
    page.fill("#name", NEWCOMER.replace("_", " "))
    page.set_input_files("#photos", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": newcomer()})
    page.fill("#purpose", "the door")
    page.click("#enrol button")
    page.wait_for_selector("#told:has-text('is enrolled')", timeout=PATIENCE)
    assert page.locator("#who li").count() == before + 1
    row = page.locator("#who li", has_text=NEWCOMER.replace("_", " "))
    assert "agreed on 20" in row.inner_text() and "the door" in row.inner_text()
    row.locator("button").click()
    assert page.locator("#who li").count() == before + 1  # asks once more
    row.locator("button").click()
    page.wait_for_selector("#told:has-text('is forgotten')", timeout=PATIENCE)
    assert page.locator("#who li").count() == before
    page.fill("#name", "Eve")
    page.set_input_files("#photos", GROUP)
    page.click("#enrol button")
    page.wait_for_selector("#told:has-text('exactly one is needed')", timeout=PATIENCE)


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
    page.route("**/v1/recognize*", lambda route: route.fulfill(status=status, body=text))
    page.set_input_files("#file", ADA)
    assert words in error_of(page)
    assert page.is_visible("#again") == (status == 429 or status >= 500)
    if page.is_visible("#again"):
        page.unroute("**/v1/recognize*")
        page.click("#again")
        assert named(page) == ["Ada Ferro"] and not page.is_visible("#error")


def test_a_lost_connection_is_told(page):
    page.route("**/v1/recognize*", lambda route: route.abort())
    page.set_input_files("#file", ADA)
    assert "cannot be reached" in error_of(page) and page.is_visible("#again")


def test_the_second_photo_wins(page):
    """Whoever is impatient and chooses another photo must not see the first one's names on it."""
    held = []
    page.route("**/v1/recognize*", lambda route: held.append(route) if not held else route.continue_())
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
    page.route("**/v1/recognize*", lambda route: route.fulfill(json=answer))
    page.set_input_files("#file", ADA)
    assert named(page) == ["<img src=x onerror=alert(1)>"]
    assert page.locator("#faces img, footer b").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_everything_fits_and_can_be_read(browser, served, scheme):
    phone = browser.new_context(
        viewport={"width": 390, "height": 740}, is_mobile=True, has_touch=True, color_scheme=scheme
    )
    page = phone.new_page()
    page.goto(served)
    page.check("#agreed")
    page.set_input_files("#file", GROUP)
    assert len(named(page)) == 6
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for button in ("#choose", "#take", "#live", "label[class=tick]"):
        assert page.locator(button).first.bounding_box()["height"] >= 44
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
    page.check("#agreed")
    page.set_input_files("#file", ADA)
    named(page)
    own = {served, *(served + name for name in ("page.css", "page.js", "health", "v1/recognize"))}
    assert {url.split("?")[0] for url in asked if not url.startswith(("data:", "blob:"))} == own
    page.close()
