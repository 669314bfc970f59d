"""Text that a model, a dataset or a card from elsewhere may hold, to break whoever shows it."""

#: Markup, quotes, a table's bar, addresses, signs that XML can't hold, a change of direction.
HOSTILE = (
    "<script>alert(1)</script>\"'&| `x` [a](javascript:b) ![p](//evil/p.png)\n# head\x00\x1b[2J\u202egpj.exe"
    "</style><img src=x onerror=y> &lt; ]]>"
)
