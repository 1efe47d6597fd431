"""Fault rules in the fixtures folder: `faults.yaml`, in force from the start, and `profiles/NAME.yaml`, by name.

Reading blocks: call it in a thread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from app.emulation.documents import read_document
from app.emulation.faults.rules import Profile, Rule, read_rules
from app.emulation.nodes import Problem
from app.emulation.report import Item, Report

FILE = "faults.yaml"
FOLDER = "profiles"
FILE_KEYS = ("faults",)
PROFILE_KEYS = ("about", "faults")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def read_faults(folder: Path, report: Report) -> tuple[Rule, ...]:
    """The rules of `faults.yaml`; none where there is no such file."""
    if not (folder / FILE).exists():
        return ()
    return _file(folder, FILE, FILE_KEYS, report)


def read_profiles(folder: Path, report: Report) -> Mapping[str, Profile]:
    """The profiles, by their names, which are those of their files."""
    profiles: dict[str, Profile] = {}
    try:
        paths = profile_files(folder)
    except OSError as error:
        report.note(Problem(FOLDER, 1, "folder", "a readable folder", error.strerror or type(error).__name__))
        return profiles
    for path in paths:
        file = f"{FOLDER}/{path.name}"
        if not _NAME.fullmatch(path.stem):
            report.note(Problem(file, 1, "file", "a name of 1 to 64 of A-Z a-z 0-9 _ -", path.stem[:80]))
            continue
        if path.stem in profiles:
            report.note(Problem(file, 1, "file", "each profile once", f"{path.stem} a second time"))
            continue
        profiles[path.stem] = _file(folder, file, PROFILE_KEYS, report)
    return profiles


def profile_files(folder: Path) -> list[Path]:
    """The files of the profiles, in the order of their names; none where there is no such folder. Raises OSError."""
    try:
        return sorted(path for path in (folder / FOLDER).iterdir() if is_profile(path))
    except FileNotFoundError:
        return []


def is_profile(path: Path) -> bool:
    """Whether a file of the folder is read, by its name."""
    return path.suffix in (".yaml", ".yml") and not path.name.startswith(".")


def _file(folder: Path, file: str, keys: tuple[str, ...], report: Report) -> Profile:
    root, problems = read_document(folder / file, file)
    report.note(*problems)
    if root is None:
        return Profile()
    fields = Item.whole_file(root, file, report).fields(keys, required=("faults",))
    profile = Profile(read_rules(fields["faults"]) if "faults" in fields else ())
    if "about" in fields:
        profile.about = fields["about"].text()
    return profile
