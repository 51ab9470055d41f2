"""The wheel, used from another folder: what it holds, and that it shows results without checkout and without JAX."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from landscape.study.presets import preset

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
WITHOUT_JAX = "import sys; sys.modules |= dict.fromkeys(('jax', 'jaxlib', 'flax', 'optax', 'streamlit')); "
COMMAND = WITHOUT_JAX + "from landscape.cli.parser import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, as building leaves files behind; without the network."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("landscape", "cache/gallery"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", target, source]
    subprocess.run(command, check=True)
    (built,) = target.glob("landscape-*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def python(code: str, *arguments: str, unpacked: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a program that finds the unpacked wheel, in an empty folder and with a home of its own."""
    environment = os.environ | {
        "PYTHONPATH": str(unpacked),
        "HOME": str(folder),
        "XDG_CACHE_HOME": str(folder / "user"),
    }
    environment.pop("LANDSCAPE_CACHE", None)
    command = [sys.executable, "-P", "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "landscape").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    shipped = {f"landscape/gallery/{path.parent.name}/{path.name}" for path in (ROOT / "cache/gallery").glob("*/*")}
    of_the_package = {name for name in names if name.startswith("landscape/")}
    assert of_the_package == package | shipped
    assert {path.rpartition(".")[2] for path in of_the_package} == {"py", "pyi", "typed", "toml", "jinja", "json", "nc"}


def test_the_wheel_offers_a_command_and_the_extras(unpacked: Path) -> None:
    (metadata,) = unpacked.glob("*.dist-info")
    assert "landscape = landscape.cli.parser:main" in (metadata / "entry_points.txt").read_text()
    required = [line for line in (metadata / "METADATA").read_text().splitlines() if line.startswith("Requires-Dist")]
    of_view = [line for line in required if 'extra == "view"' in line]
    base = [line for line in required if "extra ==" not in line]
    assert base and of_view and not any(name in line for line in base + of_view for name in ("jax>", "flax", "optax"))
    assert not any("streamlit" in line for line in required if 'extra == "compute"' in line)


def test_the_wheel_shows_results_from_another_folder_without_jax(unpacked: Path, tmp_path: Path) -> None:
    listed = python(COMMAND, "list", unpacked=unpacked, folder=tmp_path)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert listed.stdout.count("shipped") == len(list((ROOT / "cache/gallery").iterdir()))
    here = python("from landscape.cli.parser import main; main(['show', 'digits-mlp'])", unpacked=ROOT, folder=tmp_path)
    there = python(COMMAND, "show", "digits-mlp", unpacked=unpacked, folder=tmp_path)
    assert there.stdout == here.stdout != ""
    assert not (tmp_path / "user" / "landscape").exists()


def test_without_jax_run_says_what_to_install(unpacked: Path, tmp_path: Path) -> None:
    ran = python(COMMAND, "run", "digits-mlp", "--seeds", "1", unpacked=unpacked, folder=tmp_path)
    assert ran.returncode == 1 and ran.stderr.count("\n") == 1
    assert "computing needs jax, flax, optax" in ran.stderr and "compute" in ran.stderr


def test_presets_and_lazy_names_come_with_the_wheel(unpacked: Path, tmp_path: Path) -> None:
    code = "import landscape; print(landscape.preset('digits-mlp').key, landscape.__file__, len(landscape.__all__))"
    printed = python(code, unpacked=unpacked, folder=tmp_path).stdout.split()
    assert (
        printed[:2] == [preset("digits-mlp").key, str(unpacked / "landscape" / "__init__.py")] and int(printed[2]) > 10
    )


def test_a_copy_without_the_gallery_says_so(unpacked: Path, tmp_path: Path) -> None:
    shutil.copytree(unpacked / "landscape", tmp_path / "landscape", ignore=shutil.ignore_patterns("gallery"))
    listed = python(COMMAND, "list", unpacked=tmp_path, folder=tmp_path)
    assert listed.returncode == 0 and "shipped" not in listed.stdout and "digits-mlp" in listed.stdout
    assert (
        listed.stderr
        == f"warning: the shipped results are missing; they should be in {tmp_path / 'landscape' / 'gallery'}\n"
    )
