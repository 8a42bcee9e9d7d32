"""Render the sample: photos of invented people, with the truth about every face. See README.md.

Example: venv/bin/python make_faces.py --only people --ids Ada_Ferro
"""

import argparse
import json
import time
from pathlib import Path

import scene
from anatomy import Anatomy
from assets import Assets
from conditions import SINGLE, plan
from groups import GROUPS, take_group_photo
from groups import SIZE as GROUP_SIZE
from looks import looks_of
from noises import rng_for
from others import OTHERS, other_person
from people import BY_NAME, CHILDREN, LATER, PEOPLE, Person, as_child
from portraits import RENDERED, take_portrait
from problems import PROBLEMS, plant
from turns import TURNING, take_turn

SEED = 7  # that of the committed sample
PARTS = ("people", "group", "others", "children", "problems", "turn")
CHILDS = 4  # photos of each child


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--assets", type=Path, default=Path("assets"), help="folder with the two archives")
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument(
        "--work", type=Path, default=Path("work"), help="folder for what is unpacked and rendered"
    )
    parser.add_argument("--only", default=",".join(PARTS), help="which parts")
    parser.add_argument("--ids", default="", help="names or numbers of jobs; all if empty")
    parser.add_argument("--samples", type=int, default=4, help="rays per pixel of portraits")
    parser.add_argument("--group-samples", type=int, default=6, help="rays per pixel of group pictures")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--shard", default="0/1", help="i/n: this process does every n-th job, from the i-th on"
    )
    return parser.parse_args()


class Studio:
    """The assets and settings of a run."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.shard, self.shards = (int(part) for part in options.shard.split("/"))
        self.work, self.truth = options.work / f"s{self.shard}", options.out / ".truth"
        for folder in (self.work, self.truth):
            folder.mkdir(parents=True, exist_ok=True)
        self.assets = Assets(options.assets, options.work)
        self.anatomy = Anatomy(self.assets)

    def looks(self, person: Person):
        """Work out a person's looks."""
        return looks_of(self.assets, self.anatomy, SEED, person)

    def series(self, part: str, person: Person, conditions: list[str], first: int = 0) -> dict[str, dict]:
        """Take the photos of a person that are missing, one under each condition; return file name and truth of each."""
        looks, found = None, {}
        for number, condition in enumerate(conditions, first):
            name = f"{person.name}_{number + 1:04d}"
            file, kept = f"{part}/{person.name}/{name}.jpg", self.truth / f"photo_{name}.json"
            if not kept.exists():
                if looks is None:
                    looks = self.looks(person)
                    scene.reset(self.options.samples, RENDERED, RENDERED, self.options.threads)
                rng, path = rng_for(SEED, "photo", person.name, number), self.options.out / file
                place = number if part == "people" else None
                truth = take_portrait(
                    self.assets, self.anatomy, looks, rng, SEED, path, self.work, condition, place
                )
                kept.write_text(json.dumps(truth))
            found[file] = json.loads(kept.read_text())
        return found

    def person(self, name: str) -> dict[str, dict]:
        """Take all photos of one of the people, those of later years too."""
        person = BY_NAME[name]
        conditions = plan(PEOPLE.index(person))
        found = self.series("people", person, conditions)
        for later, count in LATER:
            if later.name == name:
                found |= self.series("people", later, ["plain"] * count, len(conditions))
        return found

    def other(self, number: int) -> dict[str, dict]:
        """Take one photo of one of the other people, two of every fourth; one in six photos is under a condition."""
        rng = rng_for(SEED, "conditions", number)
        conditions = [
            str(rng.choice(SINGLE)) if rng.random() < 1 / 6 else "plain" for _ in range(1 + (number % 4 == 0))
        ]
        return self.series("others", other_person(SEED, number), conditions)

    def child(self, name: str) -> dict[str, dict]:
        """Take the photos of one of the people as a child, numbered from 101 on."""
        return self.series("children", as_child(name), ["plain"] * CHILDS, 100)

    def group(self, number: int) -> dict:
        """Take a group picture; return its truth."""
        members = [
            BY_NAME[who] if isinstance(who, str) else other_person(SEED, who) for who in GROUPS[number][3]
        ]
        people = [self.looks(person) for person in members]
        scene.reset(self.options.group_samples, *GROUP_SIZE, self.options.threads)
        folder = self.options.out / "group"
        return take_group_photo(self.assets, self.anatomy, people, number, SEED, folder, self.work)

    def problem(self, number: int) -> dict:
        """Plant a problem; return what is known of it."""
        return plant(self.assets, self.anatomy, self.looks, number, SEED, self.options.out, self.work)

    def turn(self, name: str) -> dict:
        """Render the video of a head that turns; return its truth."""
        folder, samples = self.options.out / "turn", self.options.samples
        looks = self.looks(BY_NAME[name])
        return take_turn(self.assets, self.anatomy, looks, SEED, folder, self.work, samples)

    def do(self, part: str, what) -> None:
        """Do one job and keep its truth, which says that it is done."""
        kept = self.truth / f"{part}_{what}.json"
        if not kept.exists():
            start = time.time()
            job = {
                "people": self.person,
                "others": self.other,
                "children": self.child,
                "group": self.group,
                "problems": self.problem,
                "turn": self.turn,
            }[part]
            kept.write_text(json.dumps(job(what)))
            print(f"{part} {what}: {time.time() - start:.1f} s", flush=True)


def jobs(options: argparse.Namespace) -> list[tuple]:
    """List what is to be done: (part, name or number). Problems come last: they are made of the people's photos."""
    all_jobs = {
        "people": [person.name for person in PEOPLE],
        "group": range(len(GROUPS)),
        "others": range(OTHERS),
        "children": CHILDREN,
        "problems": range(len(PROBLEMS)),
        "turn": [TURNING.name],
    }
    ids = set(options.ids.split(",")) - {""}
    return [
        (part, what)
        for part in PARTS
        if part in options.only.split(",")
        for what in all_jobs[part]
        if not ids or str(what) in ids
    ]


def write_truth(out: Path) -> None:
    """Put the truth of all jobs that are done into photos.json, groups.json and problems.json."""
    read = {
        part: [json.loads(p.read_text()) for p in sorted((out / ".truth").glob(f"{part}_*"))]
        for part in PARTS
    }
    for parts, place in ((("people", "others"), out), (("children",), out / "children")):
        photos = {file: truth for part in parts for found in read[part] for file, truth in found.items()}
        if photos:
            (place / "photos.json").write_text(json.dumps(dict(sorted(photos.items())), indent=0))
    for part, name in (("group", "groups.json"), ("problems", "problems.json")):
        if read[part]:
            found = sorted(read[part], key=lambda photo: photo["file"])
            (out / part / name).write_text(json.dumps(found, indent=1))
    for truth in read["turn"]:
        (out / "turn" / "turn.json").write_text(json.dumps(truth, indent=0))


def main() -> None:
    """Do this process's share of the jobs that are not done yet."""
    options, start = arguments(), time.time()
    studio = Studio(options)
    for part, what in jobs(options)[studio.shard :: studio.shards]:
        studio.do(part, what)
    write_truth(options.out)
    print(f"Done in {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
