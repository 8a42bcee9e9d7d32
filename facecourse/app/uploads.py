"""A button that takes photos, and notebook 01's form with it: a name and many files -> data/people/Name/."""

import hashlib
import html
import io
import re
from collections.abc import Callable
from pathlib import Path

import ipywidgets
import numpy as np
from PIL import Image

from facecourse.core import paths
from facecourse.core.cache import write_atomically
from facecourse.core.colab import upload_in_colab
from facecourse.photos.files import folder_name
from lambda_function.photos import PhotoError, open_photo, shrink

# Named one by one: an iPhone asked for these hands out a JPEG of its HEIC photo.
PICTURES = "image/jpeg,image/png,image/webp,image/gif,image/bmp"
ENDINGS = {b"\xff\xd8": ".jpg", b"\x89P": ".png", b"RI": ".webp", b"GI": ".gif", b"BM": ".bmp"}
PREVIEW = 72  # pixels
ENOUGH = 10  # photos per person that the course recommends


def jpeg(image: np.ndarray, side: int) -> bytes:
    """Pack a photo, (height, width, 3) uint8 RGB, at most `side` pixels on its longer side, for showing."""
    packed = io.BytesIO()
    Image.fromarray(shrink(image, side)[0]).save(packed, "JPEG", quality=85)
    return packed.getvalue()


class UploadButton:
    """A FileUpload that is replaced by a fresh one after each use; `widget` holds the one of the moment.

    So the same file can be chosen twice in a row, and its bytes stay neither in the page nor in a notebook
    that is saved together with its widgets' state. `on_files` is called with (file name, content) of all that were
    chosen; `name` is the button's CSS class.
    """

    def __init__(self, text: str, on_files: Callable[[list[tuple[str, bytes]]], None], name: str):
        self._text, self._on_files, self._name = text, on_files, name
        self.widget = ipywidgets.HBox()
        self._renew()

    def _renew(self) -> None:
        used = self.widget.children
        upload = ipywidgets.FileUpload(
            accept=PICTURES, multiple=True, description=self._text, layout=ipywidgets.Layout(width="auto")
        )
        upload.add_class(self._name)
        # Version 7 counts uploads; its value does not change when the same file comes again.
        upload.observe(self._received, "_counter" if isinstance(upload.value, dict) else "value")
        self.widget.children = (upload,)
        for old in used:
            old.close()

    def _received(self, change) -> None:
        upload = change["owner"]
        if isinstance(upload.value, dict):  # version 7: by file name, so two files of one name are one in it
            pairs = zip((about["name"] for about in upload.metadata), upload.data, strict=True)
        else:
            pairs = ((record["name"], record["content"]) for record in upload.value)
        if files := [(str(name), bytes(content)) for name, content in pairs]:
            self._renew()
            self._on_files(files)


def save_photos(
    name: str, files: list[tuple[str, bytes]], people: str | Path | None = None
) -> tuple[list[Path], list[str]]:
    """Save photos of one person, (file name, content), as they are: as Name_0001.jpg and on in the person's folder.

    `name` is as somebody types it, see `folder_name`; `people` is data/people by default. Returns the files that were
    written, and a sentence about each photo that was not. Raises ValueError if nothing is left of the name, OSError
    if the folder cannot be written.
    """
    person = folder_name(name)
    folder = Path(people or paths.PEOPLE_DIR).expanduser() / person
    folder.mkdir(parents=True, exist_ok=True)
    there = [path for path in folder.iterdir() if path.is_file()]
    known = {hashlib.sha256(path.read_bytes()).digest(): path.name for path in there}
    numbers = [int(found[1]) for path in there if (found := re.search(r"_(\d+)$", path.stem))]
    number, written, refused = max(numbers, default=0), [], []
    for original, data in files:
        try:
            open_photo(data)
        except PhotoError as error:
            refused.append(_refusal(original, error))
            continue
        if (value := hashlib.sha256(data).digest()) in known:
            refused.append(f"{original}: already there, as {known[value]}")
            continue
        number += 1
        path = folder / f"{person}_{number:04d}{ENDINGS.get(data[:2], '.jpg')}"
        write_atomically(path, data)
        known[value] = path.name
        written.append(path)
    return written, refused


def _refusal(original: str, error: PhotoError) -> str:
    heic = original.lower().endswith((".heic", ".heif"))
    return f"{original}: {error}" + " (an iPhone's own format: export it as JPEG)" * heic


class PeopleUpload:
    """A form that takes a name and many photos, shows them, and saves them into `people`, data/people by default.

    Chosen photos wait in `waiting`, (file name, content), until they are saved. The form's parts can be found by
    their CSS classes: facecourse-person- and then name, photos, save, previews or status.
    """

    def __init__(self, people: str | Path | None = None):
        self.people = Path(people or paths.PEOPLE_DIR).expanduser()
        self.waiting: list[tuple[str, bytes]] = []
        self.name = ipywidgets.Text(description="Name", placeholder="Ada Lovelace")
        self.button = UploadButton("Choose photos", self.add, "facecourse-person-photos")
        self.save = ipywidgets.Button(description="Save", button_style="primary", icon="save")
        self.status = ipywidgets.HTML()
        self.previews = ipywidgets.Box(layout=ipywidgets.Layout(flex_flow="row wrap"))
        for part in ("name", "save", "status", "previews"):
            getattr(self, part).add_class(f"facecourse-person-{part}")
        self.save.on_click(lambda _: self.store())
        row = ipywidgets.HBox([self.name, self.button.widget, self.save])
        self.widget = ipywidgets.VBox([row, self.previews, self.status])
        self._say(f"Write a name, choose about {ENOUGH} photos, save. Then the next person.")

    def add(self, files: list[tuple[str, bytes]]) -> None:
        """Take chosen files: those that are photos are shown and wait to be saved."""
        refused = []
        for original, data in files:
            try:
                small = jpeg(open_photo(data), PREVIEW)
            except PhotoError as error:
                refused.append(_refusal(original, error))
                continue
            layout = ipywidgets.Layout(margin="2px", height=f"{PREVIEW}px")
            self.previews.children += (ipywidgets.Image(value=small, format="jpeg", layout=layout),)
            self.waiting.append((original, data))
        waiting = f"{len(self.waiting)} photos are waiting. Save them, or choose more."
        self._say(*[waiting] * bool(self.waiting), *refused)

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


def upload_people(people: str | Path | None = None, name: str = "") -> ipywidgets.Widget | None:
    """Return notebook 01's upload form, which saves into `people`, data/people by default.

    In Colab there is none: its page loses files of 1 MB and more on their way to a widget (ipywidgets#3452). There the
    photos of the person `name` are asked for by Colab's own file chooser, and saved; without a name nothing happens.
    """
    if not paths.in_colab():
        return PeopleUpload(people).widget
    if not name.strip():
        print("In Colab: write the person's name into NAME and run this cell again; then choose the photos.")
        return None
    written, refused = save_photos(name, upload_in_colab(), people)
    print(f"{folder_name(name)}: {len(written)} saved", *refused, sep="\n")
    return None
