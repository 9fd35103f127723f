"""What people install: the wheel, in an empty virtual environment, away from the checkout."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

from tests.e2e.served import clean_environment, play, served

CHECKOUT = Path(__file__).parents[2]


def test_the_wheel_works_in_an_empty_environment(tmp_path: Path) -> None:
    wheel = _build(tmp_path / "dist")
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith("styles/") and name.endswith(".tcss") for name in names)
    assert not any(name.startswith("tests/") for name in names)

    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    pip = ("-m", "pip", "--python", environment / "bin" / "python")  # ours, into that one: nothing else is in there
    requirements = ("--no-compile", "--require-hashes", "-r", CHECKOUT / "requirements.txt")
    _run(Path(sys.executable), *pip, "install", "--quiet", *requirements)
    _run(Path(sys.executable), *pip, "install", "--quiet", "--no-deps", wheel)
    _run(Path(sys.executable), *pip, "check")
    with served([str(environment / "bin" / "reeldesk")], tmp_path / "demo") as session:
        play(session)


def _build(folder: Path) -> Path:
    _run(Path(sys.executable), "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, CHECKOUT)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _run(python: Path, *arguments: str | Path) -> None:
    done = subprocess.run(
        [python, *arguments], env=clean_environment(), cwd=python.parent, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
