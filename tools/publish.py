"""`make publish`: run the committed course on the sample, and put its notebooks, figures and front page here.

The run is in a clone with empty caches, so that nothing of one reader's photos, decisions or settings gets in, and the
times are those of a reader's first run. The notebooks in the repository are its outputs, as they came.
"""

import base64
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from matplotlib.patches import Rectangle
from nbconvert.preprocessors import ClearMetadataPreprocessor
from PIL import Image

from facecourse.core.figures import COLOURS, figure
from facecourse.core.paths import DATA, DOWNLOADS, OUTPUTS, ROOT
from facecourse.run.course import SETTINGS
from facecourse.run.execution import WIDGET
from lambda_function.gallery import UNKNOWN
from lambda_function.photos import open_photo
from lambda_function.pipeline import Recogniser
from tools import figures, film


def run(clone: Path) -> None:
    """Run everything that is committed: the six notebooks, the optional ones, the errors by group.

    Raises
    ------
    subprocess.CalledProcessError
        If one of the six fails, or the table cannot be made. An optional notebook that fails is only not published.
    """
    shutil.rmtree(clone, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone], check=True)
    (clone / "data/downloads").symlink_to(DOWNLOADS)
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    python = {"cwd": clone, "env": environment}
    for module in ("facecourse.run.prepare", "facecourse.run.course", "tools.groups"):
        subprocess.run([sys.executable, "-m", module], check=True, **python)
    done = {path.stem for path in (clone / "outputs/sample").glob("*.ipynb")}
    for name in sorted({path.stem for path in (clone / "notebooks").glob("*.ipynb")} - done):
        if subprocess.run([sys.executable, "-m", "facecourse.run.course", name], **python).returncode:
            (clone / f"outputs/sample/{name}.ipynb").unlink(missing_ok=True)


def publishable(notebook: nbformat.NotebookNode, folders: list[str]) -> nbformat.NotebookNode:
    """Return an executed notebook without what is of the run and the machine alone: metadata, `folders`, addresses."""
    clear = ClearMetadataPreprocessor(
        enabled=True,
        preserve_cell_metadata_mask={"tags", "jupyter"},
        preserve_nb_metadata_mask={"kernelspec", ("language_info", "name")},
    )
    notebook, _ = clear.preprocess(notebook, {})
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
                if getattr(picture, "is_animated", False):
                    continue
                del output.data["image/png"]
                kind, packed = small(picture.convert("RGB"))
                output.data[kind] = base64.b64encode(packed).decode()
                output.metadata[kind] = output.metadata.pop("image/png", {})
    text = nbformat.writes(notebook)
    for folder in folders:
        text = text.replace(folder.rstrip("/") + "/", "")
    return nbformat.reads(re.sub(r"\bat 0x[0-9a-f]+", "at 0x...", text), as_version=4)


def pictured(notebook: nbformat.NotebookNode, page: Image.Image) -> nbformat.NotebookNode:
    """Show a picture of the page of notebook 06 where the widget was; the sentence in its place is still its text."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and "utils.try_it(" in cell.source:
            kind, packed = small(page)
            data = {kind: base64.b64encode(packed).decode(), "text/plain": WIDGET.strip("*")}
            cell.outputs = [nbformat.v4.new_output("display_data", data, metadata={kind: {"alt": film.ALT}})]
    return notebook


def small(image: Image.Image) -> tuple[str, bytes]:
    """Pack a picture as PNG with few colours or as JPEG, whichever is smaller, and return its kind too."""
    photo = io.BytesIO()
    image.save(photo, "JPEG", quality=85, optimize=True)
    packed = {"image/png": few_colours(image), "image/jpeg": photo.getvalue()}
    return min(packed.items(), key=lambda item: len(item[1]))


def few_colours(image: Image.Image) -> bytes:
    """Pack a picture as PNG with 256 colours of its own."""
    packed = io.BytesIO()
    image.quantize(palette=image.quantize(256)).save(packed, "PNG", optimize=True)
    return packed.getvalue()


def front_page(model: Path) -> bytes:
    """Draw what a model says about a group picture: five people with their score, and dashed who is unknown to it."""
    photo = open_photo(DATA / "group/group_02.jpg")[20:500]
    picture, axes = figure(width=photo.shape[1] / 100, height=photo.shape[0] / 100)
    axes.imshow(photo)
    axes.axis("off")
    for face in Recogniser.load(model).recognise(photo):
        x0, y0, x1, y1 = face["box"]
        known = face["name"] != UNKNOWN
        colour, line = (COLOURS["sky"], "-") if known else (COLOURS["orange"], "--")
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ec=colour, lw=3, ls=line))
        text = face["name"].replace("_", " ") + (f"\n{face['score']:.2f}" if known else "")
        style = {"boxstyle": "round,pad=0.25", "facecolor": colour, "edgecolor": "none"}
        axes.text((x0 + x1) / 2, y1 + 12, text, ha="center", va="top", fontsize=14, bbox=style)
    drawn = io.BytesIO()
    picture.savefig(drawn, dpi=100, bbox_inches="tight", pad_inches=0.04)
    return few_colours(Image.open(drawn).convert("RGB"))


def main() -> None:
    """Run, then write notebooks/, docs/result.png, docs/upload.webp, docs/figures.json and the tables made from it."""
    if subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no"], cwd=ROOT, capture_output=True
    ).stdout:
        sys.exit("make publish runs what is committed, and writes over it: commit your changes first")
    clone, browser = OUTPUTS / "publish", film.chromium()
    run(clone)
    shots = film.film(clone, browser)
    for path in sorted((clone / "outputs/sample").glob("*.ipynb")):
        folders = [str(clone), str(ROOT), sys.prefix, str(Path.home())]
        notebook = publishable(nbformat.read(path, as_version=4), folders)
        nbformat.write(pictured(notebook, shots[film.NAMED][0]), ROOT / "notebooks" / path.name)
    (ROOT / "docs/upload.webp").write_bytes(film.packed(shots))
    (ROOT / "docs/result.png").write_bytes(front_page(clone / "outputs/sample/model"))
    figures.add("sample", clone / "outputs/sample")


if __name__ == "__main__":
    main()
