"""A private key that the service can't read is a sentence, never a question on the terminal."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from checks.errors import ConfigurationError
from monitor.cli.serving import tls_context
from monitor.config import Tls
from tests.support.certificates import make_certificate


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
