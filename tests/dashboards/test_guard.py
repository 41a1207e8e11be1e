"""Every route and every callback asks who is there: nobody, somebody without the permission, somebody from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from dashboards.context import SIGNED_IN
from dashboards.guard import CALLBACKS, COOKIE
from identity.roles import PERMISSIONS, permissions_of
from tests.dashboards.worlds import PASSWORD, World

PAGES = ("/", "/alerts", "/incidents", "/incidents/1", "/hunt", "/sources")


@pytest.fixture(scope="module")
def nobody(soc: World) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=soc.url, headers={"origin": soc.url}) as client:
        yield client


@contextmanager
def signed_in(soc: World, name: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=soc.url, headers={"origin": soc.url}) as client:
        answer = client.post("/sign-in", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        yield client


@pytest.mark.parametrize("path", PAGES)
def test_a_browser_without_a_session_is_sent_to_the_door_and_back_again(nobody: httpx.Client, path: str) -> None:
    answer = nobody.get(path, headers={"accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=")


def test_every_callback_refuses_nobody_and_those_without_its_permission(soc: World, nobody: httpx.Client) -> None:
    permissions = soc.pages.callbacks.permissions
    assert len(permissions) > 20
    assert set(permissions.values()) <= PERMISSIONS | {SIGNED_IN}
    with signed_in(soc, "sun.li") as auditor:
        for output, permission in permissions.items():
            body = {"output": output, "inputs": [], "changedPropIds": []}
            assert nobody.post(CALLBACKS, json=body).status_code == 401, output
            status = auditor.post(CALLBACKS, json=body).status_code
            may = permission == SIGNED_IN or permission in permissions_of("auditor")
            assert (status == 403) is not may, (output, permission, status)


def test_a_callback_that_came_past_the_registry_is_refused(soc: World) -> None:
    served = {one["output"] for one in soc.pages.dash._callback_list if not one.get("clientside_function")}
    assert served <= set(soc.pages.callbacks.permissions)
    with signed_in(soc, "admin") as admin:
        for body in (b"{}", b"[]", b"\xff", b'{"output": 7}', b'{"output": "nobody.knows"}', b"[" * 5_000):
            assert admin.post(CALLBACKS, content=body).status_code == 403


@pytest.mark.parametrize("path", ["/_dash-layout", "/_dash-dependencies", "/anything", "/_reload-hash"])
def test_what_dash_says_of_itself_is_for_those_signed_in(nobody: httpx.Client, path: str) -> None:
    assert nobody.get(path).status_code == 401


@pytest.mark.parametrize("headers", [{"origin": "http://evil.example"}, {"origin": "null"}, {}])
def test_a_request_from_another_page_changes_nothing(soc: World, headers: dict[str, str]) -> None:
    with signed_in(soc, "admin") as admin:
        token = admin.cookies[COOKIE]
    with httpx.Client(base_url=soc.url, cookies={COOKIE: token}, headers=headers) as other:
        assert other.post(CALLBACKS, json={"output": "url.search"}).status_code == 403
        assert other.post("/sign-out").status_code == 403


@pytest.mark.parametrize("cookie", ["", f"{COOKIE}=guess", f"{COOKIE}=" + "A" * 5_000])
def test_a_websocket_needs_a_session(soc: World, cookie: str) -> None:
    address = soc.url.replace("http", "ws") + "/_dash-ws-callback"
    with pytest.raises(InvalidStatus) as refused, connect(address, additional_headers={"cookie": cookie, "origin": soc.url}):
        pass
    assert refused.value.response.status_code == 403


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(soc: World) -> None:
    with httpx.Client(base_url=soc.url, headers={"origin": soc.url}) as client:
        set_ = client.post("/sign-in", data={"name": "admin", "password": PASSWORD}).headers["set-cookie"]
    assert "HttpOnly" in set_ and "SameSite=Strict" in set_


def test_a_wrong_password_says_not_what_was_wrong(nobody: httpx.Client) -> None:
    one = nobody.post("/sign-in", data={"name": "admin", "password": "wrong"})
    other = nobody.post("/sign-in", data={"name": "no.such.person", "password": "wrong"})
    assert one.status_code == other.status_code == 401
    assert one.text.replace("admin", "") == other.text.replace("no.such.person", "")


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/sign-out"]
)
def test_signing_in_leads_nowhere_else(soc: World, target: str) -> None:
    with httpx.Client(base_url=soc.url, headers={"origin": soc.url}) as client:
        answer = client.post("/sign-in", params={"next": target}, data={"name": "admin", "password": PASSWORD})
        assert answer.headers["location"] == "/"


def test_pages_carry_a_policy_without_eval(soc: World) -> None:
    with signed_in(soc, "admin") as admin:
        answer = admin.get("/", headers={"accept": "text/html"})
    policy = answer.headers["content-security-policy"]
    assert "unsafe-eval" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"


def test_a_large_body_is_refused(soc: World) -> None:
    with signed_in(soc, "admin") as admin:
        assert admin.post(CALLBACKS, content=b"x" * 3_000_000).status_code == 413


def test_a_callback_answers_whoever_may(soc: World) -> None:
    output = next(name for name in soc.pages.callbacks.permissions if "nav-alerts" in name)
    body = {
        "output": output,
        "outputs": [{"id": "nav-alerts", "property": "children"}, {"id": "nav-incidents", "property": "children"}],
        "inputs": [{"id": "shell-tick", "property": "n_intervals", "value": 1}],
        "changedPropIds": ["shell-tick.n_intervals"],
    }
    with signed_in(soc, "li.na") as analyst:
        answer = analyst.post(CALLBACKS, json=body)
    assert answer.status_code == 200
    assert "nav-alerts" in json.loads(answer.text)["response"]
