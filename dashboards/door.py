"""The pages before the pages: signing in, choosing a password. Plain HTML made here; no script but our two small files."""

from __future__ import annotations

from html import escape

from dashboards.i18n import LANGUAGES, translate
from identity import passwords

_PAGE = """<!DOCTYPE html>
<html lang="{lang}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title><link rel="icon" href="data:,"><script src="/assets/early.js"></script>
<link rel="stylesheet" href="/assets/soc.css"><link rel="stylesheet" href="/assets/icons.css"></head>
<body><main class="s-door"><div class="s-door-card">
<div class="s-door-top"><div class="s-mark"><span class="s-icon s-i-shield" aria-hidden="true"></span></div>
<div><h1>{product}</h1><p>{title}</p></div></div>
<form method="post" action="{action}" autocomplete="on">{notice}{fields}
<button class="s-btn s-pri" type="submit">{submit}</button></form>
<div class="s-door-foot">{languages}<span class="s-sp"></span>
<button type="button" data-scheme="toggle">{scheme}</button></div>
</div></main><script src="/assets/session.js"></script></body></html>"""


def sign_in_page(language: str, notice: str = "", name: str = "", action: str = "/sign-in") -> str:
    """The form that asks for name and password; `notice` is text for people."""
    fields = _field(language, "name", "text", "username", name, focus=not name)
    fields += _field(language, "password", "password", "current-password", focus=bool(name))
    return _page(language, "sign_in", action, notice, fields, "sign_in")


def password_page(language: str, notice: str = "", forced: bool = True) -> str:
    """The form that takes the old password and a new one twice."""
    hint = f'<p class="s-2" style="margin:0">{escape(translate(language, "password_rules", shortest=passwords.SHORTEST))}</p>'
    intro = f'<div class="s-note s-low">{escape(translate(language, "password_forced"))}</div>' if forced and not notice else ""
    fields = intro + _field(language, "old", "password", "current-password", focus=True)
    fields += _field(language, "new", "password", "new-password") + _field(language, "again", "password", "new-password") + hint
    return _page(language, "change_password", "/password", notice, fields, "change_password")


def _page(language: str, title: str, action: str, notice: str, fields: str, submit: str) -> str:
    names = {"zh": "中文", "en": "English"}
    chosen = "".join(
        f'<button type="button" data-lang="{one}" aria-pressed="{str(one == language).lower()}">{names[one]}</button>'
        for one in LANGUAGES
    )
    return _PAGE.format(
        lang="zh-CN" if language == "zh" else "en",
        title=escape(translate(language, title)),
        product=escape(translate(language, "product")),
        action=escape(action, quote=True),
        notice=f'<div class="s-note s-critical" role="alert">{escape(notice)}</div>' if notice else "",
        fields=fields,
        submit=escape(translate(language, submit)),
        languages=chosen,
        scheme=escape(translate(language, "scheme")),
    )


def _field(language: str, name: str, kind: str, complete: str, value: str = "", focus: bool = False) -> str:
    label = escape(translate(language, f"field_{name}"))
    more = " autofocus" if focus else ""
    return (
        f'<label>{label}<input name="{name}" type="{kind}" autocomplete="{complete}" required maxlength="256" '
        f'value="{escape(value, quote=True)}"{more}></label>'
    )
