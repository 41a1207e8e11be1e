r"""nginx access log (common, combined, combined with times behind, with a virtual host in front, JSON) and error log.

Source: nginx ngx_http_log_module (`escape=default` writes quotes, backslashes and control bytes as \x22, so a quote can only be
nginx's own), ngx_log.c. The request line, referrer and user agent are the client's: each ends at its quote and nowhere else.
"""

from __future__ import annotations

import re
from typing import Any

from collectors import stamps
from collectors.web import FIELDS, request
from soc.contracts import Fields, RawLine
from soc.fields import fit

programs = ("nginx",)
formats = ("access", "error")
dataset = "nginx.access"
logsources = {"nginx.access": ("webserver", "linux", "nginx"), "nginx.error": (None, "linux", "nginx")}
fields = (*FIELDS, "log.level", "error.message", "process.thread.id", "soc.http.request_id", "event.duration")
marks = (("remote_addr", "request"), ("remote_addr", "request_uri"))

_Q = r'((?:[^"\\]|\\.){0,16384})'
_ACCESS = re.compile(
    r"(?:([\w.:\[\]-]{1,255}) )?([\w:][\w.:%-]{0,254}) \S{1,64} ([^\"]{1,256}?) \[([\w/:]{20} [+-]\d{4})\]"
    r" \"" + _Q + r'" (\d{3}) (\d{1,18}|-)(?: "'
    + _Q + r'" "' + _Q + r'")?(?: "?(\d{1,9}\.\d{3})"?(?= |$)| .{0,4096})?', re.S
).fullmatch  # fmt: skip
_ERROR = re.compile(
    r"(?:(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) )?\[(\w{1,10})\] (\d{1,10})#(\d{1,10}): (?:\*(\d{1,20}) )?(.{0,16384})", re.S
).fullmatch
_QUOTED = re.compile(r'"(?:[^"\\]|\\.){0,16384}"')
_CLIENT = re.compile(r", client: ([0-9A-Fa-f:.]{2,45})(?:, server: ([^,]{0,255}))?(?=,|$)").findall


def parse(line: RawLine) -> Fields | None:
    """One access or error line. event.action: http_request (outcome failure from status 400 on) or http_error."""
    body = line.body
    if found := _ACCESS(body):
        host, address, user, stamp, asked, status, size, referrer, agent, seconds = found.groups()
        about = request(address, user, asked, int(status), size, referrer, agent)
        if (when := stamps.clf(stamp)) is not None:
            about["@timestamp"] = when
        if host:
            about["url.domain"] = host
        if seconds:
            about["event.duration"] = int(float(seconds) * 1e9)
        return about
    if found := _ERROR(body):
        return _error(found, line)
    return None


def _error(found: re.Match[str], line: RawLine) -> Fields:
    stamp, level, pid, thread, _, text = found.groups()
    about: Fields = {
        "event.dataset": "nginx.error",
        "event.category": ["web"],
        "event.type": ["error"],
        "event.action": "http_error",
        "log.level": level,
        "process.pid": int(pid),
        "process.thread.id": int(thread),
        "error.message": text,
    }
    if stamp and (when := stamps.second(stamp.replace("/", "-"), None, None, line.zone)) is not None:
        about["@timestamp"] = when
    clients = set(_CLIENT(_QUOTED.sub('""', text)))  # paths and referrers are the client's text, and always in quotes
    if len(clients) == 1:  # two that differ: somebody's own quote broke out of them, and nobody can say who
        address, server = clients.pop()
        about["source.ip"] = address
        if server:
            about["url.domain"] = server
    return about


def parse_json(record: dict[str, Any], line: RawLine) -> Fields | None:
    """An access log written as JSON with nginx's variable names (log_format … escape=json)."""
    asked = record.get("request") or f"{record.get('request_method', 'GET')} {record.get('request_uri', '')} HTTP/1.1"
    status = fit("http.response.status_code", record.get("status"))
    if not isinstance(asked, str) or not isinstance(status, int):
        return None
    text = {name: value for name, value in record.items() if isinstance(value, str)}
    about = request(
        text.get("remote_addr", ""),
        text.get("remote_user", "-") or "-",
        asked[:16384],
        status,
        str(record.get("body_bytes_sent", "-")),
        text.get("http_referer"),
        text.get("http_user_agent"),
    )
    for name in ("time_iso8601", "time", "@timestamp"):
        if name in text and (when := stamps.iso(text[name], line.zone)) is not None:
            about["@timestamp"] = when
            break
    if domain := text.get("host") or text.get("server_name"):
        about["url.domain"] = domain
    if request_id := text.get("request_id"):
        about["soc.http.request_id"] = request_id
    return about
