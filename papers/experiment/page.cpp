#include "papers/experiment/page.h"

#include "core/error.h"
#include "papers/experiment/svg.h"

namespace tenon::experiment {

namespace {

// Charts take their colours from these variables, so the dark mode is one block of other values.
constexpr const char* kStyle = R"css(
:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --card: #ffffff; --ink: #22252a; --soft: #646a73; --line: #e2dfd8; --grid: #eceae4; --accent: #2459b3;
  --series-1: #2a66c8; --series-2: #d65f14; --series-3: #12876a; --series-4: #a2429a;
  --series-5: #a98200; --series-6: #c4324d; --series-7: #5c6c7c; --series-8: #6a50c2;
  --holds: #1a7f4b; --holds-back: #e3f4ea; --fails: #b3261e; --fails-back: #fbe6e4;
  --not-judged: #8a5a00; --not-judged-back: #faf0d8; --not-run: #5d636b; --not-run-back: #ecedee;
  --serif: "Charter", "Bitstream Charter", "Iowan Old Style", "Source Serif 4", Georgia, serif;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "DejaVu Sans", sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15171a; --card: #1d2024; --ink: #e4e4e1; --soft: #9aa1aa; --line: #33373d; --grid: #2b2f34; --accent: #8ab4ff;
    --series-1: #70a5ff; --series-2: #ff9a5c; --series-3: #45cba5; --series-4: #e08fd6;
    --series-5: #dcbb4c; --series-6: #ff8192; --series-7: #a5b4c3; --series-8: #b09bff;
    --holds: #6fd39c; --holds-back: #173425; --fails: #ff958c; --fails-back: #45201d;
    --not-judged: #e6b95c; --not-judged-back: #3b3015; --not-run: #b1b7be; --not-run-back: #2f3338;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 var(--sans); }
main { max-width: 1120px; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1, h2 { font-family: var(--serif); font-weight: 600; line-height: 1.2; text-wrap: balance; }
h1 { font-size: clamp(1.75rem, 1.3rem + 2vw, 2.5rem); margin: 0 0 .35rem; }
h2 { font-size: 1.45rem; margin: 2.75rem 0 .9rem; padding-top: .9rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; font-weight: 600; line-height: 1.35; margin: 0 0 .5rem; }
p { max-width: 44rem; margin: 0 0 1rem; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: 2px; }
.subtitle { font-family: var(--serif); font-size: 1.12rem; color: var(--soft); margin-bottom: 1.5rem; }
.soft { color: var(--soft); }
nav { margin: 0 0 1.5rem; font-size: .92rem; }
nav a { display: inline-block; margin: 0 1.1rem .3rem 0; }
dl.facts { display: flex; flex-wrap: wrap; gap: .8rem 2.2rem;
  margin: 0 0 1.5rem; padding: 1rem 1.15rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
dl.facts dt { font-size: .78rem; color: var(--soft); }
dl.facts dd { margin: 0; font-size: .95rem; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.25rem;
  margin: 0 0 1.25rem; }
figure { margin: 0; padding: 1rem 1.1rem .9rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; min-width: 0; }
.figures > figure:only-child { max-width: 42rem; }
figcaption { font-size: .87rem; line-height: 1.45; color: var(--soft); margin-top: .5rem; }
svg.chart { display: block; width: 100%; height: auto; font-family: var(--sans); }
svg .grid { stroke: var(--grid); stroke-width: 1; }
svg .axis { stroke: var(--soft); stroke-width: 1; }
svg .tick { fill: var(--soft); font-size: 11px; font-variant-numeric: tabular-nums; }
svg .label { fill: var(--soft); font-size: 12px; }
svg .note { fill: var(--ink); font-size: 11px; paint-order: stroke; stroke: var(--card); stroke-width: 4px;
  stroke-linejoin: round; }
svg .reference { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 4 3; opacity: .75; }
svg .curve { fill: none; stroke: var(--colour); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
svg .band { fill: var(--colour); fill-opacity: .13; stroke: none; }
svg .mark { fill: var(--colour); stroke: var(--card); stroke-width: 1; }
svg .mark:hover { stroke: var(--ink); }
svg .spot { fill: var(--colour); stroke: var(--card); stroke-width: 1.5; opacity: 0; }
svg .spot:hover { opacity: 1; }
svg .area { fill: var(--colour); fill-opacity: .3; stroke: var(--colour); stroke-width: 1.4; stroke-linejoin: round; }
svg .bin { fill: var(--ink); opacity: 0; }
svg .bin:hover { opacity: .1; }
svg .bar { fill: var(--colour); }
svg .bar:hover { opacity: .8; }
.s1 { --colour: var(--series-1); } .s2 { --colour: var(--series-2); } .s3 { --colour: var(--series-3); }
.s4 { --colour: var(--series-4); } .s5 { --colour: var(--series-5); } .s6 { --colour: var(--series-6); }
.s7 { --colour: var(--series-7); } .s8 { --colour: var(--series-8); }
ul.legend { display: flex; flex-wrap: wrap; gap: .15rem 1.1rem; list-style: none; margin: 0 0 .4rem; padding: 0;
  font-size: .85rem; }
ul.legend li { display: flex; align-items: center; gap: .4rem; }
ul.legend svg { width: 22px; height: 12px; flex: none; }
.scroll { overflow-x: auto; margin: 0 0 1.25rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; line-height: 1.4; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .8rem .9rem .2rem; }
th, td { padding: .5rem .9rem; text-align: left; vertical-align: top; }
th { font-size: .8rem; font-weight: 600; color: var(--soft); vertical-align: bottom; border-bottom: 1px solid var(--line); }
tbody tr + tr td { border-top: 1px solid var(--grid); }
td.right, th.right { text-align: right; white-space: nowrap; }
td .reason { font-size: .85rem; color: var(--soft); }
td.id { font-weight: 600; white-space: nowrap; }
td.figure div { white-space: nowrap; }
.badge { display: inline-block; padding: .1rem .55rem; border-radius: 1em; font-size: .78rem; font-weight: 650;
  white-space: nowrap; color: var(--text); background: var(--back); }
.badges { margin: 0 0 1rem; display: flex; flex-wrap: wrap; gap: .4rem; }
td .badges { margin: 0; }
.holds { --text: var(--holds); --back: var(--holds-back); } .fails { --text: var(--fails); --back: var(--fails-back); }
.not-judged { --text: var(--not-judged); --back: var(--not-judged-back); }
.not-run { --text: var(--not-run); --back: var(--not-run-back); }
.images { display: flex; flex-wrap: wrap; gap: .7rem; }
.images div { text-align: center; font-size: .8rem; line-height: 1.3; color: var(--soft); }
.images img { display: block; margin: 0 auto .2rem; image-rendering: pixelated; border: 1px solid var(--line);
  border-radius: 3px; height: auto; }
@media (max-width: 46rem) {
  main { padding: 1.5rem .9rem 3rem; }
  figure { padding: .8rem .7rem; }
  table.cards thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table.cards, table.cards tbody, table.cards td { display: block; }
  table.cards tr { display: flex; flex-wrap: wrap; align-items: center; padding: .75rem .9rem; }
  table.cards tr + tr { border-top: 1px solid var(--line); }
  table.cards td { flex: 0 0 100%; order: 1; padding: .12rem 0; border: 0 !important; }
  table.cards td[data-label] { display: grid; grid-template-columns: 6.2rem 1fr; gap: .6rem; }
  table.cards td[data-label]::before { content: attr(data-label); color: var(--soft); font-size: .85rem; }
  table.cards td.id, table.cards td.verdict { flex: 1 1 auto; order: 0; }
  table.cards td.verdict { text-align: right; }
  table.cards td.verdict .badges { justify-content: flex-end; }
  table.cards td.figure div { white-space: normal; }
}
@media print { body { background: none; } figure, .scroll { break-inside: avoid; } }
)css";

struct Badge {
  const char* css_class;
  const char* sign;
};

Badge badge_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kHolds:
      return {"holds", "✓"};
    case Verdict::kFails:
      return {"fails", "✗"};
    case Verdict::kNotJudged:
      return {"not-judged", "?"};
    case Verdict::kNotRun:
      return {"not-run", "–"};
  }
  fail("page: unknown verdict");
}

std::string badge(Verdict verdict, std::string_view text) {
  const Badge look = badge_of(verdict);
  return concat("<span class=\"badge ", look.css_class, "\">", look.sign, " ", escape_html(text), "</span>");
}

}  // namespace

std::string html_page(std::string_view title, std::string_view body) {
  return concat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      // The empty icon keeps browsers from asking a server for one.
      "<link rel=\"icon\" href=\"data:,\"/>\n<title>",
      escape_html(title), "</title>\n<style>", kStyle, "</style>\n</head>\n<body>\n<main>\n", body,
      "</main>\n</body>\n</html>\n");
}

std::string verdict_badge(Verdict verdict) { return badge(verdict, verdict_name(verdict)); }

std::string verdict_summary(const VerdictCounts& counts) {
  std::string out = "<div class=\"badges\">";
  if (counts.holds > 0)
    out += badge(Verdict::kHolds, concat(counts.holds, counts.holds == 1 ? " holds" : " hold"));
  if (counts.fails > 0)
    out += badge(Verdict::kFails, concat(counts.fails, counts.fails == 1 ? " fails" : " fail"));
  if (counts.not_judged > 0) out += badge(Verdict::kNotJudged, concat(counts.not_judged, " not judged"));
  if (counts.not_run > 0) out += badge(Verdict::kNotRun, concat(counts.not_run, " not run"));
  return out + "</div>\n";
}

}  // namespace tenon::experiment
