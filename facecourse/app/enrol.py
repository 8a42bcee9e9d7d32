"""The part of notebook 06's page where people are enrolled and removed."""

from html import escape

import ipywidgets

from facecourse.app.pages import shown_name
from facecourse.app.session import Desk, Enrolment
from facecourse.app.upload_button import UploadButton

WRAP = ipywidgets.Layout(flex_flow="row wrap")


class EnrolPanel:
    """Name field, photos, remove.

    Parameters
    ----------
    desk : Desk
    page : TryIt
        Whose thread does the work and whose results are named again afterwards.
    """

    def __init__(self, desk: Desk, page):
        self.desk, self.page, self._last_batch = desk, page, []
        self.person = ipywidgets.Text(placeholder="name of the person", continuous_update=True)
        self.person.add_class("fc-person")
        self.photos = UploadButton("Enrol from photos", self.enrol, "fc-enrol")
        on_screen = ipywidgets.Button(
            description="Enrol from the photo on screen", layout=ipywidgets.Layout(width="auto")
        )
        on_screen.add_class("fc-enrol-screen")
        on_screen.on_click(lambda _: self.enrol_on_screen())
        self.leaving = ipywidgets.Combobox(
            placeholder="name to remove", options=desk.people, ensure_option=False
        )
        self.leaving.add_class("fc-leaving")
        remove = ipywidgets.Button(
            description="Remove", icon="user-times", layout=ipywidgets.Layout(width="auto")
        )
        remove.add_class("fc-remove")
        remove.on_click(lambda _: self.remove())
        self.message = ipywidgets.HTML()
        self.message.add_class("fc-enrol-message")
        self.widget = ipywidgets.VBox(
            [
                ipywidgets.HTML("<b>Enrol a person</b>: one photo is enough, three are better"),
                ipywidgets.HBox([self.person, self.photos.widget, on_screen], layout=WRAP),
                ipywidgets.HBox([self.leaving, remove], layout=WRAP),
                self.message,
            ]
        )

    def enrol(self, photos: list[tuple[str, bytes]]) -> None:
        """Enrol whoever the name field says from photos, (file name, content), and name what is on screen again."""
        person = self.person.value
        self.page.run(lambda: self._finish(self.desk.enrol(person, photos)))

    def enrol_on_screen(self) -> None:
        """Enrol from the photo that is shown."""
        current = self.page.current
        self.enrol([] if current is None or current.image is None else [(current.photo, current.data)])

    def remove(self) -> None:
        """Forget the person in the second name field."""
        person = self.leaving.value

        def work() -> None:
            removed = self.desk.remove(person)
            self._changed()
            self._say(
                f"{shown_name(person)} is removed: their photos are named unknown now."
                if removed
                else f"nobody called {person!r} is enrolled"
            )
            self.leaving.value = "" if removed else person

        self.page.run(work)

    def _finish(self, outcome: Enrolment) -> None:
        self._changed()
        if outcome.photos:
            self.person.value = ""
            told = f"{shown_name(outcome.person)} is enrolled from {outcome.photos} photo{'s' * (outcome.photos > 1)}."
        else:
            told = "Nobody was enrolled."
        self._say(told, outcome.notes)

    def _changed(self) -> None:
        self.leaving.options = self.desk.people
        self.page.refresh()

    def _say(self, text: str, notes: list[str] = ()) -> None:
        listed = "".join(f"<li>{escape(note)}</li>" for note in notes)
        self.message.value = (
            f'<div role="status" style="line-height:1.4">{escape(text)}<ul>{listed}</ul></div>'
        )
