"""iptables and nftables LOG lines of the kernel: `[123.456] PREFIX IN=eth0 OUT= MAC=… SRC=… DST=… PROTO=TCP SPT=… DPT=… SYN`.

Source: Linux net/netfilter/nf_log_syslog.c, nf_log_ip_packet(). The rule's prefix comes before IN= and is the administrator's;
everything behind is the kernel's own, except that an ICMP error quotes the packet it answers in square brackets: not read.
"""

from __future__ import annotations

import re

from soc.contracts import Fields, RawLine

programs = ("kernel",)
dataset = "netfilter"
logsources = {"netfilter": ("firewall", "linux", "netfilter")}
fields = (
    "event.category", "event.type", "event.action", "event.outcome", "rule.name", "observer.ingress.interface.name",
    "observer.egress.interface.name", "source.ip", "source.port", "source.mac", "destination.ip", "destination.port",
    "destination.mac", "network.transport", "network.bytes", "soc.netfilter.flags",
)  # fmt: skip

_FRONT = re.compile(r"(?:\[[ \d]{1,12}\.\d{1,9}\] ?)?(.{0,64}?) ?IN=(\S{0,16}) OUT=(\S{0,16}) (?=.{0,512}\bSRC=)").match
_PAIR = re.compile(r"(?<!\S)(MAC|SRC|DST|LEN|PROTO|SPT|DPT)=(\S{0,64})").findall
_FLAG = re.compile(r"(?<!\S)(SYN|ACK|FIN|RST|PSH|URG)(?!\S)").findall
_REFUSED = re.compile(r"drop|block|den[iy]|reject|refuse|invalid|bad", re.I).search
_ALLOWED = re.compile(r"accept|allow|permit|pass", re.I).search
_PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "ipv6-icmp"}


def parse(line: RawLine) -> Fields | None:
    """One packet. event.action: packet_dropped, packet_allowed (by the words of the prefix), else packet_logged."""
    body = line.body[:2048]
    if "SRC=" not in body or not (found := _FRONT(body)):
        return None
    prefix, incoming, outgoing = found.groups()
    packet = body[found.end() :].partition(" [")[0]
    read: dict[str, str] = {}
    for key, value in _PAIR(packet):
        read.setdefault(key, value)
    action, outcome = _verdict(prefix)
    about: Fields = {"event.category": ["network"], "event.type": ["connection"], "event.action": action}
    if outcome:
        about["event.outcome"] = outcome
    named = {
        "rule.name": prefix.strip(" :-[]"),
        "observer.ingress.interface.name": incoming,
        "observer.egress.interface.name": outgoing,
        "source.ip": read.get("SRC"),
        "destination.ip": read.get("DST"),
        "network.transport": _PROTOCOLS.get(protocol := read.get("PROTO", ""), protocol.lower()),
        "soc.netfilter.flags": " ".join(_FLAG(packet)),
    }
    about |= {name: value for name, value in named.items() if value}
    numbers = {"source.port": read.get("SPT"), "destination.port": read.get("DPT"), "network.bytes": read.get("LEN")}
    about |= {name: int(value) for name, value in numbers.items() if value and value.isascii() and value.isdigit()}
    if len(mac := read.get("MAC", "")) >= 35:
        about["destination.mac"], about["source.mac"] = _mac(mac[:17]), _mac(mac[18:35])
    return about


def _verdict(prefix: str) -> tuple[str, str]:
    if _REFUSED(prefix):
        return "packet_dropped", "failure"
    if _ALLOWED(prefix):
        return "packet_allowed", "success"
    return "packet_logged", ""


def _mac(text: str) -> str:
    """As ECS writes it: 00-1B-2C-3D-4E-5F."""
    return text.upper().replace(":", "-")
