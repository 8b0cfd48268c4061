"""A Java that Spark 4.2 runs on: found on this machine, else fetched into the user's cache, else one error."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from skillsim.errors import PlatformError

OLDEST, NEWEST = 17, 21
_WANTED = "Spark 4.2 needs Java 17 or 21 (a full JDK: it uses the module jdk.incubator.vector)"


def ensure_java() -> str:
    """Set JAVA_HOME for a Spark started here and return it. JAVA_HOME, when set, is taken at its word.

    Raises PlatformError when JAVA_HOME is unfit, or no Java is found and none can be fetched.
    """
    declared = os.environ.get("JAVA_HOME")
    if declared:
        version = java_version(Path(declared))
        if version is None:
            raise PlatformError(f"JAVA_HOME={declared} holds no working bin/java. {_WANTED}.")
        if not OLDEST <= version <= NEWEST:
            raise PlatformError(f"JAVA_HOME={declared} is Java {version}. {_WANTED}.")
        return declared
    for home in _installed():
        version = java_version(home)
        if version is not None and OLDEST <= version <= NEWEST:
            os.environ["JAVA_HOME"] = str(home)
            return str(home)
    os.environ["JAVA_HOME"] = _fetched()
    return os.environ["JAVA_HOME"]


def java_version(home: Path) -> int | None:
    """Major version of a JDK folder; None when its java does not run or lacks the module Spark needs."""
    java = home / "bin" / "java"
    command = [str(java), "--add-modules", "jdk.incubator.vector", "-version"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', result.stderr + result.stdout)
    if found and (result.returncode == 0 or int(found[1]) < OLDEST):
        return int(found[1])
    if result.returncode == 0 or not java.exists():
        return None
    plain = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=60, check=False)
    old = re.search(r'version "(?:1\.)?(\d+)', plain.stderr + plain.stdout)
    return int(old[1]) if old and int(old[1]) < OLDEST else None


def is_on_path(home: Path) -> bool:
    """Whether `java` on the PATH is this one: then spark-submit finds it without JAVA_HOME."""
    return home == _home_on_path()


def _home_on_path() -> Path | None:
    program = shutil.which("java")
    return Path(program).resolve().parent.parent if program else None


def _installed() -> Iterator[Path]:
    on_path = _home_on_path()
    if on_path:
        yield on_path
    for folder in ("/usr/lib/jvm", "/Library/Java/JavaVirtualMachines"):
        for home in sorted(Path(folder).glob("*")):
            yield home / "Contents" / "Home" if (home / "Contents").is_dir() else home


def _fetched() -> str:
    try:
        import cjdk

        return str(cjdk.java_home(vendor="temurin", version="17"))
    except Exception as error:
        raise PlatformError(
            f"no Java found, and none could be fetched ({type(error).__name__}). {_WANTED}: install it "
            "(Debian: apt-get install openjdk-17-jdk-headless) or set JAVA_HOME."
        ) from error
