"""`make address`: write the repository's address from pyproject.toml into badges, links and set-up cells."""

import re
import subprocess

from facecourse.core.paths import ROOT


def moved(text: str, old: str, new: str) -> str:
    """Return a text with the repository at `new`, in its own links and in those that open its notebooks in Colab."""
    text = re.sub(rf"{re.escape(old)}(?![\w-])", new, text)
    owner_and_name = (re.escape(f"/github/{old.split('/', 3)[-1]}/"), f"/github/{new.split('/', 3)[-1]}/")
    return re.sub(*owner_and_name, text)


def main() -> None:
    """Rewrite all tracked texts in which the address of README's first command is another one than pyproject's."""
    new = re.search(r'^repository = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    old = re.search(r"git clone (\S+)", (ROOT / "README.md").read_text())[1]
    listed = subprocess.run(
        ["git", "ls-files", "*.md", "*.cff", "*.ipynb"], cwd=ROOT, capture_output=True, text=True
    )
    for path in (ROOT / name for name in listed.stdout.splitlines()):
        before = path.read_text()
        if (after := moved(before, old, new)) != before:
            path.write_text(after)
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
