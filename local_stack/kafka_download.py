"""Fetches Apache Kafka's jars, and writes the list of them.

After a change of KAFKA_VERSION: `from attemptlog.local_stack.kafka_download import write_lock; write_lock()`.
"""

import hashlib
import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from jgo.maven import Artifact, MavenContext
from requests import RequestException
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from attemptlog.local_stack.errors import LocalStackError
from attemptlog.local_stack.kafka_jars import KAFKA_VERSION, LOCK

LOG4J_VERSION = "2.25.4"  # the one that this Kafka is built with
# `!` keeps log4j's parent from deciding the versions of Kafka's own modules
ROOTS = [f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", f"org.apache.logging.log4j:log4j-slf4j-impl:{LOG4J_VERSION}!"]

DOWNLOADS_AT_ONCE = 8
DOWNLOAD_ATTEMPTS = 3

logger = logging.getLogger(__name__)


def download(locked: str, jars: Path) -> None:
    """Put every jar that is listed into the new folder `jars`; raises LocalStackError when they cannot be had."""
    logger.info("downloading Apache Kafka", extra={"action": "kafka_download", "version": KAFKA_VERSION})
    partial = jars.with_name("partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    with TemporaryDirectory(dir=jars.parent) as repository:
        try:
            _download_all(locked, MavenContext(repo_cache=Path(repository)), partial)
        except RequestException as error:
            raise LocalStackError(
                f"Apache Kafka {KAFKA_VERSION} is not in {jars.parent} and cannot be downloaded "
                f"({type(error).__name__}): connect to the network for the first start."
            ) from error
    partial.rename(jars)


def _download_all(locked: str, maven: MavenContext, target: Path) -> None:
    entries = [line.split() for line in locked.splitlines()]
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        for path in pool.map(lambda entry: _fetch(maven.create_dependency(entry[0]).artifact, entry[1]), entries):
            shutil.move(path, target)


class _BadDownload(RequestException):
    """A jar arrived that is not the one listed."""


@retry(
    retry=retry_if_exception_type(RequestException),
    stop=stop_after_attempt(DOWNLOAD_ATTEMPTS),
    wait=wait_exponential(multiplier=0.5),
    reraise=True,
)
def _fetch(artifact: Artifact, sha256: str) -> Path:
    try:
        path = artifact.resolve()
    except RuntimeError as error:
        raise _BadDownload(str(error)) from error
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        path.unlink()
        raise _BadDownload(f"{artifact.filename} has another checksum")
    return path


def write_lock() -> None:
    """Write coordinate and SHA-256 of every jar that ROOTS need to kafka_jars.lock."""
    with TemporaryDirectory() as repository:
        maven = MavenContext(repo_cache=Path(repository))
        roots, transitive = maven.resolver.resolve([maven.create_dependency(root) for root in ROOTS])
        needed = [*roots, *(dependency for dependency in transitive if dependency.scope in {"compile", "runtime"})]
        LOCK.write_text("".join(sorted(_lock_line(dependency.artifact) for dependency in needed)))


def _lock_line(artifact: Artifact) -> str:
    digest = hashlib.sha256(artifact.resolve().read_bytes()).hexdigest()
    return f"{artifact.groupId}:{artifact.artifactId}:{artifact.version} {digest}\n"
