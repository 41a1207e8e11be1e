"""nginx with an access log in its usual format: to a file, and by syslog to a port of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import answers, free_port, need, running

_CONFIGURATION = """daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{}}
http {{
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  access_log {folder}/access.log combined;
  {syslog}
  server {{
    listen 127.0.0.1:{port};
    location = /hello {{ return 200 "你好\\n"; }}
    location / {{ return 404; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running nginx: /hello answers 200, everything else 404."""

    url: str
    access: Path
    error: Path


@contextmanager
def nginx(folder: Path, syslog: int | None = None) -> Iterator[Nginx]:
    """`syslog` is the UDP port that gets the access log too."""
    program, port = need("nginx", "nginx-light"), free_port()
    also = f"access_log syslog:server=127.0.0.1:{syslog},tag=nginx,severity=info combined;" if syslog else ""
    (folder / "nginx.conf").write_text(_CONFIGURATION.format(folder=folder, port=port, syslog=also))
    command = [program, "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with running(command, folder / "nginx.out", answers(port)):
        yield Nginx(f"http://127.0.0.1:{port}", folder / "access.log", folder / "error.log")
