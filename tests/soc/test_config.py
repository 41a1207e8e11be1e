"""Settings: a mistake is named with its place, every setting has an environment twin and a help text."""

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from soc.config import KERNEL, Config, Home, Store, Web, example, field_docs, find_home
from soc.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Syslog:
    """A section of an extension."""

    listen: tuple[str, ...] = ("udp://127.0.0.1:5514",)
    """Where to listen."""
    tokens: dict[str, str] = dataclasses.field(default_factory=dict)
    """Source to token."""
    rate: float = 1.0
    """Records per second."""


SECTIONS = {"collectors.syslog": Syslog}


def config(tmp_path: Path, text: str = "", **environ: str) -> Config:
    (tmp_path / "soc.toml").write_text(text, encoding="utf-8")
    return Config(Home(tmp_path), SECTIONS, environ)


def test_file_and_environment_override_the_default(tmp_path: Path) -> None:
    both = config(tmp_path, "[web]\nport = 9000\n[store]\nretention_days = 200", SOC_WEB__PORT="9001")
    assert both[Web].port == 9001
    assert both[Store].retention_days == 200
    origins = {(one.section, one.key): one.origin for one in both.settings}
    assert origins["web", "port"] == "SOC_WEB__PORT"
    assert origins["store", "retention_days"] == "soc.toml"
    assert origins["web", "host"] == "default"


def test_an_extension_s_section_is_nested(tmp_path: Path) -> None:
    own = config(
        tmp_path,
        '[collectors.syslog]\nlisten = ["tcp://0.0.0.0:514"]\nrate = 2\n[collectors.syslog.tokens]\nerp = "x"',
        SOC_COLLECTORS__SYSLOG__RATE="2.5",
    ).section("collectors.syslog")
    assert own == Syslog(("tcp://0.0.0.0:514",), {"erp": "x"}, 2.5)


LISTS = [
    ("udp://a:1,tcp://b:2", ("udp://a:1", "tcp://b:2")),
    ('["udp://a:1"]', ("udp://a:1",)),
    ("", ()),
]


@pytest.mark.parametrize(("text", "value"), LISTS)
def test_a_list_from_the_environment(tmp_path: Path, text: str, value: tuple[str, ...]) -> None:
    assert config(tmp_path, SOC_COLLECTORS__SYSLOG__LISTEN=text).section("collectors.syslog").listen == value


MISTAKES = [
    ("[web]\nprot = 1", r"\[web\] prot: no such key; known: host, port"),
    ("[webb]\nport = 1", r"\[webb\]: no such section"),
    ("[collectors.sislog]\nx = 1", r"\[collectors.sislog\]: no such section"),
    ("top = 1", r"\[top\]: no such section"),
    ('[web]\nport = "80"', r"\[web\] port: '80' is not a whole number"),
    ("[web]\nport = true", r"\[web\] port: True is not a whole number"),
    ("[collectors.syslog]\nlisten = 'udp'", r"\[collectors.syslog\] listen: 'udp' is not a list of texts"),
    ("[collectors.syslog]\nlisten = [1]", r"listen: 1 is not a text"),
    ("[web]\nport = ", r"soc.toml: Invalid value"),
]


@pytest.mark.parametrize(("text", "complaint"), MISTAKES)
def test_a_mistake_names_file_section_and_key(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        config(tmp_path, text)
    assert "soc.toml" in str(caught.value)


def test_a_misspelt_variable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="SOC_WEB__PROT: no such setting"):
        config(tmp_path, SOC_WEB__PROT="1")
    with pytest.raises(ConfigError, match="SOC_WEB__PORT: 'x' is not a whole number"):
        config(tmp_path, SOC_WEB__PORT="x")
    config(tmp_path, SOC_HOME="/x", SOC_TESTS_REQUIRE_SERVERS="1")  # no '__': not a setting, and not ours to judge


@pytest.mark.parametrize("name", KERNEL)
def test_every_setting_says_what_it_means(name: str) -> None:
    kind = KERNEL[name]
    assert kind.__doc__
    missing = {f.name for f in dataclasses.fields(kind)} - field_docs(kind).keys()
    assert not missing


def test_the_example_is_a_right_file_that_changes_nothing(tmp_path: Path) -> None:
    text = example(KERNEL | SECTIONS)
    assert tomllib.loads(text)
    plain, commented = Config(Home(tmp_path / "x"), SECTIONS, {}), config(tmp_path, text)
    uncommented = config(
        tmp_path, "\n".join(line[2:] if " = " in line and line.startswith("# ") else line for line in text.splitlines()[2:])
    )
    for one in (commented, uncommented):
        assert [(s.section, s.key, s.value) for s in one.settings] == [(s.section, s.key, s.value) for s in plain.settings]


def test_the_home_is_named_or_taken_from_the_environment(tmp_path: Path) -> None:
    assert find_home(tmp_path, {}).path == tmp_path
    assert find_home(None, {"SOC_HOME": str(tmp_path)}).path == tmp_path
    assert find_home(None, {}).path.name == ".lingshu-soc"
    home = find_home(tmp_path / "new", {}).make()
    assert home.log.stat().st_mode & 0o077 == 0, "nobody else reads our logs"
