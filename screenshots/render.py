"""A terminal screen (pyte) as SVG, with no dependence on how a font draws box, block and braille characters.

Every cell is placed on its own; box drawing, blocks and braille are drawn as shapes, so lines join without gaps
and a graph stands where the terminal would put it, whatever fonts are installed.
"""
from xml.sax.saxutils import escape

W, H, FS = 10, 20, 16.2
FONT = "'DejaVu Sans Mono','JetBrains Mono',monospace"
BASE = dict(black="#000000", red="#cd3131", green="#0dbc79", brown="#e5e510", blue="#2472c8", magenta="#bc3fbc",
            cyan="#11a8cd", white="#e5e5e5", brightblack="#666666", brightred="#f14c4c", brightgreen="#23d18b",
            brightbrown="#f5f543", brightblue="#3b8eea", brightmagenta="#d670d6", brightcyan="#29b8db", brightwhite="#ffffff")


def col(c, default):
    if c == "default":
        return default
    return BASE.get(c) or "#" + c


# arms of box characters: left, up, right, down; 1 light, 2 heavy, 3 double
BOX = {c: a for c, a in zip("─━│┃┌┐└┘├┤┬┴┼╭╮╰╯═║╔╗╚╝╠╣╦╩╬╴╵╶╷╸╹╺╻┏┓┗┛┣┫┳┻╋", [
    "1010", "2020", "0101", "0202", "0011", "1001", "0110", "1100", "0111", "1101", "1011", "1110", "1111",
    "0011", "1001", "0110", "1100", "3030", "0303", "0033", "3003", "0330", "3300", "0333", "3303", "3033", "3330", "3333",
    "1000", "0100", "0010", "0001", "2000", "0200", "0020", "0002",
    "0022", "2002", "0220", "2200", "0222", "2202", "2022", "2220", "2222"])}
DASH = {"┄": ("─", 3), "┈": ("─", 4), "╌": ("─", 2), "┆": ("│", 3), "┊": ("│", 4), "╎": ("│", 2)}


def shape(ch, x, y, fg):
    o = ord(ch)
    r = lambda a, b, w, h, op="": f'<rect x="{x+a:g}" y="{y+b:g}" width="{w:g}" height="{h:g}" fill="{fg}"{op}/>'
    if 0x2800 <= o <= 0x28FF:  # braille: dot n of bit n
        pos = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]
        return "".join(f'<circle cx="{x+W*(.25+.5*cx):g}" cy="{y+H*(.125+.25*cy):g}" r="1.7" fill="{fg}"/>'
                       for b, (cx, cy) in enumerate(pos) if (o - 0x2800) >> b & 1)
    if 0x2581 <= o <= 0x2588:
        h = H * (o - 0x2580) / 8
        return r(0, H - h, W, h)
    if 0x2589 <= o <= 0x258F:
        return r(0, 0, W * (0x2590 - o) / 8, H)
    if ch in "▀▐▔▕":
        return {"▀": r(0, 0, W, H / 2), "▐": r(W / 2, 0, W / 2, H), "▔": r(0, 0, W, H / 8), "▕": r(W * 7 / 8, 0, W / 8, H)}[ch]
    if ch in "░▒▓":
        return r(0, 0, W, H, f' fill-opacity="{ {"░": .25, "▒": .5, "▓": .75}[ch]}"')
    if 0x2596 <= o <= 0x259F:  # quadrants: bits ul ur ll lr
        q = [2, 1, 8, 11, 9, 14, 13, 4, 6, 7][o - 0x2596]
        return "".join(r(W / 2 * a, H / 2 * b, W / 2, H / 2) for bit, a, b in ((8, 0, 0), (4, 1, 0), (2, 0, 1), (1, 1, 1)) if q & bit)
    dash = ""
    if ch in DASH:
        ch, n = DASH[ch]
        dash = f' stroke-dasharray="{(W if ch == "─" else H)/n*.6:g} {(W if ch == "─" else H)/n*.4:g}"'
    if ch in BOX:
        arms = [int(a) for a in BOX[ch]]
        cx, cy = x + W / 2, y + H / 2
        ends = [(x, cy), (cx, y), (x + W, cy), (cx, y + H)]
        st = lambda w: f'fill="none" stroke="{fg}" stroke-width="{w}"{dash}'
        if ch in "╭╮╰╯":
            (ax, ay), (bx, by) = [e for e, a in zip(ends, arms) if a]
            return f'<path d="M{ax:g} {ay:g}Q{cx:g} {cy:g} {bx:g} {by:g}" {st(1.4)}/>'
        out = ""
        for (ex, ey), a in zip(ends, arms):
            if not a:
                continue
            offs, w = {1: ((0,), 1.4), 2: ((0,), 2.8), 3: ((-1.8, 1.8), 1.2)}[a]
            for d in offs:
                dx, dy = (0, d) if ey == cy else (d, 0)
                out += f'<path d="M{cx+dx:g} {cy+dy:g}L{ex+dx:g} {ey+dy:g}" {st(w)}/>'
        return out
    return None


def svg(screen):
    bgd, fgd = "#101216", "#d4d4d4"
    rects, glyphs = [], []
    for yy in range(screen.lines):
        for xx in range(screen.columns):
            c = screen.buffer[yy][xx]
            fg, bg = col(c.fg, fgd), col(c.bg, bgd)
            if c.bold and c.fg in BASE and not c.fg.startswith("bright"):
                fg = BASE["bright" + c.fg]
            if c.reverse:
                fg, bg = bg, fg
            x, y = xx * W, yy * H
            if bg != bgd:
                rects.append(f'<rect x="{x}" y="{y}" width="{W}" height="{H}" fill="{bg}" shape-rendering="crispEdges"/>')
            if not c.data or c.data == " ":
                continue
            s = shape(c.data, x, y, fg) if len(c.data) == 1 else None
            if s is None:
                deco = "".join(f' text-decoration="{d}"' for d, on in (("underline", c.underscore), ("line-through", c.strikethrough)) if on)
                s = (f'<text x="{x}" y="{y+H*.76:g}" fill="{fg}"' + (' font-weight="bold"' if c.bold else "")
                     + (' font-style="italic"' if c.italics else "") + deco + f'>{escape(c.data)}</text>')
            glyphs.append(s)
    w, h = screen.columns * W, screen.lines * H
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}">'
            f'<rect width="100%" height="100%" fill="{bgd}"/>' + "".join(rects)
            + f'<g font-family="{FONT}" font-size="{FS}">' + "".join(glyphs) + "</g></svg>")
