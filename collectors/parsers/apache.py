r"""Apache httpd access log (common, combined, vhost_combined) by syslog, and its error log.

Source: httpd mod_log_config (a quote inside %r, %i is written \"), server/log.c default ErrorLogFormat of 2.4. Access logs in a
file look like nginx's and are read by `nginx`; this one reads Apache's own tags and error format.
"""

from __future__ import annotations

import re

from collectors import stamps
from collectors.parsers import nginx
from collectors.web import FIELDS
from soc.contracts import Fields, RawLine

programs = ("apache", "apache2", "httpd")
formats = ("error",)
dataset = "apache.access"
logsources = {"apache.access": ("webserver", "linux", "apache"), "apache.error": (None, "linux", "apache")}
fields = (
    *FIELDS, "log.level", "error.message", "error.code", "event.provider", "process.thread.id", "source.port", "event.duration",
)  # fmt: skip

_ERROR = re.compile(
    r"(?:\[\w{3} (\w{3} [ \d]?\d \d\d:\d\d:\d\d)(?:\.(\d{1,6}))? (\d{4})\] )?\[(?:(\w{1,32}):)?(\w{1,10})\]"
    r" (?:\[pid (\d{1,10})(?::tid (\d{1,20}))?\] )?(?:\(\d{1,6}\)[^:]{1,256}: )?(?:\[client ([0-9A-Fa-f:.]{2,45})\] )?"
    r"(?:(AH\d{5}): )?(.{0,16384})",
    re.S,
).fullmatch
_CLIENT_PORT = re.compile(r"(.{2,45}):(\d{1,5})").fullmatch


def parse(line: RawLine) -> Fields | None:
    """One access or error line. event.action: http_request or http_error, as nginx's."""
    if line.body[:1] != "[":
        about = nginx.parse(line)
        return about if about is not None and "event.dataset" not in about else None
    if not (found := _ERROR(line.body)):
        return None
    stamp, fraction, year, module, level, pid, tid, client, code, text = found.groups()
    read: Fields = {
        "event.dataset": "apache.error",
        "event.category": ["web"],
        "event.type": ["error"],
        "event.action": "http_error",
        "log.level": level,
        "error.message": text,
    }
    if stamp and (when := stamps.with_year(year, f"{stamp[:4]}{stamp[4:-9].strip():>2}{stamp[-9:]}", line.zone)) is not None:
        read["@timestamp"] = when + int((fraction or "0").ljust(6, "0"))
    if client:
        apart = _CLIENT_PORT(client) if "." in client or client.count(":") > 7 else None
        read["source.ip"] = apart[1] if apart else client
        if apart:
            read["source.port"] = int(apart[2])
    named = {"event.provider": module, "error.code": code}
    read |= {name: value for name, value in named.items() if value}
    read |= {name: int(value) for name, value in {"process.pid": pid, "process.thread.id": tid}.items() if value}
    return read
