"""Starts Python content inside its job: ``python start.py asgi|wsgi|shiny MODULE:OBJECT HOST PORT``.

This one file is mounted into the sandbox and runs with the content's own library; it imports nothing of Pilothouse. It
turns the commonest mistakes into one readable line, and tells the app under which prefix it is seen (the gateway's
``X-Forwarded-Prefix``), so that one worker can serve several mounts.
"""

import importlib
import os
import sys
import traceback


def say(text):
    print(f"start: {text}", file=sys.stderr, flush=True)


def load(entrypoint):
    """The object to run; ends the process with a readable line if it can't be had."""
    module_name, _, names = entrypoint.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        found = importlib.import_module(module_name)
    except SyntaxError as error:
        traceback.print_exc()
        sys.exit(say(f"{error.filename}, line {error.lineno}: {error.msg}. Correct the file and deploy again.") or 3)
    except ModuleNotFoundError as error:
        traceback.print_exc()
        sys.exit(say(f"the module {error.name} is not installed. Add it to requirements.txt and deploy again.") or 3)
    except Exception as error:
        traceback.print_exc()
        sys.exit(say(f"importing {module_name} failed: {type(error).__name__}: {error}.") or 3)
    for name in names.split("."):
        if not hasattr(found, name):
            have = ", ".join(n for n in vars(found) if not n.startswith("_"))[:200]
            sys.exit(
                say(f"the module {module_name} has no object “{name}” (it has: {have}). Name it with --entrypoint.")
                or 3
            )
        found = getattr(found, name)
    return found


def with_prefix(app):
    """ASGI: ``root_path`` and the full path, as a server with a fixed root path would give them."""

    async def inner(scope, receive, send):
        if scope["type"] in ("http", "websocket"):
            prefix = next((v.decode("latin-1") for k, v in scope["headers"] if k == b"x-forwarded-prefix"), "").rstrip(
                "/"
            )
            if prefix:
                raw = scope.get("raw_path")
                scope = {**scope, "root_path": prefix, "path": prefix + scope["path"]}
                if raw is not None:
                    scope["raw_path"] = prefix.encode() + raw
        await app(scope, receive, send)

    return inner


def script_name(app):
    """WSGI: ``SCRIPT_NAME`` is the prefix."""

    def inner(environ, start_response):
        environ["SCRIPT_NAME"] = environ.get("HTTP_X_FORWARDED_PREFIX", "").rstrip("/")
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


def main():
    interface, entrypoint, host, port = sys.argv[1:5]
    sys.argv = [entrypoint]
    app = load(entrypoint)
    if not callable(app):
        sys.exit(
            say(f"{entrypoint} is a {type(app).__name__}, not an application. Name the application with --entrypoint.")
            or 3
        )
    if interface == "wsgi":
        run_wsgi(script_name(app), host, port)
    elif interface == "asgi":
        run_asgi(with_prefix(app), host, int(port))
    else:
        run_asgi(app, host, int(port))


if __name__ == "__main__":
    main()
