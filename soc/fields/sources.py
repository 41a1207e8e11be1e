"""What other worlds call our fields: one renaming per family of log sources, used by parsers on events and by detection on rules.

A Sigma rule for Windows asks for `Image`, a Windows event in JSON has `Image`, and our event has `process.executable`. Both sides
take the new name from the same table here; a name that is in no table gets the family's prefix, on both sides alike. So a rule
finds exactly what it would have found in the original event, and a field that only we derive can never be mistaken for it.

Rules for a table (each broken one silently loses matches; `tests/soc/fields/test_sources.py` checks them):
- injective: two names of one event never share a target; letter case counts (`ProcessID` of the header, `ProcessId` of the data);
- a value that ECS splits or re-codes (`User` with its domain, `Hashes`, `Initiated`) keeps its name under the prefix, whole;
- a target is text or a whole number in the catalogue, never a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from soc.fields import catalogue

LogSource: TypeAlias = tuple[str | None, str | None, str | None]
"""Sigma's (category, product, service)."""

_BOUND = 20_000


class Names(dict[str, str]):
    """Foreign name -> ours; a name that is not in the table gets the prefix, unless it is one of ours already.

    Bounded: who sends events chooses the names.
    """

    def __init__(self, table: Mapping[str, str], prefix: str) -> None:
        super().__init__(table)
        self.prefix = prefix
        self.setdefault("@timestamp", "@timestamp")
        if "Message" not in table:
            self.setdefault("message", "message")

    def __missing__(self, name: str) -> str:
        is_ours = "." in name and (name.startswith(self.prefix) or name in catalogue())
        ours = name[:256] if is_ours else self.prefix + name[:256]
        if len(self) < _BOUND:
            self[name] = ours
        return ours


_PROCESS = {
    "Image": "process.executable",
    "CommandLine": "process.command_line",
    "ParentImage": "process.parent.executable",
    "ParentCommandLine": "process.parent.command_line",
    "CurrentDirectory": "process.working_directory",
}
_FILE_AND_NETWORK = {
    "TargetFilename": "file.path",
    "DestinationIp": "destination.ip",
    "DestinationPort": "destination.port",
    "DestinationHostname": "destination.domain",
}
_WINDOWS = (
    _PROCESS
    | _FILE_AND_NETWORK
    | {
        "Channel": "winlog.channel",
        "EventID": "event.code",
        "Provider_Name": "winlog.provider_name",
        "Computer": "host.name",
        "EventRecordID": "winlog.record_id",
        "ProcessID": "winlog.process.pid",
        "ThreadID": "winlog.process.thread.id",
        "Task": "winlog.task",
        "Opcode": "winlog.opcode",
        "Keywords": "winlog.keywords",
        "Level": "winlog.level",
        "Message": "message",
        "OriginalFileName": "process.pe.original_file_name",
        "Description": "process.pe.description",
        "Product": "process.pe.product",
        "Company": "process.pe.company",
        "FileVersion": "process.pe.file_version",
        "ProcessGuid": "process.entity_id",
        "ParentProcessGuid": "process.parent.entity_id",
        "ImageLoaded": "dll.path",
        "TargetObject": "registry.path",
        "QueryName": "dns.question.name",
        "SourceIp": "source.ip",
        "SourcePort": "source.port",
        "SourceHostname": "source.domain",
        "ScriptBlockText": "powershell.file.script_block_text",
    }
)
_LINUX = _PROCESS | _FILE_AND_NETWORK | {"User": "user.name", "LogonId": "process.session_leader.entity_id"}
_AUDITD = {
    "type": "auditd.type",
    "SYSCALL": "auditd.syscall",
    "exe": "process.executable",
    "comm": "process.name",
    "name": "file.path",
    "key": "auditd.key",
    "uid": "user.id",
    "euid": "user.effective.id",
    "unit": "systemd.unit",
}
_WEB = {
    "cs-method": "http.request.method",
    "cs-uri-stem": "url.path",
    "cs-uri-query": "url.original",  # rules put path and query here; a parser of logs that split them joins them
    "sc-status": "http.response.status_code",
    "cs-user-agent": "user_agent.original",
    "cs-referer": "http.request.referrer",
    "cs-username": "user.name",
    "cs-host": "url.domain",
    "cs-content-type": "http.request.mime_type",
    "c-ip": "source.ip",
}
_PROXY = _WEB | {
    "c-uri": "url.full",
    "c-useragent": "soc.http.useragent",
    "c-uri-extension": "url.extension",
    "c-uri-query": "url.query",
    "dst_ip": "destination.ip",
    "cs-cookie": "soc.http.cookie",
}
_FIREWALL = {"src_ip": "source.ip", "dst_ip": "destination.ip", "dst_port": "destination.port", "action": "event.action"}

NAMES: dict[str, Names] = {
    "windows": Names(_WINDOWS, "winlog.event_data."),
    "process_creation": Names(_LINUX, "linux."),
    "file_event": Names(_LINUX, "linux."),
    "network_connection": Names(_LINUX, "linux."),
    "auditd": Names(_AUDITD, "auditd."),
    "sudo": Names({"USER": "user.effective.name"}, "sudo."),
    "webserver": Names(_WEB, "http."),
    "proxy": Names(_PROXY, "proxy."),
    "dns": Names({"query": "dns.question.name", "record_type": "dns.question.type", "answer": "dns.answer"}, "dns."),
    "firewall": Names(_FIREWALL, "firewall."),
}
"""Family -> its names."""

_others: dict[str, Names] = {}


def names_of(source: LogSource) -> Names:
    """The names for a rule's or an event's log source.

    Windows by product (or by a service or category that only Windows has, which the caller knows: it passes 'windows'); then by
    category, then by service; any other source keeps its own names under '<product>.<service or category>.'.
    """
    category, product, service = source
    if product == "windows":
        return NAMES["windows"]
    for family in (category, service):
        if family in NAMES and family != "windows":
            return NAMES[family]
    prefix = ".".join(part for part in (product, service or category) if part) + "."
    found = _others.get(prefix)
    if found is None:
        found = Names({}, prefix)
        if len(_others) < 1_000:
            _others[prefix] = found
    return found


TAGS = ("logsource_category", "logsource_product", "logsource_service")
"""Keys by which a JSON event of a test corpus says what log source it is of."""
_TAGGED = "sigma."
_tagged: dict[LogSource, str] = {}


def tagged_dataset(source: LogSource) -> str:
    """'sigma.webserver.-.-' for ('webserver', None, None); `logsource_of` reads it back. At most a thousand are told apart."""
    dataset = _tagged.get(source)
    if dataset is None:
        dataset = _TAGGED + ".".join(_plain(part) for part in source)
        if len(_tagged) >= 1_000:
            return _TAGGED + "-.-.-"
        _tagged[source] = dataset
    return dataset


def _plain(part: str | None) -> str:
    return "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in part[:64]) if part else "-"


def logsource_of(dataset: str) -> LogSource | None:
    """The log source that a tagged dataset names; None for any other dataset."""
    if not dataset.startswith(_TAGGED):
        return None
    parts = dataset[len(_TAGGED) :].split(".")
    if len(parts) != 3:
        return None
    category, product, service = (None if part == "-" else part for part in parts)
    return category, product, service


_channels: dict[str, str] = {}


def windows_dataset(channel: str) -> str:
    """'windows.sysmon' for 'Microsoft-Windows-Sysmon/Operational', 'windows.security' for 'Security'."""
    dataset = _channels.get(channel)
    if dataset is None:
        last = channel[:200].partition("/")[0].rpartition("-")[2].lower()
        dataset = "windows." + ("".join(letter if letter.isalnum() else "_" for letter in last) or "other")
        if len(_channels) >= 1_000:
            return "windows.other"
        _channels[channel] = dataset
    return dataset
