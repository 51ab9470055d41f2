"""The engine's own certificate: whoever has not its key reaches neither the engine nor its workers.

Dask's messages hold pickles, so whoever may send one may run code. The loopback interface keeps other computers away,
and the certificate the other users of this one: it is made when an engine starts, both sides show it to each other, and
it lies in the engine's folder, which its user alone can open.
"""

from __future__ import annotations

import os
from pathlib import Path

from distributed import Security

CERTIFICATE, KEY = "certificate.pem", "key.pem"


def made(folder: Path) -> Security:
    """A new certificate and its key, which are written into the engine's folder for its clients."""
    security = Security.temporary()
    _write(folder / CERTIFICATE, security.tls_client_cert)
    _write(folder / KEY, security.tls_client_key)
    return security


def of_engine(folder: Path) -> Security:
    """What a client shows to the engine of a folder, and expects to be shown."""
    certificate, key = str(folder / CERTIFICATE), str(folder / KEY)
    return Security(require_encryption=True, tls_ca_file=certificate, tls_client_cert=certificate, tls_client_key=key)


def _write(path: Path, content: str) -> None:
    """Write a file that its user alone can read, also while it is written."""
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(content)
    temporary.replace(path)
