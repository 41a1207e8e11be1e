"""Numbers and times as people read them. Stored times are µs UTC; shown ones are Beijing time (UTC+8, no summer time)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000


def moment(micros: int) -> datetime | None:
    """In Beijing; None outside the years 1 to 9999."""
    try:
        return (_EPOCH + timedelta(microseconds=micros)).astimezone(BEIJING)
    except (OverflowError, ValueError):
        return None


def stamp(micros: int | None) -> str:
    """'2026-11-22 14:32:05', or '—' where there is none."""
    if micros is None:
        return "—"
    at = moment(micros)
    return at.strftime("%Y-%m-%d %H:%M:%S") if at is not None else str(micros)


def clock(micros: int | None) -> str:
    """'14:32:05' today's kind of time, without the date."""
    return stamp(micros)[-8:] if micros is not None else "—"


def ago(micros: int | None, now: int, language: str) -> str:
    """刚刚, 3 分钟前, 2 小时前, 5 天前, then the date; a time ahead of us is shown whole."""
    if micros is None:
        return "—"
    secs = (now - micros) // _SECOND
    if secs < -60 or secs >= 7 * 86_400:
        return stamp(micros)[:16]
    if secs < 60:
        return "刚刚" if language == "zh" else "just now"
    for size, zh, en in ((86_400, "天前", "d ago"), (3_600, "小时前", "h ago"), (60, "分钟前", "min ago")):
        if secs >= size:
            return f"{secs // size} {zh if language == 'zh' else en}"
    raise AssertionError(secs)


def whole(number: int) -> str:
    """All digits: 1,204,331."""
    return f"{number:,}".replace("-", "\u2212")


def short(number: int, language: str) -> str:
    """For headings: 28.14 亿, 3.2 万; 2.81B, 32.0K."""
    sign, size = ("\u2212" if number < 0 else ""), abs(number)
    steps = (
        ((100_000_000, " 亿", 2), (10_000, " 万", 1))
        if language == "zh"
        else ((10**9, "B", 2), (10**6, "M", 2), (10_000, "K", 1))
    )
    for index, (step, name, digits) in enumerate(steps):
        unit = 1_000 if name == "K" else step
        if round(size / unit, digits) >= step / unit:
            text = f"{size / unit:.{digits}f}"
            if index and float(text) * unit >= steps[index - 1][0]:
                above, word, places = steps[index - 1]
                return f"{sign}{size / above:.{places}f}{word}"
            return f"{sign}{text}{name}"
    return f"{sign}{size:,}"


def percent(part: float, of: float) -> str:
    """One decimal; '—' of nothing."""
    return f"{100 * part / of:.1f}%" if of else "—"


def bytes_(number: int) -> str:
    """1024-based: 3.1 MB."""
    size = float(number)
    for unit in ("B", "KB", "MB", "GB"):
        if abs(size) < 1023.95:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"


def duration(micros: int, language: str) -> str:
    """'2 天 03 时', '1 时 47 分', '12 分', '34 秒'; '2 d 03 h', '1 h 47 min', '12 min', '34 s'."""
    secs = max(0, micros // _SECOND)
    day, hour, minute, second = ("天", "时", "分", "秒") if language == "zh" else ("d", "h", "min", "s")
    if secs >= 86_400:
        return f"{secs // 86_400} {day} {secs % 86_400 // 3_600:02d} {hour}"
    if secs >= 3_600:
        return f"{secs // 3_600} {hour} {secs % 3_600 // 60:02d} {minute}"
    return f"{secs // 60} {minute}" if secs >= 60 else f"{secs} {second}"
