"""Running uv and npm: what they get of the server's own variables, and what of their words may be shown."""

from __future__ import annotations

import os
import re

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+@")


def passed(*names: str) -> dict[str, str]:
    """Those of our variables that are set."""
    return {name: os.environ[name] for name in names if name in os.environ}


def without_credentials(text: str) -> str:
    """``text`` with all addresses in it, but not the user and password that they may carry."""
    return _CREDENTIALS.sub("…@", text)
