"""The page of notebook 06: upload a photo and see who it is. Core ipywidgets only, versions 7 and 8."""

import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from html import escape
from pathlib import Path

import ipywidgets

from facecourse.app.enrol import EnrolPanel
from facecourse.app.pages import SHOWN_SIDE, THUMBNAIL, boxes_svg, caption, faces_html, jpeg
from facecourse.app.session import Desk, Result
from facecourse.app.upload_button import UploadButton
from facecourse.core.paths import DATA
from lambda_function.photos import open_photo

HERE, DEPLOYED = "this computer", "deployed function"
REMEMBERED = 12
TALLEST = 520  # pixels: the bars under a photo should be on screen with it
FULL = ipywidgets.Layout(width="100%")


class TryIt:
    """Upload, name, move the threshold, enrol, remove: one widget over a `Desk`.

    Parameters
    ----------
    desk : Desk
    bundled : list of Path
        Photos to click on for those who have none at hand.

    Attributes
    ----------
    widget : ipywidgets.Widget
        What is shown.
    current : Result or None
        What is on screen.
    results : deque of Result
        The last results, newest first.

    Notes
    -----
    The networks run in one thread of their own, so that the page goes on answering meanwhile; uploads queue.
    """

    def __init__(self, desk: Desk, bundled: list[Path]):
        self.desk, self.current = desk, None
        self.results: deque[Result] = deque(maxlen=REMEMBERED)
        self._worker, self._pending = ThreadPoolExecutor(max_workers=1), Future()
        self._pending.set_result(None)
        self.upload = UploadButton("Upload photos", self.open, "fc-upload")
        self.where = ipywidgets.ToggleButtons(options=[HERE, DEPLOYED])
        self.where.add_class("fc-where")
        self.threshold = ipywidgets.FloatSlider(
            desk.threshold, min=0, max=1, step=0.01, description="Threshold", readout_format=".2f"
        )
        self.threshold.add_class("fc-threshold")
        self.threshold.observe(lambda _: self._draw(), "value")
        self.reset = ipywidgets.Button(
            description=f"back to {desk.threshold:.2f}", tooltip="as notebook 04 chose it"
        )
        self.reset.on_click(lambda _: setattr(self.threshold, "value", desk.threshold))
        self.status = ipywidgets.HTML()
        self.status.add_class("fc-status")
        self.progress = ipywidgets.IntProgress(layout=ipywidgets.Layout(width="200px", visibility="hidden"))
        self.stage = ResultStage()
        self.past = ipywidgets.HBox(layout=ipywidgets.Layout(flex_flow="row wrap"))
        self.past.add_class("fc-history")
        self.enrolment = EnrolPanel(desk, self)
        self.widget = self._arrange(bundled)
        self._say("Ready: upload a photo, or click one of the pictures.")

    def _arrange(self, bundled: list[Path]) -> ipywidgets.Widget:
        samples = [self._bundled(path) for path in bundled]
        forget = ipywidgets.Button(
            description="Forget all photos", icon="trash", layout=ipywidgets.Layout(width="auto")
        )
        forget.add_class("fc-forget")
        forget.on_click(lambda _: self.forget())
        box = ipywidgets.VBox(
            [
                ipywidgets.HBox(
                    [self.upload.widget, self.where], layout=ipywidgets.Layout(flex_flow="row wrap")
                ),
                ipywidgets.HBox(samples, layout=ipywidgets.Layout(flex_flow="row wrap")),
                ipywidgets.HBox([self.status, self.progress], layout=ipywidgets.Layout(flex_flow="row wrap")),
                ipywidgets.HBox([self.threshold, self.reset], layout=ipywidgets.Layout(flex_flow="row wrap")),
                self.stage.widget,
                ipywidgets.HBox([ipywidgets.HTML("<b>Last results</b>"), forget]),
                self.past,
                self.enrolment.widget,
            ],
            layout=FULL,
        )
        box.add_class("fc-try-it")
        return box

    def _bundled(self, path: Path) -> ipywidgets.Widget:
        picture = thumbnail(jpeg(open_photo(path), 2 * THUMBNAIL))
        button = ipywidgets.Button(
            description=path.stem.replace("_", " "), layout=ipywidgets.Layout(width="130px")
        )
        button.add_class("fc-bundled")
        button.on_click(lambda _: self.open([(path.name, path.read_bytes())]))
        return ipywidgets.VBox([picture, button], layout=ipywidgets.Layout(align_items="center"))

    def open(self, photos: list[tuple[str, bytes]]) -> None:
        """Name the faces of photos, (file name, content), one after the other, and show each as it is done."""
        deployed = self.where.value == DEPLOYED

        def work() -> None:
            for done, (name, data) in enumerate(photos):
                self._busy(f"Looking at {name}", done, len(photos))
                result = self.desk.recognise(name, data, deployed)
                self.results.appendleft(result)
                self.show(result)
            self._busy("", 0, 0)
            failed = sum(bool(result.problem) for result in list(self.results)[: len(photos)])
            many = f" {len(photos)} photos, {failed} of them with a problem." if len(photos) > 1 else ""
            self._say(caption(self.current, self.threshold.value) + many, bool(self.current.problem))

        self.run(work)

    def run(self, work: Callable[[], None]) -> None:
        """Do `work` in the widget's thread, after what is already waiting there."""
        self._busy("Working", 0, 1)

        def guarded() -> None:
            try:
                work()
            except Exception as error:  # a thread's error would otherwise be seen by nobody
                traceback.print_exc()
                self._busy("", 0, 0)
                self._say(f"Something went wrong: {escape(str(error) or type(error).__name__)}", True)

        self._pending = self._worker.submit(guarded)

    def wait(self) -> None:
        """Return when everything that was asked for is done."""
        self._pending.result()

    def show(self, result: Result) -> None:
        """Put one result on screen."""
        self.current = result
        self.stage.show(result, self.threshold.value)
        self._list_past()

    def refresh(self) -> None:
        """Name the faces on screen again: somebody was enrolled or removed."""
        for result in self.results:
            self.desk.decide(result)
        self._draw()

    def forget(self) -> None:
        """Take every photo off the page and out of memory; enrolled people stay."""
        self.results.clear()
        self.current = None
        self.stage.clear()
        self._list_past()
        self._say("All photos are forgotten.")

    def _draw(self) -> None:
        """Rename what is on screen at the slider's threshold."""
        if self.current is not None:
            self.stage.rename(self.current, self.threshold.value)
            self._say(caption(self.current, self.threshold.value), bool(self.current.problem))
        self._list_past()

    def _list_past(self) -> None:
        """Redraw the history; a photo that is there already keeps its thumbnail."""
        known = {id(child.result): child for child in self.past.children}
        cards = []
        for result in self.results:
            card = known.pop(id(result), None) or PastResult(result, self.show)
            card.rename(self.threshold.value)
            cards.append(card)
        if tuple(cards) != self.past.children:
            self.past.children = tuple(cards)

    def _busy(self, what: str, done: int, of: int) -> None:
        self.progress.layout.visibility = "visible" if of else "hidden"
        self.progress.max, self.progress.value = max(of, 1), done
        if what:
            count = f" ({done + 1} of {of})" if of > 1 else ""
            self._say(f"{escape(what)}{count} …")

    def _say(self, html: str, wrong: bool = False) -> None:
        mark = "border-left:4px solid #D55E00;padding-left:8px" if wrong else ""
        self.status.value = (
            f'<div role="status" aria-live="polite" style="line-height:1.4;{mark}">{html}</div>'
        )


class ResultStage:
    """The photo with its boxes, and the bars under it. The photo is sent to the page once per result."""

    def __init__(self):
        cell = {"grid_area": "photo", "width": "100%", "margin": "0"}
        self.photo = ipywidgets.Image(format="jpeg", layout=ipywidgets.Layout(**cell))
        self.boxes = ipywidgets.HTML(layout=ipywidgets.Layout(**cell))
        self.boxes.add_class("fc-boxes")
        self.frame = ipywidgets.GridBox(
            [self.photo, self.boxes], layout=ipywidgets.Layout(grid_template_areas='"photo"', display="none")
        )
        self.faces = ipywidgets.HTML()
        self.faces.add_class("fc-faces")
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
        self.result = result
        self.text = ipywidgets.HTML(layout=ipywidgets.Layout(width="140px"))
        button = ipywidgets.Button(description="show", layout=ipywidgets.Layout(width="70px"))
        button.on_click(lambda _: show(result))
        picture = [thumbnail(jpeg(result.image, 2 * THUMBNAIL))] if result.image is not None else []
        super().__init__(
            [*picture, self.text, button],
            layout=ipywidgets.Layout(align_items="center", margin="0 8px 8px 0"),
        )

    def rename(self, threshold: float) -> None:
        """Write the names that hold at `threshold`."""
        self.text.value = (
            f'<div style="line-height:1.2;font-size:85%">{caption(self.result, threshold)}</div>'
        )


def thumbnail(data: bytes) -> ipywidgets.Image:
    """Show a small JPEG."""
    return ipywidgets.Image(
        value=data,
        format="jpeg",
        layout=ipywidgets.Layout(
            height=f"{THUMBNAIL}px", width="140px", object_fit="contain", object_position="center"
        ),
    )


def try_it(desk: Desk) -> TryIt:
    """Make the page of notebook 06 over `desk`, with the four group pictures to click on."""
    return TryIt(desk, sorted((DATA / "group").glob("*.jpg")))
