// The style of the report page: light and dark by the reader's setting, one column on a phone,
// light colours and open details on paper.
#pragma once

namespace allot {

inline constexpr const char* kReportStyle = R"css(
:root{color-scheme:light dark;--bg:#fff;--ink:#1b1f24;--muted:#59636e;--grid:#e3e6ea;--card:#f6f7f9;
--accent:#0b5cad;--series-1:#64748b;--series-2:#0072b2;--series-3:#d55e00;--series-4:#00875f;
--series-5:#b5509c;--series-6:#a87900;--series-7:#3a9bd9;--series-8:#8c4b2f;
--good:#2b8a6b;--solved:#7fb2e0;--hopeless:#d9803f;--other:#b9bfc7;--kept:#0072b2;--lost:#c9ced5;
--rate-low:#a8d5bb;--rate-mid:#57b08c;--rate-high:#1d7256}
@media (prefers-color-scheme:dark){:root{--bg:#14171b;--ink:#e6e9ed;--muted:#a0a9b4;--grid:#2c323a;
--card:#1c2026;--accent:#7db7f0;--series-1:#94a3b8;--series-2:#4ea8e6;--series-3:#f08a4b;
--series-4:#3cc295;--series-5:#df8cc9;--series-6:#e0b03c;--series-7:#86c5f2;--series-8:#cf9272;
--good:#3aa884;--solved:#4d86bd;--hopeless:#c47a42;--other:#59616c;--kept:#4ea8e6;--lost:#454c56;
--rate-low:#2c5c48;--rate-mid:#3aa884;--rate-high:#8be0c0}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",
Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1200px;margin:0 auto;padding:28px 20px 48px}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:40px 0 4px;padding-top:14px;border-top:1px solid var(--grid)}
h3{font-size:1rem;margin:20px 0 6px}
p{margin:6px 0 12px;max-width:80ch}
.sub,.note,figcaption{color:var(--muted);font-size:.9rem}
.verdict{background:var(--card);border-left:4px solid var(--accent);border-radius:4px;
padding:12px 16px;margin:18px 0;font-size:1.05rem}
.verdict p{margin:0;max-width:none}.verdict p+p{margin-top:8px}
nav{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:.92rem;margin:14px 0 0}
a{color:var(--accent)}a:focus-visible,summary:focus-visible,.scroll:focus-visible,pre:focus-visible{
outline:2px solid var(--accent);outline-offset:2px}
.scroll{overflow-x:auto;margin:8px 0 16px}
caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
td.left,th.left{text-align:left;white-space:normal;overflow-wrap:anywhere;min-width:9em}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:7px 10px;text-align:right;border-bottom:1px solid var(--grid);white-space:nowrap}
th{font-weight:600}thead th{color:var(--muted);font-weight:500;vertical-align:bottom;white-space:normal}
thead th:has(.key){white-space:nowrap}
thead .group{text-align:center;border-bottom:2px solid var(--grid)}
th:first-child,td:first-child{text-align:left;padding-left:2px}
tbody th{overflow-wrap:anywhere;white-space:normal;min-width:7em}
.dot{display:inline-block;width:.75em;height:.75em;border-radius:50%;margin-right:.5em}
.key{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.35em}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,330px),1fr));gap:18px 26px}
.charts figure{margin:0;max-width:560px;min-width:0}
figure details{margin:4px 0 0;padding:4px 10px}figure summary{font-weight:500;font-size:.85rem}
figure table{font-size:.85rem}figure thead th{white-space:normal}
figure h3{margin:0 0 2px;font-size:.95rem}
svg{display:block;width:100%;height:auto;font-family:inherit}
.bar{display:flex;height:16px;min-width:220px;border-radius:3px;overflow:hidden;background:var(--grid)}
.bar i{display:block;height:100%}
td.wide{width:45%}
.sample{background:var(--card);border-radius:6px;padding:10px 14px;margin:0 0 12px}
.sample p{margin:0 0 6px;font-size:.88rem;color:var(--muted);max-width:none}
.sample b{color:var(--ink);font-weight:600}
.sample div{overflow-wrap:anywhere;font-size:.92rem}
.samples{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),1fr));gap:0 20px}
pre{margin:0 0 8px;white-space:pre-wrap;overflow-wrap:anywhere;font:13px/1.45 ui-monospace,SFMono-Regular,
Menlo,Consolas,monospace}
.sample pre{border-left:3px solid var(--grid);padding-left:10px;max-height:14em;overflow:auto}
details{margin:8px 0;background:var(--card);border-radius:6px;padding:8px 14px}
summary{cursor:pointer;font-weight:600;font-size:.95rem}details pre{margin-top:8px}
footer{margin-top:44px;padding-top:12px;border-top:1px solid var(--grid);color:var(--muted);font-size:.85rem}
@media (max-width:560px){main{padding:18px 14px 32px}h1{font-size:1.4rem}th,td{padding:6px 8px}
.bar{min-width:140px}}
@media print{nav,figure details{display:none}details.print::details-content{content-visibility:visible}:root{--bg:#fff;--ink:#000;--muted:#444;--grid:#ccc;--card:#f4f4f4;--series-1:#64748b;
--series-2:#0072b2;--series-3:#d55e00;--series-4:#00875f;--series-5:#b5509c;--series-6:#a87900;
--series-7:#3a9bd9;--series-8:#8c4b2f;--good:#2b8a6b;--solved:#7fb2e0;--hopeless:#d9803f;
--other:#b9bfc7;--kept:#0072b2;--lost:#c9ced5;--rate-low:#a8d5bb;--rate-mid:#57b08c;--rate-high:#1d7256}
body{font-size:11pt}main{max-width:none;padding:0}.scroll{overflow:visible}table{font-size:8pt}
th,td{padding:4px 5px}.charts{grid-template-columns:repeat(2,1fr)}
figure,.sample,tr,.verdict{break-inside:avoid}h2,h3,h2+p,h3+p{break-after:avoid}
p{break-inside:avoid}.sample pre{max-height:none}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
)css";

}  // namespace allot
