"""Render the sample: photos of invented people, with the truth about every face. See README.md.

Example: venv/bin/python make_faces.py --only people --ids Ada_Ferro --photos 3
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import scene
from anatomy import Anatomy
from assets import Assets
from looks import Looks, looks_of
from noises import rng_for
from people import GROUPS, OTHERS, PEOPLE, Person, other_person
from photos import GROUP, RENDERED, random_pose, take_group_photo, take_photo

SEED = 7  # that of the committed sample


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
    parser.add_argument("--only", default="people,others,group", help="which of the three parts")
    parser.add_argument("--ids", default="", help="names among the twelve people; all if empty")
    parser.add_argument("--photos", type=int, default=14, help="per person, of the twelve")
    parser.add_argument("--samples", type=int, default=10, help="rays per pixel; the sample has 10")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--shard", default="0/1", help="i/n: this process does every n-th job, from the i-th on"
    )
    return parser.parse_args()


class Studio:
    """The assets and settings of a run."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.shard, self.shards = (int(part) for part in options.shard.split("/"))
        self.work = options.work / f"s{self.shard}"
        self.work.mkdir(parents=True, exist_ok=True)
        self.assets = Assets(options.assets, options.work)
        self.anatomy = Anatomy(self.assets)

    def looks(self, person: Person) -> Looks:
        """Work out a person's looks."""
        return looks_of(self.assets, self.anatomy, SEED, person)

    def series(self, part: str, person: Person, count: int, numbered: bool) -> Iterator[tuple[str, dict]]:
        """Take `count` photos of a person; yield file name and truth of each."""
        looks = self.looks(person)
        scene.reset(self.options.samples, RENDERED, RENDERED, self.options.threads)
        for i in range(count):
            rng = rng_for(SEED, "photo", person.name, i)
            pose = random_pose(rng, looks, i if numbered else None)
            file = f"{part}/{person.name}/{person.name}_{i + 1:04d}.jpg"
            path = self.options.out / file
            yield file, take_photo(self.assets, self.anatomy, looks, pose, rng, SEED, path, self.work)

    def group(self, number: int) -> dict:
        """Take a group picture; return its truth."""
        by_name = {person.name: person for person in PEOPLE}
        members = [by_name[m] if isinstance(m, str) else other_person(SEED, m) for m in GROUPS[number]]
        people = [self.looks(person) for person in members]
        scene.reset(max(12, self.options.samples * 3 // 4), *GROUP, self.options.threads)
        folder = self.options.out / "group"
        return take_group_photo(self.assets, self.anatomy, people, number, SEED, folder, self.work)


def jobs(options: argparse.Namespace) -> list[tuple]:
    """List what is to be done: (part, person or group's number, photos)."""
    chosen = set(options.ids.split(",")) if options.ids else {person.name for person in PEOPLE}
    found: list[tuple] = []
    if "people" in options.only:
        found += [("people", person, options.photos) for person in PEOPLE if person.name in chosen]
    if "others" in options.only:
        found += [("others", other_person(SEED, k), 2 if k % 4 == 0 else 1) for k in range(OTHERS)]
    if "group" in options.only:
        found += [("group", number, 1) for number in range(len(GROUPS))]
    return found


def write_truth(out: Path, work: Path, shards: int) -> None:
    """Put the truth of all processes together; the one that ends last writes all of it."""
    photos, groups = {}, []
    for path in (work / f"s{i}" / "truth.json" for i in range(shards)):
        if path.exists():
            truth = json.loads(path.read_text())
            photos |= truth["photos"]
            groups += truth["groups"]
    if photos:
        (out / "photos.json").write_text(json.dumps(dict(sorted(photos.items())), indent=0))
    if groups:
        groups.sort(key=lambda group: group["file"])
        (out / "group" / "groups.json").write_text(json.dumps(groups, indent=1))


def main() -> None:
    """Render this process's share of the sample."""
    options, start = arguments(), time.time()
    studio, photos, groups = Studio(options), {}, []
    for part, what, count in jobs(options)[studio.shard :: studio.shards]:
        before = time.time()
        if part == "group":
            groups.append(studio.group(what))
        else:
            photos |= studio.series(part, what, count, numbered=part == "people")
        name = f"group {what + 1}" if part == "group" else what.name
        print(f"{name}: {(time.time() - before) / count:.1f} s per picture", flush=True)
    (studio.work / "truth.json").write_text(json.dumps({"photos": photos, "groups": groups}))
    write_truth(options.out, options.work, studio.shards)
    print(f"Done: {len(photos)} photos, {len(groups)} groups, {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
