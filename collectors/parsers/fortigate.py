"""FortiGate firewalls, key=value: traffic, administrator events, VPN, IPS and virus messages.

Source: Fortinet "FortiOS Log Message Reference" 7.x, field list per log type. Values with blanks are quoted; inside quotes the
device escapes nothing, so a quote can only end the value. The first of doubled keys counts: what somebody appends does not.
"""

from __future__ import annotations

from collectors import stamps
from collectors.keyvalue import KeyValue
from soc.contracts import Fields, RawLine

programs = ("fortigate", "fortinet", "FortiGate", "FGT")
dataset = "fortinet.firewall"
logsources = {"fortinet.firewall": ("firewall", "fortigate", "traffic")}
fields = None
"""What is not named here becomes fortinet.<key>, text."""

_TEXTS = {
    "srcip": "source.ip", "dstip": "destination.ip", "action": "event.action", "policyname": "rule.name", "policyid": "rule.id",
    "devname": "observer.name", "devid": "observer.serial_number", "service": "network.protocol",
    "srcintf": "observer.ingress.interface.name", "dstintf": "observer.egress.interface.name", "subtype": "fortinet.subtype",
    "type": "fortinet.type", "level": "log.level", "vd": "fortinet.vd", "logid": "event.code", "proto": "network.iana_number",
    "user": "user.name", "srcname": "source.domain", "dstname": "destination.domain", "hostname": "url.domain", "url": "url.path",
    "agent": "user_agent.original", "msg": "event.reason", "attack": "rule.name", "virus": "rule.name", "srcmac": "source.mac",
    "date": "fortinet.date", "time": "fortinet.time", "tz": "fortinet.tz", "srccountry": "source.geo.country_name",
    "dstcountry": "destination.geo.country_name", "transip": "source.nat.ip", "app": "network.application",
}  # fmt: skip
_NUMBERS = {
    "srcport": "source.port", "dstport": "destination.port", "sentbyte": "source.bytes", "rcvdbyte": "destination.bytes",
    "sentpkt": "source.packets", "rcvdpkt": "destination.packets", "duration": "event.duration", "transport": "source.nat.port",
}  # fmt: skip
_reader = KeyValue(_TEXTS, _NUMBERS, "fortinet.")
_TRANSPORTS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "ipv6-icmp", "47": "gre", "50": "esp"}
_REFUSED = frozenset({"deny", "denied", "blocked", "block", "dropped", "drop", "reset", "quarantined"})


def parse(line: RawLine) -> Fields | None:
    """One FortiGate line; event.action is the device's own word (accept, close, deny, login …), outcome failure if it refused.

    event.duration is in ns as ECS has it. @timestamp is the device's own date and time, in its `tz` or the source's zone.
    """
    read = _reader.read(line.body)
    if "fortinet.type" not in read and "source.ip" not in read:
        return None
    kind = read.get("fortinet.type")
    read["event.category"] = ["network"] if kind != "event" else ["configuration"]
    action = read.get("event.action")
    read["event.outcome"] = "failure" if action in _REFUSED or read.get("fortinet.status") == "failed" else "success"
    number = read.get("network.iana_number")
    if isinstance(number, str):
        read["network.transport"] = _TRANSPORTS.get(number, number)
    seconds = read.get("event.duration")
    if isinstance(seconds, int):
        read["event.duration"] = seconds * 1_000_000_000
    _stamp(read, line)
    return read


def _stamp(read: Fields, line: RawLine) -> None:
    date, time, zone = read.pop("fortinet.date", ""), read.pop("fortinet.time", ""), read.pop("fortinet.tz", None)
    if date and time:
        when = stamps.second(f"{date}T{time}", str(zone) if zone else None, None, line.zone)
        if when is not None:
            read["@timestamp"] = when
