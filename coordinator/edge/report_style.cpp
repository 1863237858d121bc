#include "coordinator/edge/report_style.h"

namespace ranktide {

// Okabe and Ito (2008), told apart with any colour vision; black becomes grey so that it shows on both grounds.
const char* const kReportStyle = R"css(
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--ground:#fff;--panel:#f6f8fa}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa5b1;--line:#30363d;--ground:#0d1117;--panel:#161b22}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1240px;padding:28px 24px 60px;background:var(--ground);color:var(--ink);
  font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
h1{margin:0;font-size:28px;letter-spacing:-.01em}h2{margin:36px 0 10px;font-size:18px}
.lead{margin:4px 0 18px;color:var(--soft)}
.facts{display:flex;flex-wrap:wrap;gap:10px;margin:0;padding:0;list-style:none}
.facts li{padding:8px 14px;border:1px solid var(--line);border-radius:8px;background:var(--panel);color:var(--soft)}
.facts b{display:block;color:var(--ink);font-size:19px;font-weight:600;font-variant-numeric:tabular-nums}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:20px}
figure{margin:0;padding:14px 16px 12px;border:1px solid var(--line);border-radius:10px;background:var(--panel)}
figcaption{font-weight:600;margin-bottom:4px}figure>svg{width:100%;height:auto;display:block}
.grid{stroke:var(--line);stroke-width:1}.tick{fill:var(--soft);font-size:12px}.axis{fill:var(--soft);font-size:13px}
.base line{stroke:var(--soft);stroke-dasharray:2 4}.base path{fill:var(--ink)}.base text{fill:var(--ink);font-size:12px}
.front{fill:none;stroke:var(--soft);stroke-width:1.5;stroke-dasharray:6 4}
.ci{stroke-width:1.6;opacity:.75}.mark{stroke-width:2.2}.hollow{fill:var(--panel)}
.d1{stroke-dasharray:4 2}.d2{stroke-dasharray:1.5 2}.d3{stroke-dasharray:6 2 1.5 2}
.c0{stroke:#7f8894}.c1{stroke:#e69f00}.c2{stroke:#56b4e9}.c3{stroke:#009e73}.c4{stroke:#d55e00}.c5{stroke:#0072b2}
.c6{stroke:#cc79a7}.c7{stroke:#c9b800}
.c0.solid{fill:#7f8894}.c1.solid{fill:#e69f00}.c2.solid{fill:#56b4e9}.c3.solid{fill:#009e73}.c4.solid{fill:#d55e00}
.c5.solid{fill:#0072b2}.c6.solid{fill:#cc79a7}.c7.solid{fill:#c9b800}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:8px 0 0;padding:0;list-style:none;color:var(--soft);font-size:13px}
.legend svg{vertical-align:-3px;margin-right:5px}.legend em{font-style:normal;border:1px solid var(--line);border-radius:4px;padding:0 4px}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{padding:5px 8px;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}
th{color:var(--soft);font-weight:600}.r{text-align:right}tr.base td{background:var(--panel)}
.notes{color:var(--soft);padding-left:18px}pre{padding:12px 14px;overflow-x:auto;border:1px solid var(--line);border-radius:8px;background:var(--panel)}
@media print{body{max-width:none;padding:0}figure,.facts li,pre{break-inside:avoid}.charts{grid-template-columns:1fr 1fr}}
)css";

}  // namespace ranktide
