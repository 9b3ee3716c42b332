"""Pictures as SVG written by hand: no plotting library is needed for bars, dots and lines."""

from collections.abc import Sequence

_TEXT = 'font-family="sans-serif" fill="#343a40"'


def text(x: float, y: float, said: str, weight: str = "normal", anchor: str = "start", size: int = 12) -> str:
    """Words at a place; `anchor` is the side of them that lies there."""
    font = f'font-size="{size}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {_TEXT} {font} text-anchor="{anchor}">{said}</text>'


def svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    """The whole picture, its title above the parts."""
    box = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + 20}" role="img">'
    ground = f'<rect width="{width}" height="{height + 20}" fill="white"/>'
    moved = f'<g transform="translate(0 20)">{"".join(parts)}</g>'
    return f"{box}<title>{title}</title>{ground}{text(10, 20, title, 'bold')}{moved}</svg>\n"
