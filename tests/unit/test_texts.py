"""The texts: spelling, links, nothing left to fill in, and that they tell of what is there."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.conftest import ROOT
from tests.unit.test_house import tracked_files
from tools import write_figures

TEXTS = {".md", ".ipynb", ".py", ".html", ".yaml", ".yml", ".cff", ".toml", ".txt", ".svg"}
AMERICAN = {
    "behavior": "behaviour", "center": "centre", "color": "colour", "colors": "colours", "favor": "favour",
    "gray": "grey", "neighbor": "neighbour", "neighbors": "neighbours", "normalize": "normalise",
    "normalization": "normalisation", "normalized": "normalised", "optimize": "optimise", "recognize": "recognise",
    "recognized": "recognised", "recognizer": "recogniser", "analyze": "analyse", "organize": "organise",
    "artifact": "artefact", "artifacts": "artefacts", "labeled": "labelled", "license": "licence",
}  # fmt: skip
EXTERNAL = ROOT / "tests/unit/external_links.txt"


def markdown(path) -> str:
    """A text as a reader sees it: of notebooks the markdown cells."""
    text = path.read_text(errors="ignore")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return re.sub(r"data:image/[^)\s\"]+", "data:", text)


def texts(*suffixes):
    return [path for path in tracked_files() if path.suffix in suffixes and path.name != "external_links.txt"]


def prose(text: str) -> str:
    """Without code, links, addresses, quotations, names of works (in italics) and formulas."""
    for pattern in (
        r"^---\n.*?\n---\n", r"```.*?```", r"`[^`\n]*`", r"\$\$.*?\$\$", r"\$[^$\n]+\$", r"\]\([^)]*\)",
        r"https?://\S+", r"<[^>]+>", r'"[^"\n]*"', r"(?<!\*)\*[^*\n]+\*(?!\*)", r"Labeled Faces(?: in the Wild)?",
        r"\bLICENSE\b",
    ):  # fmt: skip
        text = re.sub(pattern, " ", text, flags=re.S | re.M)
    return text


def test_spelling(tmp_path):
    """Codespell over code and texts; of notebooks only what was written, not what a run put out."""
    files = []
    for path in texts(*TEXTS):
        if path.suffix == ".ipynb":
            cells = json.loads(path.read_text())["cells"]
            copy = tmp_path / f"{path.stem}.md"
            copy.write_text(
                re.sub(r"data:image/\S+", "", "\n\n".join("".join(cell["source"]) for cell in cells))
            )
            path = copy
        files.append(str(path))
    command = [sys.executable, "-m", "codespell_lib", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", texts(".md", ".ipynb"), ids=lambda path: path.name)
def test_british_spelling(path):
    words = re.findall(r"[A-Za-z]+", prose(markdown(path)))
    found = {word: AMERICAN[word.lower()] for word in words if word.lower() in AMERICAN}
    assert not found


def test_no_placeholder_is_left():
    pattern = re.compile(r"\b(TIME\d\d|LFW\d\d|[A-Z]+_TEXT|TODO|FIXME|XXX|TBD|lorem ipsum)\b")
    for path in texts(".md", ".ipynb", ".cff", ".html", ".yaml"):
        assert not (found := pattern.search(markdown(path))), f"{path.name}: {found[0]}"


def external_links() -> set[str]:
    found = set()
    for path in texts(".md", ".ipynb", ".cff"):
        found |= set(re.findall(r"https?://[^\s)\"'<>`\]]+", markdown(path)))
    return {link.rstrip(".,;:") for link in found}


def listed_links() -> list[str]:
    return [line for line in EXTERNAL.read_text().split() if line.startswith("http")]


def test_every_external_link_is_listed():
    ours = re.compile(r"https://(github\.com/facecourse|colab\.research\.google\.com/github/facecourse)")
    local = re.compile(r"https?://(127\.0\.0\.1|localhost|[^/]*example)")
    used = {link for link in external_links() if not ours.match(link) and not local.match(link)}
    assert used == set(listed_links()), "bring tests/unit/external_links.txt up to date"


def asked(link: str) -> str:
    """What the web says about a link: its status, or why there was no answer."""
    try:
        agent = {"User-Agent": "Mozilla/5.0 (link check)"}
        with requests.get(link, timeout=10, stream=True, headers=agent) as answer:
            return str(answer.status_code)
    except requests.RequestException as error:
        return type(error).__name__


def test_external_links_are_alive():
    with ThreadPoolExecutor(16) as pool:
        answers = dict(zip(listed_links(), pool.map(asked, listed_links()), strict=True))
    if not any(answer.startswith(("2", "3")) for answer in answers.values()):
        pytest.skip("external links: none can be reached from here")
    assert not {link: answer for link, answer in answers.items() if answer in ("404", "410")}


def test_code_that_contributors_are_sent_to_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for name in re.findall(r"`([\w./]+(?:/|\.\w{2,5}))`", text):
        if "/" in name:
            assert (ROOT / name).exists() or name.startswith(("outputs/", "../")), name
    table = text[text.index("| You want to change") :].split("\n\n")[0]
    assert len(re.findall(r"`[\w./]+\.\w+`", table)) >= 8


def test_layout_in_contributing_names_every_folder():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    folders = {path.relative_to(ROOT).parts[0] for path in tracked_files() if path.parent != ROOT}
    missing = [name for name in folders if f"{name}/" not in text and not name.startswith(".")]
    assert not missing


def test_figures_in_the_texts_are_the_measured_ones():
    figures = json.loads((ROOT / "docs/figures.json").read_text())
    for name in write_figures.FILES:
        text = (ROOT / name).read_text()
        assert write_figures.filled(text, figures) == text, f"{name}: run `make results`"


def test_cards_send_the_reader_to_the_section_on_consent():
    assert re.search(r"^#+ .*consent", markdown(ROOT / "notebooks/01_assemble_dataset.ipynb"), re.M | re.I)
    for name in ("MODEL_CARD.md", "DATA_CARD.md"):
        text = (ROOT / "docs" / name).read_text()
        assert "consent" in text and "01_assemble_dataset.ipynb" in text
    assert "docs/MODEL_CARD.md" in (ROOT / "README.md").read_text()
    assert "docs/DATA_CARD.md" in (ROOT / "README.md").read_text()


def test_counts_in_the_data_card_are_those_of_the_data():
    text = (ROOT / "docs/DATA_CARD.md").read_text()
    for folder in ("people", "others"):
        tracked = [p for p in tracked_files() if p.is_relative_to(ROOT / "data" / folder)]
        photos = sum(path.suffix == ".jpg" for path in tracked)
        row = next(line for line in text.splitlines() if line.startswith(f"| `data/{folder}`"))
        people = len({path.parent.name for path in tracked if path.suffix == ".jpg"})
        assert f"| {photos} |" in row and f"{people} invented" in row
