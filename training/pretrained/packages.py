"""Files of installed packages, by digest."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from training.errors import TrainingError


def taken(package: str, file: str, sha256: str) -> bytes:
    """The bytes of a package's file. Raises ``TrainingError`` where it is not installed, or the file another one."""
    try:
        content = Path(str(distribution(package).locate_file(file))).read_bytes()
    except (PackageNotFoundError, OSError):
        raise TrainingError(
            f"{file} of the package {package} is missing: pip install 'offerstream[encoders]'"
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise TrainingError(f"{file} of the package {package} has the digest {found[:16]}…, not {sha256[:16]}….")
    return content


def source(*packages: str) -> str:
    """Packages with their versions, as a declaration says where something comes from."""
    return ", ".join(f"{name} {distribution(name).version}" for name in packages)
