"""What nginx's and Apache's access logs have in common: one request, in ECS."""

from __future__ import annotations

from soc.contracts import Fields

FIELDS = (
    "event.category", "event.type", "event.action", "event.outcome", "source.ip", "source.domain", "user.name",
    "http.request.method",
    "url.original", "url.path", "url.query", "url.domain", "http.version", "http.response.status_code",
    "http.response.body.bytes",
    "http.request.referrer", "user_agent.original", "soc.http.request_line",
)  # fmt: skip


def request(
    address: str, user: str, asked: str, status: int, size: str, referrer: str | None, agent: str | None
) -> Fields:
    """Fields of one request; `asked` is the request line as logged, '-' means absent in every text.

    A line that is no `METHOD target HTTP/x` (a TLS hello on a plain port, a probe) is kept in soc.http.request_line.
    """
    about: Fields = {
        "event.category": ["web"],
        "event.type": ["access"],
        "event.action": "http_request",
        "event.outcome": "success" if status < 400 else "failure",
        "source.ip" if ":" in address or address.replace(".", "").isdigit() else "source.domain": address,
        "http.response.status_code": status,
    }
    if user != "-":
        about["user.name"] = user
    method, _, rest = asked.partition(" ")
    target, _, version = rest.rpartition(" HTTP/")
    if target and method.isalpha() and len(method) <= 16 and len(version) <= 4:
        about["http.request.method"], about["url.original"], about["http.version"] = method, target, version
        path, mark, query = target.partition("?")
        about["url.path"] = path
        if mark:
            about["url.query"] = query
    else:
        about["soc.http.request_line"] = asked
    if size.isdigit():
        about["http.response.body.bytes"] = int(size)
    if referrer and referrer != "-":
        about["http.request.referrer"] = referrer
    if agent and agent != "-":
        about["user_agent.original"] = agent
    return about
