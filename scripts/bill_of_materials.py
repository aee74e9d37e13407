"""Write the bill of materials of a zip, in CycloneDX: `bill_of_materials.py ZIP LOCK FILE`.

It lists the packages whose metadata the zip holds, each with the hashes of its lock.
"""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

_METADATA = re.compile(r"(?:.*/)?(?P<name>[^/]+)-(?P<version>[^/-]+)\.dist-info/METADATA")


def packages_in(built: Path) -> dict[str, str]:
    """Return name and version of each package in a zip."""
    with zipfile.ZipFile(built) as archive:
        found = (_METADATA.fullmatch(name) for name in archive.namelist())
        return {match["name"].replace("_", "-").lower(): match["version"] for match in found if match}


def requirements(packages: dict[str, str], lock: str) -> str:
    """Return each package as its lock has it, with its hashes; our own packages are in no lock."""
    locked = dict(re.findall(r"^(\S+)==((?:.*\\\n)*.*\n)", lock, re.MULTILINE))
    lines = []
    for name, version in sorted(packages.items()):
        pinned = locked.get(name, f"{version}\n")
        if not pinned.startswith(version):
            raise SystemExit(f"{name} is {version} in the zip, and another version in the lock")
        lines.append(f"{name}=={pinned}")
    return "".join(lines)


def main(built: Path, lock: Path, target: Path) -> None:
    """Write it."""
    tool = Path(sys.executable).with_name("cyclonedx-py")
    # Not validated here, which takes 2 s for each: tests/package/test_release.py validates one, with the same program.
    output = ("--output-reproducible", "--no-validate", "--of", "JSON", "-o", str(target))
    command = [str(tool), "requirements", "-", *output]
    text = requirements(packages_in(built), lock.read_text())
    subprocess.run(command, input=text, text=True, check=True)  # noqa: S603 - from .venv, installed by hash


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
