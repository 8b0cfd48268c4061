"""Paths as Spark takes them: a URI is the cluster's, anything else is on this machine's disk."""

import re
from pathlib import Path

# One letter before the colon is a Windows drive.
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
_GLOB = re.compile(r"([\[\]{}*?\\])")


def is_uri(path: str) -> bool:
    """`dbfs:/x`, `s3a://b/x`, `file:/x`: Spark's to resolve, never looked up on the driver's disk."""
    return _SCHEME.match(path) is not None


def spark_path(path: str, escape_globs: bool = True) -> str:
    """A URI as it is; a local path absolute and with its scheme, for clusters whose default is another file system.

    Hadoop takes the name as written, not percent-encoded. Its readers expand `* ? [ ] { }`, so those of a local name
    are escaped; Delta does not expand and wants them plain.
    """
    if is_uri(path):
        return path
    local = Path(path).expanduser().resolve().as_posix()
    # Databricks reads a volume under its plain path, and forbids file: on shared clusters.
    uri = local if local.startswith("/Volumes/") else f"file:{local}"
    return _GLOB.sub(r"\\\1", uri) if escape_globs else uri
