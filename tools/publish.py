"""`make publish`: run the course on LFW with the sample people, and commit-ready notebooks, figures and tables come out.

Everything runs in a copy of the project's tracked files, so that no photo, decision or setting of one reader
can get into what is published. Three runs: profile sample, whose figures and times the README shows; profile
sample with rendered people only, whose pictures stand in wherever a cell shows photos; profile lfw. An
interrupted call goes on with the run that is missing.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np

from facecourse.core import paths
from facecourse.detection import detector
from facecourse.run import alt_text, course
from lambda_function.mtcnn import Mtcnn
from tools import pictures, published, write_figures

ROOT = paths.ROOT
RENDERED = "rendered"  # the run without photos of real people
_EMBEDDED = re.compile(r"<img\b|data:image/(png|jpe?g|webp)")
SMALLEST_FACE = 24  # pixels in a picture; smaller ones nobody can recognise


def project_files() -> list[str]:
    """Return the project's files: tracked, and new ones that git does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(name for name in names if (ROOT / name).is_file())


def fingerprint(names: list[str]) -> str:
    """Return a hash over what a run depends on: code, data, notebooks' code cells."""
    digest = hashlib.sha256()
    for name in names:
        if not name.startswith(("docs/", "tests/")) and not name.endswith(".md"):
            path = ROOT / name
            if path.suffix == ".ipynb":
                cells = json.loads(path.read_text())["cells"]
                content = json.dumps([c["source"] for c in cells if c["cell_type"] == "code"]).encode()
            else:
                content = path.read_bytes()
            digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()[:12]


def copy_project(names: list[str], target: Path) -> None:
    """Copy the project's files and link what was downloaded; the caches start empty."""
    for name in names:
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, place)
    for source in paths.DOWNLOADS.iterdir():
        place = target / "data/downloads" / source.name
        if source.is_dir():
            shutil.copytree(source, place, copy_function=os.link, dirs_exist_ok=True)
        elif not source.name.startswith("."):
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(source, place)


def run(project: Path, profile: str, name: str, warm: bool = False) -> None:
    """Run the course in the copy, into outputs/<name>/; do nothing if that was done before."""
    outputs = project / "outputs" / name
    if (outputs / "finished").exists():
        print(f"{name}: done before, in {os.path.relpath(outputs, ROOT)}")
        return
    if not outputs.exists():
        fill_caches(project, warm or name == RENDERED)
        outputs.mkdir(parents=True)
    keep_celebrities(project, name != RENDERED)
    environment = {key: value for key, value in os.environ.items() if key not in ("PEOPLE", "BACKBONE")}
    environment |= {"PROFILE": profile, "FACECOURSE_OUTPUTS": str(outputs)}
    for place, command in enumerate(commands(name)):
        if (done := outputs / f"step-{place}").exists():
            continue
        try:
            subprocess.run([sys.executable, "-m", *command], cwd=project, env=environment, check=True)
        except subprocess.CalledProcessError:
            if not set(command[1:]) & set(optional_notebooks()):
                raise
            print(f"{command[1:]} did not run to the end: it stays as it is", file=sys.stderr)
        done.touch()
    (outputs / "finished").touch()


def commands(name: str) -> list[list[str]]:
    """Return the modules and their arguments that make up a run; each is done once."""
    if name == RENDERED:
        return [["tools.rendered", notebook] for notebook in (*course.NOTEBOOKS, *optional_notebooks())]
    course_run = [["facecourse.run.prepare"], ["facecourse.run.course"]]
    if name != "sample":
        return course_run
    # What scales is shown on the sample: on LFW it would take longer than the course itself.
    return [
        *course_run,
        ["tools.groups"],
        *(["facecourse.run.course", name] for name in optional_notebooks()),
    ]


def fill_caches(project: Path, warm: bool) -> None:
    """Give a run the caches of this project, or empty ones: then its times are those of a reader's first run."""
    target = project / "data/cache"
    if not warm:
        shutil.rmtree(target, ignore_errors=True)
    elif not target.exists():
        shutil.copytree(paths.CACHE, target)


def keep_celebrities(project: Path, kept: bool) -> None:
    """Put the celebrities' photos aside, or back."""
    photos, aside = project / "data/downloads/celebrities", project / "data/downloads/.celebrities"
    if kept and aside.exists():
        photos.rmdir()
        aside.rename(photos)
    elif not kept and not aside.exists():
        photos.rename(aside)
        photos.mkdir()


def optional_notebooks() -> list[str]:
    """Return the notebooks that `make run` leaves out."""
    return sorted(path.stem for path in ROOT.glob("notebooks/*.ipynb") if path.stem not in course.NOTEBOOKS)


def shows_faces(image, detector: Mtcnn) -> bool:
    """Whether a picture has a face in it that someone could recognise."""
    return any(
        min(face.box[2] - face.box[0], face.box[3] - face.box[1]) >= SMALLEST_FACE
        for face in detector.detect([np.asarray(image)])[0]
    )


def untagged_photos(notebook, detector: Mtcnn) -> list[int]:
    """Return the indices of cells whose pictures show faces though they are not tagged `shows-photos`.

    Photos inside HTML cannot be looked into here, so they count as faces.
    """

    def suspicious(output) -> bool:
        image = published.decoded(output)
        html = published.text_of(output.get("data", {}).get("text/html", ""))
        return (image is not None and shows_faces(image, detector)) or bool(_EMBEDDED.search(html))

    return [
        number
        for number, cell in enumerate(notebook.cells)
        if published.SHOWS_PHOTOS not in cell.metadata.get("tags", [])
        and any(suspicious(output) for output in cell.get("outputs", []))
    ]


def collect(project: Path, profile: str) -> dict[str, nbformat.NotebookNode]:
    """Return the notebooks as they may be published.

    Raises
    ------
    SystemExit
        If a cell shows faces and is not tagged; nothing is written then.
    """
    ready, complaints = {}, []
    detector = detector.detector()
    folders = [str(project), str(ROOT), str(Path.home()), sys.prefix]
    complete = [name for name in optional_notebooks() if _ran_well(project, name)]
    for name, profile_ in [*((n, profile) for n in course.NOTEBOOKS), *((n, "sample") for n in complete)]:
        executed, sample = (
            nbformat.read(project / "outputs" / folder / f"{name}.ipynb", 4)
            for folder in (f"{profile_}/{profile_}", f"{RENDERED}/sample")
        )
        for notebook in (executed, sample):
            alt_text.add_alt_texts(notebook)
        ready[name] = published.publish(executed, sample, folders)
        complaints += [f"{name}, cell {number + 1}" for number in untagged_photos(ready[name], detector)]
    if complaints:
        sys.exit(
            "These show faces and are not tagged `shows-photos`, so nothing was written: "
            + "; ".join(complaints)
        )
    return ready


def _ran_well(project: Path, name: str) -> bool:
    """Whether an optional notebook ran to its end, in both runs; course.py notes the time of those alone."""
    seconds = project / "outputs/sample/sample/seconds.json"
    rendered = project / "outputs" / RENDERED / "sample" / f"{name}.ipynb"
    return name in json.loads(seconds.read_text()) and rendered.exists()


def figures(project: Path, profiles: list[str], warm: bool) -> dict:
    """Return what the runs measured: each profile's report, with the seconds of each notebook, and where."""
    found = {}
    for profile in profiles:
        folder = project / "outputs" / profile / profile
        found[profile] = json.loads((folder / "report.json").read_text())
        found[profile]["notebooks"] = json.loads((folder / "seconds.json").read_text())
    groups = json.loads((project / "outputs/sample/sample/groups.json").read_text())
    machine = f"{paths.THREADS} cores, {_processor()}"
    return {"machine": machine, "caches": "filled" if warm else "empty", **found, "groups": groups}


def _processor() -> str:
    """Name the processor, and whether it has the instructions that double and treble what a core computes."""
    try:
        text = Path("/proc/cpuinfo").read_text()
        model = next(
            line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")
        )
        return f"{model}, {'AVX-512 with VNNI' if 'avx512_vnni' in text else 'no AVX-512'}"
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main() -> None:
    """Run what has not been run, then write the notebooks and, beside them, every figure of the texts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", choices=paths.PROFILES, default="lfw", help="whose outputs to publish")
    parser.add_argument(
        "--warm",
        action="store_true",
        help="reuse boxes and embeddings of data/cache: quick, but the times are then not those of a first run",
    )
    parser.add_argument("--into", type=Path, default=ROOT, help="project folder to write into")
    options = parser.parse_args()
    names = project_files()
    project = paths.OUTPUTS / "publish" / fingerprint(names)
    if mirror := os.environ.get("FACECOURSE_MIRROR", ""):
        os.environ["FACECOURSE_MIRROR"] = mirror if "://" in mirror else str(Path(mirror).resolve())
    if not project.exists():
        unfinished = project.with_suffix(".tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        copy_project(names, unfinished)
        unfinished.rename(project)
    profiles = list(dict.fromkeys(("sample", options.profile)))
    for profile, name in [("sample", "sample"), ("sample", RENDERED), (options.profile, options.profile)]:
        run(project, profile, name, options.warm)
    ready = collect(project, options.profile)
    for name, notebook in ready.items():
        place = options.into / "notebooks" / f"{name}.ipynb"
        place.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, place)
        print(f"{place.name:28s} {place.stat().st_size / 1e6:.2f} MB")
    (options.into / "docs").mkdir(exist_ok=True)
    path = options.into / "docs/figures.json"
    path.write_text(json.dumps(figures(project, profiles, options.warm), indent=1) + "\n")
    pictures.main(project / "outputs/sample/sample", options.into)
    if options.into == ROOT:
        write_figures.main()


if __name__ == "__main__":
    main()
