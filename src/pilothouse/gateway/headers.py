"""What clients, Envoy, the door, the control plane and apps may say to each other in headers. Names are lower case.

**To the door** (``/__authz`` + the client's canonical path, the client's method, no body): the headers of `DOOR_SEES`
and those of `FROM_GATEWAY`. **The door's answer**: status 200 and a target in `x-ph-…` headers (`TO` and the names after
it), or any other status, which goes to the client with the headers of `DOOR_TELLS`. **To the control plane** on its own
routes: the client's headers and those of `FROM_GATEWAY`. A request without the right `SECRET` did not come through Envoy.
"""

from __future__ import annotations

DOOR_PREFIX = "/__authz"
#: Paths below this prefix exist only for the door's "page" target; clients get 404.
PAGE_PREFIX = "/__page__"

# What Envoy states about each request; a client's own copies are dropped before anything looks.
SECRET = "x-ph-door"
ORIGIN = "x-ph-listener"  # dashboard | content | session
CLIENT = "x-ph-client"  # the ip address of the peer, or the one that a trusted proxy named
REQUEST_ID = "x-ph-id"  # the `id` of the access log
FROM_GATEWAY = (SECRET, ORIGIN, CLIENT, REQUEST_ID)

# What the door answers with status 200. All of it stays inside Envoy, as metadata.
TO = "x-ph-to"  # a class of `contract.Timeout`, or PAGE, or FILE
PAGE, FILE = "page", "file"
ADDRESS = "x-ph-dst"  # ip:port of the job
MOUNT = "x-ph-mount"  # from the host's root, ends in "/"; its cookies may not leave it
INNER = "x-ph-inner"  # what replaces the mount in the path, begins and ends in "/"
PREFIX = "x-ph-prefix"  # for X-Forwarded-Prefix
IDENTITY = "x-ph-idn"  # ASCII JSON for the credentials headers; left out = anonymous
BASE_URL = "x-ph-base"  # for RStudio-Connect-App-Base-URL
VISITOR = "x-ph-visitor"  # for Posit-Connect-User-Session-Token; left out = the app has no use for it
REQUEST_URL = "x-ph-request"  # for X-RSC-Request
GRANT = "x-ph-grant"  # a whole Set-Cookie that the answer is to carry (see `grants`)
PAGE_PATH = "x-ph-path"  # with PAGE: the path to ask the control plane for; left out = the client's own
FILE_PATH = "x-ph-file"  # with FILE: root/path, percent-encoded (see `files.reference`)
FILE_RANGE, FILE_ETAG, FILE_TYPE, FILE_CACHE = "x-ph-range", "x-ph-etag", "x-ph-ctype", "x-ph-cc"
# … and what of it the access log keeps for usage.
PRINCIPAL, JOB, SUBJECT, STAGE, BUNDLE, PAGE_LOAD = (
    "x-ph-sub",  # a user id or a pseudonym, as the stage's `usage` allows (see `visitors`); left out = nobody
    "x-ph-jid",
    "x-ph-cid",  # kind:id, as "content:12"
    "x-ph-stage",
    "x-ph-bundle",
    "x-ph-page",  # "1" = an authorised page load
)

#: The names above that an app might send back; together with headers that would reach beyond its own mount.
NOT_FROM_APPS = (
    "service-worker-allowed",
    "clear-site-data",
    "strict-transport-security",
    "alt-svc",
    "nel",
    "report-to",
    "reporting-endpoints",
)

#: Names that state who someone is or where they are. Only we may say them, so a client's are dropped first of all.
RESERVED = (
    "rstudio-connect-credentials",
    "shiny-server-credentials",
    "posit-connect-user-session-token",
    "rstudio-connect-app-base-url",
    "x-rsc-request",
    "forwarded",
    "x-real-ip",
    "x-remote-user",
    "remote-user",
    "script-name",
    "path-info",
    "x-script-name",
    "x-original-url",
    "x-rewrite-url",
    "x-original-uri",
    "proxy",
    "x-request-id",  # Envoy makes a new one; the access log and usage rows know a request by it
)
RESERVED_PREFIXES = ("x-forwarded-", "x-ph-", "x-envoy-")

#: Credentials for us. The door and the control plane read them; an app never does.
NOT_TO_APPS = ("x-rsc-authorization", "x-rsc-xsrf")
NOT_TO_APPS_PREFIXES = ("x-auth-", "x-envoy-", "x-ph-")

#: What the door gets of a request. Never ``upgrade``: an HTTP server would take the check for a handshake.
DOOR_SEES = (
    "cookie",
    "authorization",
    "accept",
    "accept-language",
    "x-rsc-authorization",
    "x-rsc-xsrf",
    "x-auth-token",
    "x-auth-signature",
    "x-content-checksum",
    "date",
    "origin",
    "referer",
    "sec-websocket-version",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-dest",
    "upgrade-insecure-requests",
    "sec-purpose",
    "purpose",
    "user-agent",
    "if-none-match",
    "if-range",
    "range",
    "x-forwarded-proto",
)

#: What a client gets of an answer of the door that is not 200.
DOOR_TELLS = (
    "location",
    "set-cookie",
    "content-type",
    "cache-control",
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "www-authenticate",
    "retry-after",
    "etag",
    "content-range",
    "vary",
)
