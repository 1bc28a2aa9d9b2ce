"""Starts Python content inside its job: ``python start.py INTERFACE WHAT HOST PORT``, one function below for each interface.

``WHAT`` is ``module:object`` (or ``module:first,second``, the names to try) or a file. This one file is mounted into the
sandbox and runs with the content's own library; it imports nothing of Pilothouse. It turns the commonest mistakes into one
readable line, and tells the app under which prefix it is seen (the gateway's ``X-Forwarded-Prefix``), so that one worker
can serve several mounts.
"""

import ast
import importlib
import importlib.util
import inspect
import os
import re
import sys
import tempfile
import traceback
from contextvars import ContextVar

#: Where the visitor of this request sees the app, without trailing slash.
MOUNT = ContextVar("mount", default="")
#: Called when an app names none of its objects; functions of these names make the application.
FACTORIES = ("create_app", "make_app")


def asgi(what, host, port):
    run_asgi(with_prefix(application(what)), host, port)


def wsgi(what, host, port):
    run_wsgi(script_name(application(what)), host, port)


def shiny(what, host, port):
    run_asgi(application(what), host, port)


def streamlit(what, host, port):
    check_script(what)
    from streamlit.web.cli import main

    sys.argv = ["streamlit", "run", "--server.address", host, "--server.port", str(port), what]
    main()


def panel(what, host, port):
    check_script(what)
    import panel

    panel.serve({"/": what}, address=host, port=port, websocket_origin="*", show=False)


def bokeh(what, host, port):
    check_script(what)
    from bokeh.application.handlers import FunctionHandler
    from bokeh.command.util import build_single_handler_application
    from bokeh.models import Div
    from bokeh.resources import Resources
    from bokeh.server.server import Server
    from bokeh.server.tornado import BokehTornado
    from bokeh.server.views.static_handler import StaticHandler

    def resources(self, absolute_url=None):
        return Resources(mode="server", root_url="./_bokeh/", path_versioner=StaticHandler.append_version)

    def failure(document):
        if script.failed and not document.roots:  # else its visitors would look at an empty page
            document.add_root(Div(text="This app ended with an error. Its owner finds the reason in its log."))

    # Bokeh's own links begin at the host's root; and "static" may be a folder of the app's.
    BokehTornado.resources = resources
    folder, name = os.path.split(what)
    app = build_single_handler_application(folder if name == "main.py" else what)
    script = app.handlers[0]
    app.add(FunctionHandler(failure))
    own_files = [("/_bokeh/static/(.*)", StaticHandler)]
    server = Server({"/": app}, address=host, port=port, allow_websocket_origin=["*"], extra_patterns=own_files)
    server.run_until_shutdown()


def dash(what, host, port):
    os.environ["DASH_REQUESTS_PATHNAME_PREFIX"] = f"/{STAND_IN}/"
    os.environ["DASH_ROUTES_PATHNAME_PREFIX"] = "/"
    found = load(what)
    from dash import Dash, get_app
    from flask import Flask

    app = found if isinstance(found, Dash) else get_app()
    look_at_visitor(app.config)
    if isinstance(app.server, Flask):
        app.server.after_request(with_real_mount)
        run_wsgi(script_name(app.server), host, port)
    else:
        run_asgi(with_real_links(app.server), host, port)


def gradio(what, host, port):
    from fastapi import FastAPI
    from gradio import Blocks, mount_gradio_app

    # An app that launches itself at import is served all the same, with the options it gave.
    asked = {}
    Blocks.launch = lambda self, *_, **options: asked.update(options)
    found = load(what)
    if isinstance(found, Blocks):
        known = inspect.signature(mount_gradio_app).parameters.keys() - {"app", "blocks", "path", "root_path"}
        options = {name: value for name, value in asked.items() if name in known}
        found = mount_gradio_app(FastAPI(), found, path="", **options)
    run_asgi(without_forwarded_host(with_prefix(found)), host, port)


# --- what the app is ---------------------------------------------------------------------------------------------------


def say(text):
    print(f"start: {text}", file=sys.stderr, flush=True)


def give_up(text):
    sys.exit(say(text) or 3)


def missing(name):
    give_up(f"the module {name} is not installed. Add it to requirements.txt and deploy again.")


def misspelt(error):
    give_up(f"{error.filename}, line {error.lineno}: {error.msg}. Correct the file and deploy again.")


def load(what):
    """The object to run; ends the process with a readable line if it can't be had."""
    module_name, _, names = what.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except SyntaxError as error:
        traceback.print_exc()
        misspelt(error)
    except ModuleNotFoundError as error:
        traceback.print_exc()
        missing(error.name)
    except Exception as error:
        traceback.print_exc()
        sentence = (str(error).splitlines() or ["without a word"])[0].rstrip(".")
        give_up(f"importing {module_name} failed: {type(error).__name__}: {sentence}.")
    tried = names.split(",")
    name = next((n for n in tried if hasattr(module, n)), tried[0])
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            have = ", ".join(n for n in vars(found) if not n.startswith("_"))[:200]
            give_up(f"the module {module_name} has no object “{part}” (it has: {have}). Name it with --entrypoint.")
        found = getattr(found, part)
    return found() if name in FACTORIES and len(tried) > 1 else found


def application(what):
    """The same, if it can be called as WSGI and ASGI servers do."""
    found = load(what)
    if not callable(found):
        give_up(f"{what} is a {type(found).__name__}, not an application. Name the application with --entrypoint.")
    return found


def check_script(path):
    """What would fail for every visitor fails now: a syntax error, or a module that is not there. Runs nothing of the script."""
    sys.path[:0] = [os.path.dirname(path), os.getcwd()]
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    try:
        body = ast.parse(text, path).body
    except SyntaxError as error:
        misspelt(error)
    for node in body:
        for name in imported(node):
            if importlib.util.find_spec(name) is None:
                say(f"{path}, line {node.lineno}: {ast.get_source_segment(text, node)}")
                missing(name)


def imported(node):
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    is_absolute = isinstance(node, ast.ImportFrom) and node.level == 0 and node.module
    return [node.module.partition(".")[0]] if is_absolute else []


# --- Dash: links made at import, when nobody knows the mount ------------------------------------------------------------

#: Stands for the mount until an answer leaves. Dash's JSON writes a slash as \\u002f.
STAND_IN = "the-mount-of-this-visitor"
LINK = re.compile(rb"(?:/|\\u002f)" + STAND_IN.encode() + rb"(?:/|\\u002f)")


def look_at_visitor(config):
    """Have ``requests_pathname_prefix`` be where the visitor of this request sees the app."""

    class PerVisitor(type(config)):
        def __getitem__(self, name):
            if name == "requests_pathname_prefix" and (mount := MOUNT.get()):
                return f"{mount}/"
            return super().__getitem__(name)

    object.__setattr__(config, "__class__", PerVisitor)


def with_real_mount(answer):
    if answer.mimetype in ("text/html", "application/json") and not answer.is_streamed:
        answer.set_data(real(answer.get_data()))
    return answer


def with_real_links(app):
    """The same for Dash on an ASGI server, which looks at paths itself and would not know them with a prefix."""

    async def inner(scope, receive, send):
        if scope["type"] == "lifespan":
            return await app(scope, receive, send)
        MOUNT.set(prefix_of(scope))
        start, parts = None, []

        async def told(message):
            nonlocal start
            if message["type"] == "http.response.start" and is_text(dict(message["headers"])):
                start = message
            elif message["type"] == "http.response.body" and start is not None:
                parts.append(message.get("body", b""))
                if not message.get("more_body"):
                    body = real(b"".join(parts))
                    kept = [pair for pair in start["headers"] if pair[0] != b"content-length"]
                    await send({**start, "headers": [*kept, (b"content-length", str(len(body)).encode())]})
                    await send({"type": "http.response.body", "body": body})
            elif message["type"] == "websocket.send" and message.get("text"):
                await send({"type": "websocket.send", "text": real(message["text"].encode()).decode()})
            else:
                await send(message)

        return await app(scope, receive, told)

    return inner


def is_text(headers):
    kind = headers.get(b"content-type", b"").partition(b";")[0]
    return kind in (b"text/html", b"application/json") and b"content-encoding" not in headers


def real(data):
    return LINK.sub(f"{MOUNT.get()}/".encode(), data)


# --- how it is served --------------------------------------------------------------------------------------------------


def prefix_of(scope):
    found = (value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-prefix")
    return next(found, "").rstrip("/")


def with_prefix(app):
    """ASGI: ``root_path`` and the full path, as a server with a fixed root path would give them."""

    async def inner(scope, receive, send):
        if scope["type"] in ("http", "websocket"):
            prefix = prefix_of(scope)
            MOUNT.set(prefix)
            if prefix:
                raw = scope.get("raw_path")
                scope = {**scope, "root_path": prefix, "path": prefix + scope["path"]}
                if raw is not None:
                    scope["raw_path"] = prefix.encode() + raw
        await app(scope, receive, send)

    return inner


def without_forwarded_host(app):
    """ASGI, for Gradio: it would take this header for all there is in front of it, and forget the mount."""

    async def inner(scope, receive, send):
        if scope["type"] in ("http", "websocket"):
            scope = {**scope, "headers": [(k, v) for k, v in scope["headers"] if k != b"x-forwarded-host"]}
        await app(scope, receive, send)

    return inner


def script_name(app):
    """WSGI: ``SCRIPT_NAME`` is the prefix."""

    def inner(environ, start_response):
        environ["SCRIPT_NAME"] = environ.get("HTTP_X_FORWARDED_PREFIX", "").rstrip("/")
        MOUNT.set(environ["SCRIPT_NAME"])
        return app(environ, start_response)

    return inner


def run_asgi(app, host, port):
    import uvicorn

    uvicorn.run(
        app,
        host=host,
        port=port,
        proxy_headers=False,
        server_header=False,
        log_level="info",
        timeout_keep_alive=75,
        lifespan="auto",
    )


def run_wsgi(app, host, port):
    from gunicorn.app.base import BaseApplication

    class Server(BaseApplication):
        def load_config(self):
            options = {
                "bind": f"{host}:{port}", "workers": 1, "threads": 8, "timeout": 0, "keepalive": 75, "worker_class": "gthread",
                "worker_tmp_dir": "/dev/shm", "control_socket_disable": True, "loglevel": "info", "accesslog": None,
            }  # fmt: skip
            for name, value in options.items():
                if name in self.cfg.settings:
                    self.cfg.set(name, value)

        def load(self):
            return app

    Server().run()


INTERFACES = {f.__name__: f for f in (asgi, wsgi, shiny, streamlit, panel, bokeh, dash, gradio)}


def keep_token(variables):
    """Some apps read the token with which they act for themselves from a file that a variable names."""
    if token := variables.get("CONNECT_CONTENT_SESSION_TOKEN"):
        descriptor, variables["CONNECT_CONTENT_SESSION_TOKEN_FILE"] = tempfile.mkstemp(prefix="session-token-")
        with os.fdopen(descriptor, "w") as file:
            file.write(token)


def main():
    interface, what, host, port = sys.argv[1:5]
    sys.argv = [what]
    keep_token(os.environ)
    INTERFACES[interface](what, host, int(port))


if __name__ == "__main__":
    main()
