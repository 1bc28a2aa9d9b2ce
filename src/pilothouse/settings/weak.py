"""What the settings leave unprotected, in words with the remedy: for ``pilothouse doctor`` and the administration page."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from pilothouse.settings.layers import Loaded

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def weak_points(loaded: Loaded) -> list[str]:
    """Sentences, the gravest first. What jobs can do to each other is the launcher's to say (``Capabilities.weak``)."""
    return [*_origins(loaded), *_transport(loaded), *_mail(loaded), *_metrics(loaded)]


def _origins(loaded: Loaded) -> Iterator[str]:
    server = loaded.settings.server
    if server.single_origin:
        yield "Content shares the dashboard's origin: published code can act as whoever opens it. Unset server.single_origin."
        return
    if server.apps_host:
        return
    unnamed = [stage.key for stage in loaded.settings.stages if not stage.content_host]
    if is_public(loaded) and not server.content_host and unnamed:
        yield (
            "Content has the dashboard's host name, and cookies ignore ports: a script of an app can set cookies there. "
            "Give content a name of its own with server.content_host, or better each item with server.apps_host."
        )
    yield (
        "Apps share one origin in the browser: a script of one app can read another in the name of the person who opens both. "
        "Give each item an origin of its own with server.apps_host, or let only people publish who may see each other's apps."
    )


def _transport(loaded: Loaded) -> Iterator[str]:
    is_https = loaded.public_url.startswith("https:")
    if is_public(loaded) and not is_https:
        yield (
            "People reach this server without TLS: passwords and keys can be read on the way. "
            "Put it behind a TLS proxy and set server.public_url."
        )
    if is_https and not loaded.settings.gateway.trusted_proxies:
        yield "All visitors count as one address. Name the TLS proxy in gateway.trusted_proxies."


def _mail(loaded: Loaded) -> Iterator[str]:
    options = loaded.settings.notify
    if options.channel == "smtp" and options.smtp_tls == "none" and options.smtp_host not in LOOPBACK:
        yield "Mails go to the mail server without TLS and can be read on the way. Set notify.smtp_tls to starttls or tls."


def _metrics(loaded: Loaded) -> Iterator[str]:
    if loaded.settings.metrics.readers == "loopback":
        yield "Code that is published here can read the server's numbers. Set metrics.readers to token."


def is_public(loaded: Loaded) -> bool:
    """Whether others than this machine's own users reach the server, as far as the settings tell."""
    return loaded.settings.server.host not in LOOPBACK or urlsplit(loaded.public_url).hostname not in LOOPBACK
