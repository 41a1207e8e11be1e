"""Pure functions: rows in, figure out. Only trace types of the shipped plotly bundle (bar, scatter), and no numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import plotly.graph_objects as go

from dashboards import formats, theme
from soc.model import LEVELS, Level

CONFIG: Any = {"displayModeBar": False, "displaylogo": False, "responsive": True, "locale": "zh-CN", "scrollZoom": False}
_SYMBOLS = {"critical": "diamond", "high": "triangle-up", "medium": "square", "low": "circle", "informational": "circle-open"}
_STEPS = tuple(
    secs * 1_000_000
    for secs in (1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 604_800)
)
_MOST_BARS = 60


def interval(since: int, until: int) -> int:
    """The width of a bar, µs: a step that people count in, for 60 bars at most."""
    return next((step for step in _STEPS if (until - since) / step <= _MOST_BARS), _STEPS[-1])


def severity_bars(
    since: int, until: int, width: int, counts: Mapping[tuple[int, Level], int], names: Mapping[Level, str], **layout: Any
) -> go.Figure:
    """Alerts over time, the severe ones on top. `counts` is by (start of interval, level); `names` the levels' words."""
    starts = _starts(since, until, width)
    figure = go.Figure(layout=_layout(since, until, width, barmode="stack", **layout))
    for level in LEVELS:
        heights = [counts.get((start, level), 0) for start in starts]
        _bars(figure, starts, width, heights, names[level], {scheme: theme.fill(level, scheme) for scheme in ("light", "dark")})
    return figure


def count_bars(since: int, until: int, width: int, counts: Mapping[int, int], name: str, **layout: Any) -> go.Figure:
    """One quantity over time; the tallest bar is the loud one."""
    starts = _starts(since, until, width)
    figure = go.Figure(layout=_layout(since, until, width, **layout))
    heights = [counts.get(start, 0) for start in starts]
    _bars(figure, starts, width, heights, name, {scheme: theme.fill("accent", scheme) for scheme in ("light", "dark")})
    return figure


def timeline(lanes: Sequence[str], points: Sequence[tuple[int, str, Level, str]], names: Mapping[Level, str]) -> go.Figure:
    """Swim lanes: `points` are (time, lane, level, text), drawn by shape and colour of their level."""
    moments = [time for time, *_ in points]
    first, last = min(moments), max(moments)
    pad = max((last - first) // 20, 30_000_000)
    figure = go.Figure(layout=_layout(first - pad, last + pad, 0, hovermode="closest", margin={"l": 4, "r": 10, "t": 6, "b": 0}))
    for index in range(0, len(lanes), 2):
        figure.add_shape(
            type="rect",
            xref="paper",
            x0=0,
            x1=1,
            y0=index - 0.5,
            y1=index + 0.5,
            line_width=0,
            fillcolor="rgba(128,146,164,.11)",
            layer="below",
        )
    for level in LEVELS:
        mine = [point for point in points if point[2] == level]
        if mine:
            colours = {scheme: theme.INK[scheme][level] for scheme in ("light", "dark")}
            figure.add_scatter(
                x=[_shown(time) for time, *_ in mine],
                y=[lanes.index(lane) for _, lane, _, _ in mine],
                mode="markers",
                name=names[level],
                text=[text for *_, text in mine],
                marker={
                    "symbol": _SYMBOLS[level],
                    "size": 13,
                    "color": colours["light"],
                    "line": {"width": 1, "color": "rgba(255,255,255,.7)"},
                },
                meta=colours,
                hovertemplate="%{x|%H:%M:%S} %{text}<extra></extra>",
                cliponaxis=False,
            )
    figure.update_yaxes(
        tickvals=list(range(len(lanes))),
        ticktext=[f"{lane}  " for lane in lanes],
        range=[-0.5, len(lanes) - 0.5],
        showgrid=False,
        rangemode="normal",
    )
    return figure


def _bars(
    figure: go.Figure, starts: Sequence[int], width: int, heights: Sequence[int], name: str, colours: Mapping[str, str]
) -> None:
    figure.add_bar(
        x=[_shown(start + width // 2) for start in starts],
        y=list(heights),
        width=width / 1_000 * 0.8,
        name=name,
        customdata=[_label(start, start + width) for start in starts],
        meta=dict(colours),
        marker={"color": colours["light"], "line": {"width": 0}},
        hovertemplate="%{y:,}",
    )


def _starts(since: int, until: int, width: int) -> list[int]:
    first = since - since % width
    return list(range(first, until, width))[:1_000]


def _layout(since: int, until: int, width: int, **more: Any) -> go.Layout:
    ink = theme.INK["light"]
    axis = {
        "gridcolor": ink["grid"],
        "linecolor": ink["line"],
        "zeroline": False,
        "tickfont": {"size": 12, "color": ink["text"]},
        "automargin": True,
        "fixedrange": True,
    }
    first, last = (since - since % width, until + (-until) % width) if width else (since, until)
    span_days = (until - since) / 86_400_000_000
    ticks = "%m-%d" if span_days > 3 else "%H:%M" if span_days > 0.02 else "%H:%M:%S"
    given: dict[str, Any] = {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": theme.FONT, "size": 12, "color": ink["text"]},
        "margin": {"l": 0, "r": 2, "t": 4, "b": 0},
        "hoverlabel": {"font": {"family": theme.FONT, "size": 12}, "bordercolor": "rgba(0,0,0,0)"},
        "hovermode": "x unified",
        "showlegend": False,
        "dragmode": False,
        "xaxis": axis
        | {
            "type": "date",
            "range": [_shown(first), _shown(last)],
            "showgrid": False,
            "ticks": "outside",
            "ticklen": 3,
            "tickcolor": ink["line"],
            "tickformat": ticks,
            "hoverformat": "%m-%d %H:%M:%S",
            "nticks": 7,
        },
        "yaxis": axis | {"nticks": 4, "rangemode": "tozero", "tickformat": ",d"},
    }
    return go.Layout(**(given | more))


def _shown(micros: int) -> datetime | None:
    """Plotly draws times without a zone as they are: Beijing time, then."""
    at = formats.moment(micros)
    return at.replace(tzinfo=None) if at is not None else None


def _label(start: int, end: int) -> str:
    return f"{start}~{end}"
