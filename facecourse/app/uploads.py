"""An upload form for notebook 01: a name and many files -> data/people/Name/."""

import html
import io
import re
from pathlib import Path

import ipywidgets
from PIL import Image

from facecourse.app.upload_button import UploadButton
from facecourse.core import paths
from facecourse.core.files import write_atomically
from facecourse.photos.files import folder_name, sha256
from lambda_function.photos import PhotoError, open_photo, shrink

_ENDINGS = {b"\xff\xd8": ".jpg", b"\x89P": ".png", b"RI": ".webp", b"GI": ".gif", b"BM": ".bmp"}
THUMBNAIL = 72  # pixels
ENOUGH = 10  # photos per person that the course recommends


def save_photos(
    name: str, files: list[tuple[str, bytes]], people: str | Path | None = None
) -> tuple[list[Path], list[str]]:
    """Save photos of one person, as they are, under names of the course's own.

    Parameters
    ----------
    name : str
        As somebody types it: "Zoë Saldaña" goes into the folder Zoë_Saldaña, see `photo_files.folder_name`.
    files : list of (str, bytes)
        File names and contents.
    people : path, optional
        Folder of the people; data/people by default.

    Returns
    -------
    (list of Path, list of str)
        The files that were written, Name_0001.jpg and on, and one sentence about each that was not.

    Raises
    ------
    ValueError
        If nothing is left of the name.
    OSError
        If the folder cannot be written.
    """
    person = folder_name(name)
    folder = Path(people or paths.PEOPLE_DIR).expanduser() / person
    folder.mkdir(parents=True, exist_ok=True)
    known = {sha256(path.read_bytes()): path.name for path in folder.iterdir() if path.is_file()}
    numbers = [int(found[1]) for path in folder.iterdir() if (found := re.search(r"_(\d+)$", path.stem))]
    number, written, refused = max(numbers, default=0), [], []
    for original, data in files:
        try:
            open_photo(data)
        except PhotoError as error:
            refused.append(f"{original}: {error.message}{_advice(original)}")
            continue
        if (value := sha256(data)) in known:
            refused.append(f"{original}: already there, as {known[value]}")
            continue
        number += 1
        path = folder / f"{person}_{number:04d}{_ENDINGS.get(data[:2], '.jpg')}"
        write_atomically(path, data)
        known[value] = path.name
        written.append(path)
    return written, refused


def _advice(original: str) -> str:
    heic = original.lower().endswith((".heic", ".heif"))
    return " (an iPhone's own format: export it as JPEG)" if heic else ""


class PeopleUpload:
    """A form that takes a name and many photos, shows them, and saves them.

    Its parts can be found by their CSS classes: facecourse-person-name (the text field),
    facecourse-person-photos (the button that opens the file chooser), facecourse-person-save (the button that
    saves), facecourse-person-previews (the chosen photos) and facecourse-person-status (what happened).

    Parameters
    ----------
    people : path, optional
        Folder of the people; data/people by default.

    Attributes
    ----------
    widget : ipywidgets.Box
    name : ipywidgets.Text
    save : ipywidgets.Button
    status : ipywidgets.HTML
    waiting : list of (str, bytes)
        Photos that were chosen and not saved yet.
    """

    def __init__(self, people: str | Path | None = None):
        self.people = Path(people or paths.PEOPLE_DIR).expanduser()
        self.waiting: list[tuple[str, bytes]] = []
        self.name = ipywidgets.Text(description="Name", placeholder="Ada Lovelace")
        self.button = UploadButton("Choose photos", self.add, "facecourse-person-photos")
        self.save = ipywidgets.Button(description="Save", button_style="primary", icon="save")
        self.status = ipywidgets.HTML()
        self.previews = ipywidgets.Box(layout=ipywidgets.Layout(flex_flow="row wrap"))
        self.name.add_class("facecourse-person-name")
        self.save.add_class("facecourse-person-save")
        self.status.add_class("facecourse-person-status")
        self.previews.add_class("facecourse-person-previews")
        self.save.on_click(lambda _: self.store())
        row = ipywidgets.HBox([self.name, self.button.widget, self.save])
        self.widget = ipywidgets.VBox([row, self.previews, self.status])
        self._say(f"Write a name, choose about {ENOUGH} photos, save. Then the next person.")

    def add(self, files: list[tuple[str, bytes]]) -> None:
        """Take chosen files: those that are photos are shown and wait to be saved."""
        refused = []
        for original, data in files:
            try:
                self.previews.children += (_preview(data),)
                self.waiting.append((original, data))
            except PhotoError as error:
                refused.append(f"{original}: {error.message}{_advice(original)}")
        lines = (
            [f"{len(self.waiting)} photos are waiting. Save them, or choose more."] if self.waiting else []
        )
        self._say(*lines, *refused)

    def store(self) -> None:
        """Save the waiting photos under the name, and say what happened."""
        if not self.waiting:
            return self._say("Choose photos first.")
        try:
            written, refused = save_photos(self.name.value, self.waiting, self.people)
        except ValueError:
            return self._say("Write the person's name first: it needs at least one letter or digit.")
        except OSError as error:
            return self._say(f"Nothing was lost, but it cannot be written: {error.strerror}. Save again.")
        person = folder_name(self.name.value)
        total = sum(path.is_file() for path in (self.people / person).iterdir())
        for preview in self.previews.children:
            preview.close()
        self.waiting, self.previews.children = [], ()
        more = f" About {ENOUGH - total} more would help." if total < ENOUGH else ""
        return self._say(f"{person}: {len(written)} saved, {total} in all.{more}", *refused)

    def _say(self, *lines: str) -> None:
        self.status.value = "<br>".join(html.escape(line) for line in lines)


def _preview(data: bytes) -> ipywidgets.Image:
    """A small copy of a photo, as a widget."""
    small = io.BytesIO()
    Image.fromarray(shrink(open_photo(data), THUMBNAIL)[0]).save(small, "JPEG", quality=80)
    layout = ipywidgets.Layout(margin="2px", height=f"{THUMBNAIL}px")
    return ipywidgets.Image(value=small.getvalue(), format="jpeg", layout=layout)


def upload_people(people: str | Path | None = None) -> ipywidgets.Widget:
    """Return the upload form of `PeopleUpload` for the notebook.

    Parameters
    ----------
    people : path, optional
        Folder of the people; data/people by default.
    """
    return PeopleUpload(people).widget
