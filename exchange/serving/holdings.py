"""What nodes hold, brought into the catalog: in a thread of its own, the latest word of each.

A node says what it holds whenever it registers, so what is lost with this process comes again.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from catalog.codec import dataset_digest
from catalog.declaration import Declaration
from catalog.interchange.declared import register_declared
from catalog.registry.registry import Registry
from catalog.workflows.node_pins import note_enrolled
from exchange.serving.shelf import DatasetShelf
from protos.faults import VeilError

LOG: Final = logging.getLogger("veil.exchange")


class Holdings:
    """Registers declarations as they come.

    Args:
        registry: The catalog that is served here.
        shelf: The declared datasets.
    """

    def __init__(self, registry: Registry, shelf: DatasetShelf) -> None:
        self._registry = registry
        self._shelf = shelf
        self._latest: dict[str, tuple[Declaration, str, str]] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="holdings", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Writes what is under way, and ends."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def take(self, declaration: Declaration, token: str, fingerprint: str) -> None:
        """Takes a verified declaration; a later one of the same department replaces it.

        Args:
            declaration: What the node holds.
            token: As signed.
            fingerprint: Of the key that signed it, with which the node is enrolled.
        """
        with self._changed:
            known = self._latest.get(declaration.department)
            if known is None or known[0].issued_at <= declaration.issued_at:
                self._latest[declaration.department] = declaration, token, fingerprint
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._latest or self._stopping)
                waiting, self._latest = list(self._latest.values()), {}
                if not waiting:
                    return
            for declaration, token, fingerprint in waiting:
                self._write(declaration, token, fingerprint)

    def _write(self, declaration: Declaration, token: str, fingerprint: str) -> None:
        known = {dataset_digest(dataset): dataset for dataset in self._shelf.all().values()}
        try:
            note_enrolled(self._registry.directory, declaration.department, fingerprint)
            register_declared(self._registry, declaration, token, known)
        except VeilError as error:  # it comes again when the node registers again
            LOG.warning(
                "what %s holds is not in the catalog: %s; %s %s",
                declaration.department, error.message, error.remedy, error.detail,
            )  # fmt: skip
