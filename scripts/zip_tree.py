"""Zip a folder so that the same files always give the same bytes: `zip_tree.py FOLDER ZIP`."""

import signal
import sys
import zipfile
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
UNIX = 3
READABLE = 0o100644 << 16  # Lambda runs as another user than the one who packs


def zip_tree(folder: Path, target: Path) -> None:
    """Write every file under `folder` in the order of its name, with fixed times and modes."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
                entry.create_system = UNIX
                entry.external_attr = READABLE
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=9)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C: the script that runs this says so
    zip_tree(Path(sys.argv[1]), Path(sys.argv[2]))
