"""The page of notebook 06: upload a photo and see who it is. Core ipywidgets only, versions 7 and 8."""

import threading
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path

import ipywidgets

from facecourse.app.pages import SHOWN_SIDE, boxes_svg, caption, faces_html, shown_name
from facecourse.app.session import RecognitionSession, Result
from facecourse.app.uploads import UploadButton, jpeg
from facecourse.core.paths import DATA
from lambda_function.photos import open_photo

HERE, DEPLOYED = "this computer", "deployed function"
REMEMBERED = 12
TALLEST = 520  # pixels: the bars under a photo should be on screen with it
THUMBNAIL = 96
FULL = ipywidgets.Layout(width="100%")


class TryIt:
    """Upload, name, move the threshold, enrol, remove: one widget over a `RecognitionSession`.

    The networks run in a thread of their own, so that the page goes on answering meanwhile; uploads queue. That
    thread and the kernel's own both change `current` (on screen) and `results` (the last ones, newest first; a new
    deque whenever all photos are forgotten), so they do it under a lock.
    """

    def __init__(self, session: RecognitionSession, bundled: list[Path]):
        self.session, self.current = session, None
        self.results: deque[Result] = deque(maxlen=REMEMBERED)
        self._lock, self._worker = threading.RLock(), ThreadPoolExecutor(max_workers=1)
        self.upload = UploadButton("Upload photos", self.open, "fc-upload")
        self.where = _classed(ipywidgets.ToggleButtons(options=[HERE, DEPLOYED]), "fc-where")
        look = {"description": "Threshold", "readout_format": ".2f"}
        slider = ipywidgets.FloatSlider(session.threshold, min=0, max=1, step=0.01, **look)
        self.threshold = _classed(slider, "fc-threshold")
        self.threshold.observe(lambda _: self.draw(), "value")
        self._chosen = session.threshold
        reset = self._reset = _button(
            f"back to {session.threshold:.2f}",
            lambda: setattr(self.threshold, "value", session.threshold),
            tooltip="as notebook 04's rule chooses it for these people",
        )
        self.status = _classed(ipywidgets.HTML(), "fc-status")
        self.progress = ipywidgets.IntProgress(layout=ipywidgets.Layout(width="200px", visibility="hidden"))
        self.stage = ResultStage()
        self.past = _classed(_row(), "fc-history")
        self.enrolment = EnrolPanel(self)
        forget = _button("Forget all photos", self.forget, "fc-forget", icon="trash")
        rows = [
            _row(self.upload.widget, self.where),
            _row(*(self._bundled(path) for path in bundled)),
            _row(self.status, self.progress),
            _row(self.threshold, reset),
            self.stage.widget,
            ipywidgets.HBox([ipywidgets.HTML("<b>Last results</b>"), forget]),
            self.past,
            self.enrolment.widget,
        ]
        self.widget = _classed(ipywidgets.VBox(rows, layout=FULL), "fc-try-it")
        self.draw()

    def _bundled(self, path: Path) -> ipywidgets.Widget:
        def open_it() -> None:
            self.open([(path.name, path.read_bytes())])

        button = _button(shown_name(path.stem), open_it, "fc-bundled", width="130px")
        layout = ipywidgets.Layout(align_items="center")
        return ipywidgets.VBox([_thumbnail(open_photo(path)), button], layout=layout)

    def open(self, photos: list[tuple[str, bytes]]) -> None:
        """Name the faces of photos, (file name, content), one after the other, and show each as it is done."""
        deployed, results = self.where.value == DEPLOYED, self.results

        def unless_forgotten(do: Callable, *arguments) -> bool:
            with self._lock:
                if results is self.results:
                    do(*arguments)
                return results is self.results

        def take(result: Result) -> None:
            results.appendleft(result)
            self.show(result)

        def work() -> None:
            failed = 0
            for done, (name, data) in enumerate(photos):
                if not unless_forgotten(self._busy, f"Looking at {name}", done, len(photos)):
                    return
                result = self.session.recognise(name, data, deployed)
                failed += bool(result.problem)
                if not unless_forgotten(take, result):
                    return
            many = f" {len(photos)} photos, {failed} of them with a problem." if len(photos) > 1 else ""
            text = caption(result, self.threshold.value) + many
            unless_forgotten(self._say, text, bool(result.problem))

        if photos:
            self.run(work)

    def run(self, work: Callable[[], None]) -> None:
        """Do `work` in the widget's thread, after what is already waiting there."""

        def guarded() -> None:
            try:
                work()
            except Exception as error:  # a thread's error would otherwise be seen by nobody
                traceback.print_exc()
                self._say(f"Something went wrong: {escape(str(error) or type(error).__name__)}", True)
            finally:
                self.progress.layout.visibility = "hidden"

        self._busy("Working", 0, 1)
        self._worker.submit(guarded)

    def wait(self) -> None:
        """Return when everything that was asked for is done."""
        self._worker.submit(lambda: None).result()

    def show(self, result: Result) -> None:
        """Put one result on screen."""
        with self._lock:
            self.current = result
            self.stage.show(result, self.threshold.value)
            self._list_past()

    def forget(self) -> None:
        """Take every photo off the page and out of memory, those still waiting too; enrolled people stay."""
        with self._lock:
            self.results = deque(maxlen=REMEMBERED)
            self.current = None
            self.stage.clear()
            self._list_past()
            self._say("All photos are forgotten.")

    def draw(self) -> None:
        """Name everybody again: the threshold has moved, or somebody was enrolled or removed."""
        with self._lock:
            if self.current is not None:
                self.stage.rename(self.current, self.threshold.value)
                self._say(caption(self.current, self.threshold.value), bool(self.current.problem))
            else:
                self._say("Ready: upload a photo, or click one of the pictures.")
            self._list_past()

    def follow(self) -> None:
        """Let the slider follow the session's threshold, which moves with its people, unless somebody has moved it."""
        chosen, self._chosen = self._chosen, self.session.threshold
        self._reset.description = f"back to {self._chosen:.2f}"
        if abs(self.threshold.value - chosen) < self.threshold.step:
            self.threshold.value = self._chosen

    def _list_past(self) -> None:
        """Redraw the history; a photo that is there already keeps its thumbnail."""
        known = {id(child.result): child for child in self.past.children}
        cards = [known.get(id(result)) or PastResult(result, self.show) for result in self.results]
        for card in cards:
            card.rename(self.threshold.value)
        gone = [card for card in self.past.children if card not in cards]
        if tuple(cards) != self.past.children:
            self.past.children = tuple(cards)
        for card in gone:
            card.close()

    def _busy(self, what: str, done: int, of: int) -> None:
        self.progress.max, self.progress.value = of, done
        self.progress.layout.visibility = "visible"
        self._say(f"{escape(what)}{f' ({done + 1} of {of})' if of > 1 else ''} …")

    def _say(self, html: str, wrong: bool = False) -> None:
        mark = "border-left:4px solid #D55E00;padding-left:8px" if wrong else ""
        style = f"line-height:1.4;{mark}"
        self.status.value = f'<div role="status" aria-live="polite" style="{style}">{html}</div>'


class ResultStage:
    """The photo with its boxes, and the bars under it. The photo is sent to the page once per result."""

    def __init__(self):
        cell = {"grid_area": "photo", "width": "100%", "margin": "0"}
        self.photo = ipywidgets.Image(format="jpeg", layout=ipywidgets.Layout(**cell))
        self.boxes = _classed(ipywidgets.HTML(layout=ipywidgets.Layout(**cell)), "fc-boxes")
        self.frame = ipywidgets.GridBox(
            [self.photo, self.boxes], layout=ipywidgets.Layout(grid_template_areas='"photo"', display="none")
        )
        self.faces = _classed(ipywidgets.HTML(), "fc-faces")
        self.widget = ipywidgets.VBox([self.frame, self.faces], layout=FULL)

    def show(self, result: Result, threshold: float) -> None:
        """Show a result; one without a photo clears the stage."""
        if result.image is None:
            self.clear()
            return
        height, width = result.image.shape[:2]
        self.frame.layout.max_width = f"{min(SHOWN_SIDE, 2 * width, TALLEST * width // height)}px"
        self.photo.value = jpeg(result.image, SHOWN_SIDE)
        self.rename(result, threshold)
        self.frame.layout.display = "grid"

    def rename(self, result: Result, threshold: float) -> None:
        """Write the names that hold at `threshold`."""
        if result.image is not None:
            self.boxes.value = boxes_svg(result, threshold)
            self.faces.value = faces_html(result, threshold)

    def clear(self) -> None:
        """Show nothing."""
        self.frame.layout.display = "none"
        self.photo.value, self.boxes.value, self.faces.value = b"", "", ""


class PastResult(ipywidgets.VBox):
    """One entry of the history: a small picture, who was in it, and a button that brings it back."""

    def __init__(self, result: Result, show: Callable[[Result], None]):
        self.result, self.text = result, ipywidgets.HTML(layout=ipywidgets.Layout(width="140px"))
        picture = [_thumbnail(result.image)] if result.image is not None else []
        super().__init__(
            [*picture, self.text, _button("show", lambda: show(result), width="70px")],
            layout=ipywidgets.Layout(align_items="center", margin="0 8px 8px 0"),
        )

    def rename(self, threshold: float) -> None:
        """Write the names that hold at `threshold`."""
        text = caption(self.result, threshold)
        self.text.value = f'<div style="line-height:1.2;font-size:85%">{text}</div>'

    def close(self) -> None:
        """Take it out of memory too: ipywidgets keeps every widget that is not closed."""
        for child in self.children:
            child.close()
        super().close()


class EnrolPanel:
    """The part of `page` where people are enrolled and removed; its thread does the work."""

    def __init__(self, page: TryIt):
        self.page, self.session = page, page.session
        self.person = _classed(ipywidgets.Text(placeholder="name of the person"), "fc-person")
        self.photos = UploadButton("Enrol from photos", self.enrol, "fc-enrol")
        leaving = ipywidgets.Combobox(placeholder="name to remove", options=self.session.people)
        self.leaving = _classed(leaving, "fc-leaving")
        self.message = _classed(ipywidgets.HTML(), "fc-enrol-message")
        on_screen = _button("Enrol from the photo on screen", self.enrol_on_screen, "fc-enrol-screen")
        self.widget = ipywidgets.VBox(
            [
                ipywidgets.HTML("<b>Enrol a person</b>: one photo is enough, three are better"),
                _row(self.person, self.photos.widget, on_screen),
                _row(self.leaving, _button("Remove", self.remove, "fc-remove", icon="user-times")),
                self.message,
            ]
        )

    def enrol(self, photos: list[tuple[str, bytes]]) -> None:
        """Enrol whoever the name field says from photos, (file name, content), and name what is on screen again."""
        person = self.person.value

        def work() -> None:
            outcome = self.session.enrol(person, photos)
            if outcome.photos:
                self.person.value = ""
                many = "s" * (outcome.photos > 1)
                told = f"{shown_name(outcome.person)} is enrolled from {outcome.photos} photo{many}."
            else:
                told = "Nobody was enrolled."
            self._tell(told, outcome.notes)

        self.page.run(work)

    def enrol_on_screen(self) -> None:
        """Enrol from the photo that is shown."""
        current = self.page.current
        self.enrol([] if current is None or current.image is None else [(current.photo, current.data)])

    def remove(self) -> None:
        """Forget the person in the second name field."""
        person = self.leaving.value

        def work() -> None:
            if self.session.remove(person):
                self.leaving.value = ""
                self._tell(f"{shown_name(person)} is removed: their photos are named unknown now.")
            else:
                self._tell(f"nobody called {person!r} is enrolled")

        self.page.run(work)

    def _tell(self, text: str, notes: list[str] = ()) -> None:
        self.leaving.options = self.session.people
        listed = "".join(f"<li>{escape(note)}</li>" for note in notes)
        content = f"{escape(text)}<ul>{listed}</ul>"
        self.message.value = f'<div role="status" style="line-height:1.4">{content}</div>'
        self.page.follow()
        self.page.draw()


def _row(*children: ipywidgets.Widget) -> ipywidgets.HBox:
    return ipywidgets.HBox(children, layout=ipywidgets.Layout(flex_flow="row wrap"))


def _classed(widget: ipywidgets.Widget, name: str) -> ipywidgets.Widget:
    """Give a widget a CSS class, by which it is found."""
    widget.add_class(name)
    return widget


def _button(text: str, on_click: Callable[[], None], name: str = "fc-button", width: str = "auto", **options):
    layout = ipywidgets.Layout(width=width)
    button = _classed(ipywidgets.Button(description=text, layout=layout, **options), name)
    button.on_click(lambda _: on_click())
    return button


def _thumbnail(image) -> ipywidgets.Image:
    fit = {"object_fit": "contain", "object_position": "center"}
    layout = ipywidgets.Layout(height=f"{THUMBNAIL}px", width="140px", **fit)
    return ipywidgets.Image(value=jpeg(image, 2 * THUMBNAIL), format="jpeg", layout=layout)


def try_it(session: RecognitionSession) -> TryIt:
    """Make the page of notebook 06 over `session`, with the group pictures to click on."""
    return TryIt(session, sorted((DATA / "group").glob("*.jpg")))
