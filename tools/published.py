"""What is kept of an executed notebook when it is published, and what is not."""

import base64
import hashlib
import io
import re

from nbformat.v4 import new_output
from PIL import Image

PICTURES = ("image/png", "image/jpeg")
WIDGET = "application/vnd.jupyter.widget-view+json"
SHOWS_PHOTOS = "shows-photos"
HASH = "source_sha256"
WIDEST = 1000  # pixels; a notebook's page is not wider
FROM_SAMPLE = (
    "*The picture shows the bundled sample: photos of real people are not published. "
    "Run the cell to see your own.*"
)
NOT_SHOWN = "*Photos of real people are not published. Run the cell to see them.*"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def source_hash(source: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a cell's source."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def stale_cells(notebook) -> list[int]:
    """Return the indices of code cells whose source is not the one that their outputs were made from."""
    return [
        number
        for number, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and cell.metadata.get(HASH) != source_hash(cell.source)
    ]


def publish(executed, sample, folders: list[str]):
    """Make a notebook ready for the repository, in place: outputs that may be seen, and nothing of the machine.

    Parameters
    ----------
    executed : NotebookNode
        Notebook after a run.
    sample : NotebookNode
        The same notebook after a run on rendered people only. Where a cell is tagged `shows-photos`, its
        pictures are taken from here; the printed figures stay those of `executed`.
    folders : list of str
        Absolute folders of the run, taken out of all texts.

    Returns
    -------
    NotebookNode
        `executed`.

    Raises
    ------
    ValueError
        If the two notebooks do not have the same cells.
    """
    if [cell.source for cell in executed.cells] != [cell.source for cell in sample.cells]:
        raise ValueError("the two runs are not of the same notebook")
    for cell, stand_in in zip(executed.cells, sample.cells, strict=True):
        tags = cell.metadata.get("tags", [])
        cell.metadata = {**cell.metadata, "tags": tags} if tags else dict(cell.metadata)
        for name in ("execution", HASH, "trusted", "collapsed"):
            cell.metadata.pop(name, None)
        if cell.cell_type == "code":
            outputs = cell.outputs
            if SHOWS_PHOTOS in tags:
                outputs = _with_pictures_of(outputs, stand_in.outputs)
            cell.outputs = _joined([kept for output in outputs if (kept := _clean(output, folders))])
            cell.metadata[HASH] = source_hash(cell.source)
    executed.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return executed


def pictures(output) -> list[str]:
    """Return the kinds of picture that an output holds, pictures inside HTML included."""
    data = output.get("data", {})
    kinds = [kind for kind in data if kind.startswith("image/")]
    if re.search(r"<(img|svg|canvas)\b|data:image/", text_of(data.get("text/html", ""))):
        kinds.append("text/html")
    return kinds


def decoded(output) -> Image.Image | None:
    """Return an output's PNG or JPEG as an RGB image, or None if it has neither."""
    for kind in PICTURES:
        if kind in output.get("data", {}):
            return Image.open(io.BytesIO(base64.b64decode(text_of(output.data[kind])))).convert("RGB")
    return None


def _with_pictures_of(outputs: list, sample: list) -> list:
    """Replace the outputs that hold pictures by those of the sample's run, with a word about it."""
    replaced = [output for output in sample if pictures(output)]
    kept = [output for output in outputs if not pictures(output)]
    if len(kept) == len(outputs):
        return kept
    note = FROM_SAMPLE if replaced else NOT_SHOWN
    return [*kept, *replaced, new_output("display_data", {"text/markdown": note})]


def _clean(output, folders: list[str]):
    """Return an output without progress bars, widgets, places of the machine and needless size; or None."""
    if output.output_type == "stream":
        if output.name == "stderr":  # progress bars
            return None
        output.text = _without_places(_last_lines(text_of(output.text)), folders)
        return output if output.text.strip() else None
    if output.output_type == "error":
        raise ValueError(f"a cell failed: {output.ename}: {output.evalue}")
    if WIDGET in output.data:
        output.data = {"text/markdown": "*Here is a widget: run the notebook to use it.*"}
        output.output_type, output.metadata = "display_data", {}
        output.pop("execution_count", None)
        return output
    for kind in list(output.data):
        if kind in PICTURES:
            small_kind, data = small(decoded(output))
            alt = output.metadata.get(kind, {}).get("alt")
            del output.data[kind]
            output.data[small_kind] = data
            output.metadata = {small_kind: {"alt": alt}} if alt else {}
        elif kind.startswith("text/"):
            output.data[kind] = _without_places(text_of(output.data[kind]), folders)
    return output


def _joined(outputs: list) -> list:
    """Join neighbouring pieces of printed text, which a kernel cuts at random."""
    joined = []
    for output in outputs:
        if joined and output.output_type == "stream" == joined[-1].output_type:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def small(image: Image.Image, widest: int = WIDEST) -> tuple[str, str]:
    """Encode at most `widest` wide, as PNG with 256 colours or as JPEG, whichever is smaller: kind and base64."""
    if image.width > widest:
        image = image.resize((widest, round(image.height * widest / image.width)), Image.Resampling.LANCZOS)
    drawn, photo = io.BytesIO(), io.BytesIO()
    few_colours(image).save(drawn, "PNG", optimize=True)
    image.save(photo, "JPEG", quality=85, optimize=True)
    kind, data = min((("image/png", drawn), ("image/jpeg", photo)), key=lambda pair: pair[1].tell())
    return kind, base64.b64encode(data.getvalue()).decode()


def few_colours(image: Image.Image) -> Image.Image:
    """Return an RGB image with 256 colours of its own; pictures with more of them are dithered."""
    if image.getcolors(256):
        return image.quantize(256)
    palette = image.quantize(256, kmeans=1)
    return image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def _last_lines(text: str) -> str:
    """Keep of every line what is seen after its carriage returns, without terminal colours and Ray's own log."""
    lines = (line.rstrip("\r").split("\r")[-1] for line in _ANSI.sub("", text).split("\n"))
    return "\n".join(line for line in lines if not line.startswith("(raylet)"))


def _without_places(text: str, folders: list[str]) -> str:
    for folder in sorted(folders, key=len, reverse=True):
        text = text.replace(folder.rstrip("/") + "/", "").replace(folder.rstrip("/"), ".")
    return re.sub(r"0x[0-9a-f]{8,}", "0x...", text)  # where an object lies in memory differs in each run


def text_of(value) -> str:
    """Return a text that a notebook may hold as a list of lines."""
    return "".join(value) if isinstance(value, list) else value
