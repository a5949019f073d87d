"""The live screen as an SVG file that needs nothing from anywhere else."""

import io
import re
from pathlib import Path

from rich.console import Console, RenderableType
from rich.terminal_theme import DIMMED_MONOKAI

WIDTH, HEIGHT = 124, 32
_FONTS = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def draw(screen: RenderableType, file: Path) -> None:
    """Write a picture of what a screen shows; its fonts are those of whoever looks at it."""
    console = Console(record=True, width=WIDTH, height=HEIGHT, file=io.StringIO())
    console.print(screen)
    svg = console.export_svg(title="badges demo", theme=DIMMED_MONOKAI)
    svg = re.sub(r"@font-face {.*?}\s*", "", svg, flags=re.DOTALL)
    file.write_text(svg.replace("Fira Code, monospace", _FONTS), encoding="utf-8")
