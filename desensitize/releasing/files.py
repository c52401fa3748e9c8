"""The files that a policy names, in the release: so that it can be repeated from its directory.

Hierarchy files are copied before any work and read from the copies: what was done is done by what
the manifest has the digests of. A population is personal data itself: only a commitment to it is
recorded.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from desensitize.generalise.levels import check_file
from desensitize.policy import PublishPolicy
from desensitize.releasing.facts import digest_of, sha256_of
from desensitize.salt import Salt


def names(policy: PublishPolicy) -> tuple[str, ...]:
    """Returns the hierarchy files that a policy uses, each once, relative to its folder."""
    rules = (column.hierarchy for column in policy.published)
    return tuple(dict.fromkeys(str(PurePosixPath(r.file)) for r in rules if r and r.file))


def placed(policy: PublishPolicy, draft: Path) -> PublishPolicy:
    """Copies a policy's hierarchy files into a release; returns the policy that reads them there.

    Raises:
        InputError: A file is missing or too large.
        OSError: The disk is full.
    """
    for name in names(policy):
        source, copy = policy.folder / name, draft / name
        check_file(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    return at(policy, draft)


def at(policy: PublishPolicy, folder: Path) -> PublishPolicy:
    """Returns the policy with its hierarchy files in another folder; a population stays."""
    models = policy.models
    if models.delta is not None:
        everybody = str((policy.folder / models.delta.file).resolve())
        models = replace(models, delta=replace(models.delta, file=everybody))
    return replace(policy, folder=folder, models=models)


def digests(policy: PublishPolicy, directory: Path) -> dict[str, str]:
    """Returns the SHA-256 of each hierarchy file of a release, by name."""
    return {name: sha256_of(directory / name) for name in names(policy)}


def population_of(policy: PublishPolicy, salt: Salt) -> str:
    """Returns the commitment to the population's file; empty without one."""
    delta = policy.models.delta
    return "" if delta is None else salt.commitment(digest_of(policy.folder / delta.file))


def every_file(directory: Path) -> Iterator[Path]:
    """Yields what lies in a directory, at any depth: files, and after them their directories."""
    for path in directory.iterdir():
        if path.is_dir():
            yield from every_file(path)
        yield path
