"""A button that takes files, under ipywidgets 7 and 8 alike, and keeps none of them."""

from collections.abc import Callable

import ipywidgets

# Named one by one: an iPhone asked for these hands out a JPEG of its HEIC photo.
PICTURES = "image/jpeg,image/png,image/webp,image/gif,image/bmp"


def uploaded_files(upload: ipywidgets.FileUpload) -> list[tuple[str, bytes]]:
    """Return what was put into a FileUpload as (file name, content), whichever ipywidgets is installed.

    Version 8 has a tuple of records. Version 7 has a dictionary by file name, in which two files of one name
    are one, so its two lists are read instead.
    """
    if isinstance(upload.value, dict):
        pairs = zip(upload.metadata, upload.data, strict=True)
        return [(str(about["name"]), bytes(content)) for about, content in pairs]
    return [(str(record["name"]), bytes(record["content"])) for record in upload.value]


class UploadButton:
    """A FileUpload that is replaced by a fresh one after each use.

    So the same file can be chosen twice in a row, and its bytes stay neither in the page nor in a notebook
    that is saved together with its widgets' state.

    Parameters
    ----------
    text : str
        On the button.
    on_files : callable
        Called with a list of (file name, content) each time files were chosen.
    name : str
        CSS class of the button, for tests and styles.

    Attributes
    ----------
    widget : ipywidgets.Box
        To be shown; it holds the FileUpload of the moment.
    """

    def __init__(self, text: str, on_files: Callable[[list[tuple[str, bytes]]], None], name: str):
        self._text, self._on_files, self._name = text, on_files, name
        self.widget = ipywidgets.HBox()
        self._renew()

    def _renew(self) -> None:
        used = self.widget.children
        upload = ipywidgets.FileUpload(
            accept=PICTURES,
            multiple=True,
            description=self._text,
            layout=ipywidgets.Layout(width="auto"),
        )
        upload.add_class(self._name)
        # Version 7 counts uploads; its value does not change when the same file comes again.
        upload.observe(self._received, "_counter" if isinstance(upload.value, dict) else "value")
        self.widget.children = (upload,)
        for old in used:
            old.close()

    def _received(self, change) -> None:
        files = uploaded_files(change["owner"])
        if files:
            self._renew()
            self._on_files(files)
