"""A private key that the service can't read is a sentence, never a question on the terminal."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from checks.errors import ConfigurationError
from monitor.cli.serving import tls_context
from monitor.config import Tls


class Certificate(NamedTuple):
    """PEM files for 127.0.0.1."""

    cert: Path
    key: Path


def make_certificate(folder: Path, name: str = "server") -> Certificate:
    """A certificate and key of their own in `folder`, over those of the same name."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext"),
            *("subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return Certificate(cert, key)


def test_a_key_with_a_password_is_refused_at_once(tmp_path: Path) -> None:
    made, encrypted = make_certificate(tmp_path), tmp_path / "encrypted.key"
    subprocess.run(
        [
            *("openssl", "pkcs8", "-topk8", "-in", str(made.key), "-out", str(encrypted)),
            *("-passout", "pass:varnish"),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert tls_context(Tls(cert=made.cert, key=made.key)) is not None
    with pytest.raises(ConfigurationError, match="the key is encrypted"):
        tls_context(Tls(cert=made.cert, key=encrypted))


def test_a_key_of_another_certificate_is_refused_with_the_reason(tmp_path: Path) -> None:
    made, other = make_certificate(tmp_path), make_certificate(tmp_path, "other")
    with pytest.raises(ConfigurationError, match="MISMATCH"):
        tls_context(Tls(cert=made.cert, key=other.key))
