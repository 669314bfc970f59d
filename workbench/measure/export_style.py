"""The style sheet of an exported proof: light and dark as the reader's system has it."""

# The colours are those of the window (`ui/tokens.py`), those of the plots Okabe and Ito's.
STYLE = """
:root { color-scheme: light dark; --window: #f5f6f8; --card: #fff; --raised: #eef1f5; --line: #dfe4ea;
  --text: #141a21; --second: #566273; --good: #0f7a57; --warn: #8f5e05; --bad: #b8362a;
  --model: #e69f00; --reference: #56b4e9; }
@media (prefers-color-scheme: dark) { :root { --window: #0f1217; --card: #161b23; --raised: #1d242e;
  --line: #252d38; --text: #e8ecf1; --second: #98a3b1; --good: #46c29a; --warn: #e3b04b; --bad: #ec7063; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 24px; background: var(--window); color: var(--text);
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Inter, sans-serif;
  font-variant-numeric: tabular-nums; }
main { max-width: 960px; margin: 0 auto; padding: 24px 28px; background: var(--card);
  border: 1px solid var(--line); border-radius: 10px; }
h1 { font-size: 22px; margin: 0; overflow-wrap: anywhere; }
h3 { font-size: 12px; margin: 0; color: var(--second); font-weight: 500; }
p { margin: 4px 0; overflow-wrap: anywhere; white-space: pre-wrap; }
.second { color: var(--second); font-size: 12px; }
.headline { font-size: 20px; font-weight: 600; margin: 12px 0; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.fault { border-left: 3px solid var(--bad); background: var(--raised); padding: 8px 12px;
  border-radius: 6px; }
dl.main { display: grid; grid-template-columns: repeat(auto-fit, minmax(250px, 1fr)); gap: 12px 24px;
  margin: 20px 0; }
dt { color: var(--second); } dd { margin: 0; font-size: 16px; font-weight: 600; }
dd.second { font-size: 12px; font-weight: 400; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 20px 28px; }
figure { margin: 0; } figcaption { font-weight: 600; margin-bottom: 4px; }
svg { width: 100%; height: auto; display: block; }
svg text { font-size: 12px; fill: var(--second); } svg text.text { fill: var(--text); }
svg .model { fill: var(--model); } svg .reference { fill: var(--reference); }
svg .ground { fill: var(--line); } svg .stroke { fill: none; }
svg .stroke.axis { stroke: var(--line); } svg .stroke.text { stroke: var(--text); }
svg .stroke.model { stroke: var(--model); } svg .stroke.reference { stroke: var(--reference); }
.legend { color: var(--second); }
.legend .model { color: var(--model); } .legend .reference { color: var(--reference); }
details { border-top: 1px solid var(--line); padding: 10px 0; }
details:first-of-type { margin-top: 20px; }
summary { font-weight: 600; cursor: pointer; }
table { border-collapse: collapse; width: 100%; margin-top: 8px; }
th, td { text-align: left; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top;
  font-weight: 400; overflow-wrap: anywhere; }
td:not(.second) { white-space: nowrap; } .long td { white-space: normal; }
figcaption .second { font-weight: 400; }
th[scope=row] { color: var(--second); } thead th { color: var(--second); font-size: 12px; }
article { border-bottom: 1px solid var(--line); padding: 10px 0; }
.prompt { font-weight: 600; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 16px; }
pre { background: var(--raised); padding: 12px; border-radius: 8px; overflow-x: auto; font-size: 12px; }
@media print { body { padding: 0; } main { border: none; } }
"""
