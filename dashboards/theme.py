"""Colours that Python needs: charts, the grid, Mantine. `assets/soc.css` holds the same tokens; a test compares the two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from soc.model import Level

INK: Mapping[str, Mapping[str, str]] = {
    "light": {
        "critical": "#B0123C", "high": "#E2600A", "medium": "#F0B400", "low": "#2F7FC8", "informational": "#8793A0",
        "text": "#465462", "grid": "#E6EBF0", "line": "#B9C4CF", "accent": "#1D5FBF", "ok": "#1C8A5B", "surface": "#FFFFFF",
    },
    "dark": {
        "critical": "#F2385F", "high": "#FA7B2B", "medium": "#FFDB66", "low": "#58A6E8", "informational": "#8290A0",
        "text": "#A9B6C3", "grid": "#22303C", "line": "#42525F", "accent": "#6AA8FF", "ok": "#3DBE86", "surface": "#141C25",
    },
}  # fmt: skip
MUTED: Mapping[str, Mapping[str, str]] = {
    "light": {"low": "#A9C6E4", "medium": "#F0BE2E", "informational": "#CBD4DD", "accent": "#A9C6E4"},
    "dark": {"low": "#2C4F70", "medium": "#C9A83C", "informational": "#3A4957", "accent": "#2C4F70"},
}
"""Quieter fills for the mass of a chart, so that red and orange are seen."""
FONT = 'Plex, "PingFang SC", "Microsoft YaHei", "Source Han Sans SC", "Noto Sans CJK SC", sans-serif'
MANTINE: Mapping[str, Any] = {
    "fontFamily": FONT,
    "fontFamilyMonospace": '"Plex Mono", monospace',
    "defaultRadius": "sm",
    "primaryColor": "brand",
    "primaryShade": {"light": 7, "dark": 5},
    "fontSizes": {"xs": "12px", "sm": "13px", "md": "14px", "lg": "16px", "xl": "20px"},
    "colors": {
        "brand": ["#EAF2FC", "#D0E1F7", "#A6C7F0", "#79AAE8", "#5390E0", "#3A7EDB", "#2A6BCB", "#1D5FBF", "#164A96", "#0F3874"],
        "dark": ["#E4EBF1", "#C3CED9", "#A9B6C3", "#8795A3", "#42525F", "#263340", "#1A242E", "#141C25", "#0F161D", "#0A1016"],
    },
}
_GRID = {
    "backgroundColor": "var(--surface)", "foregroundColor": "var(--text)", "borderColor": "var(--line)",
    "headerBackgroundColor": "var(--surface-2)", "headerTextColor": "var(--text-2)", "accentColor": "var(--accent)",
    "selectedRowBackgroundColor": "var(--accent-soft)", "rowHoverColor": "var(--surface-2)",
    "oddRowBackgroundColor": "var(--surface)", "fontFamily": "inherit", "fontSize": 13, "headerFontSize": 12,
    "headerFontWeight": 500, "headerHeight": 32, "spacing": 6, "cellHorizontalPadding": 10, "wrapperBorder": False,
    "wrapperBorderRadius": 0, "columnBorder": False, "headerColumnResizeHandleColor": "transparent", "iconSize": 14,
}  # fmt: skip


def fill(level: Level | str, scheme: str) -> str:
    """A severity's colour in a chart."""
    return MUTED[scheme].get(level, INK[scheme][level])


def grid(row_height: int) -> str:
    """The grid's theme as the expression that its component wants; colours are CSS variables, so both schemes are one."""
    given = ",".join(f"{name}:{_js(value)}" for name, value in (_GRID | {"rowHeight": row_height}).items())
    return f"themeQuartz.withParams({{{given}}})"


def _js(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower()
