/** Colours first, light and dark; then the page from top to bottom; phone and paper last. */
export const STYLES = `
:root{color-scheme:light dark;--ground:#f6f5f2;--surface:#fff;--sunken:#f0eeea;--line:#dfdcd5;--text:#20242a;--muted:#5c636d;--accent:#1c6a84;--accent-soft:#e2eff3;--warn:#8a4b08;--warn-soft:#fbeedb;--good:#2a6a43;--good-soft:#e3f1e8;
--change:#7d6aa8;--motion:#b0782a;--loudness:#2d7f96;--silence:#8b939e;--black:#20242a;--freeze:#6fa3c7;--cue:#dce9e0;--cue-text:#1f4a32;--cut:#b9aed4;--hit:#ffe28a;--hit-text:#20242a;--shadow:0 1px 2px #1f242a14,0 4px 14px #1f242a0d;
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;font-variant-numeric:tabular-nums}
@media (prefers-color-scheme:dark){:root{--ground:#14171b;--surface:#1c2026;--sunken:#242930;--line:#333a43;--text:#e7e9ec;--muted:#a3abb6;--accent:#79c3da;--accent-soft:#1d3640;--warn:#f0b66b;--warn-soft:#3a2c18;--good:#86d0a2;--good-soft:#1c3527;
--change:#a493d1;--motion:#d9a457;--loudness:#5bb0c8;--silence:#7a828d;--black:#000;--freeze:#4f86ad;--cue:#24382c;--cue-text:#bfe3cc;--cut:#574d75;--hit:#6b5413;--hit-text:#fff;--shadow:0 1px 2px #0006}}
*,*::before,*::after{box-sizing:border-box}
html{scroll-padding-top:72px;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--text);overflow-wrap:anywhere}
h1,h2,h3,h4,h5,p,ul,ol,dl,dd,figure{margin:0;padding:0}
ul,ol{list-style:none}
img,svg{display:block;max-width:100%}
a{color:var(--accent);text-underline-offset:2px}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}
code{font:.88em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
small,.note,.hint,.empty,.uri,.facts-line{color:var(--muted)}
small{font-size:.82em}
.name,.caption,.transcript{unicode-bidi:isolate}
[hidden]{display:none!important}
.hidden,.skip:not(:focus){position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.skip:focus{position:fixed;z-index:9;top:8px;left:8px;padding:8px 14px;background:var(--surface);border-radius:6px;box-shadow:var(--shadow)}
.top,main,footer,.toolbar{max-width:1240px;margin:0 auto;padding-inline:24px}
.top{padding-top:36px}
.kicker{font-size:.8rem;letter-spacing:.08em;text-transform:uppercase;color:var(--accent);font-weight:600}
h1{font-size:clamp(1.5rem,1.1rem + 1.6vw,2.2rem);line-height:1.2;font-weight:650;letter-spacing:-.015em;margin-top:2px}
h2{font-size:1.25rem;line-height:1.3;font-weight:650;letter-spacing:-.01em}
h3{font-size:1.02rem;font-weight:650;margin:32px 0 10px}
h4{font-size:.78rem;letter-spacing:.05em;text-transform:uppercase;color:var(--muted);font-weight:600;margin-bottom:8px}
h5{font-size:.78rem;font-weight:600;color:var(--muted);margin:12px 0 4px}
.tiles{display:flex;flex-wrap:wrap;gap:10px 32px;margin-top:18px}
.tiles strong{font-size:1.3rem;font-weight:600;letter-spacing:-.01em}
.tiles span{color:var(--muted);font-size:.88rem}
.toolbar{position:sticky;top:0;z-index:5;display:flex;align-items:center;justify-content:space-between;gap:16px;margin-top:20px;padding-block:10px;background:var(--ground);border-bottom:1px solid var(--line)}
.toolbar nav{display:flex;gap:2px;overflow-x:auto;scrollbar-width:none;min-width:0;margin-left:-10px}
.toolbar nav a{flex:none;max-width:16em;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;padding:6px 10px;border-radius:6px;color:var(--muted);text-decoration:none;font-size:.9rem}
.toolbar nav a:hover{background:var(--sunken);color:var(--text)}
.filter{display:flex;align-items:center;gap:10px;flex:none}
.filter output:empty{display:none}.filter output{order:-1;color:var(--muted);font-size:.85rem;white-space:nowrap}
input[type=search]{font:inherit;font-size:.92rem;width:240px;padding:6px 12px;border:1px solid var(--line);border-radius:8px;background:var(--surface);color:inherit}
.panel{background:var(--surface);border:1px solid var(--line);border-radius:12px;padding:24px;margin-top:24px}
.panel>h2+.note{margin:2px 0 14px}
.medium>.hidden+.facts-line{margin-top:0;font-size:1rem}.facts-line{display:flex;flex-wrap:wrap;gap:2px 16px;margin-top:4px}
.uri{font-size:.82rem;margin-top:2px}
.tag{display:inline-block;padding:0 8px;border-radius:9px;font-size:.76rem;line-height:1.55;font-weight:600;background:var(--accent-soft);color:var(--accent);vertical-align:middle}
.mocked{background:var(--warn-soft);color:var(--warn);border-radius:8px;padding:10px 14px;margin:12px 0}
.tag.warn{background:var(--warn-soft);color:var(--warn)}.tag.same{background:var(--good-soft);color:var(--good)}
.timeline{margin-top:18px}
.readout{display:flex;flex-wrap:wrap;gap:0 14px;min-height:1.6em;font-size:.85rem;color:var(--muted);margin:0 0 6px 132px}
.readout b{color:var(--text);font-weight:600}
.readout-text{white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.lanes{position:relative;touch-action:pan-y;border-radius:6px}
.lane{display:grid;grid-template-columns:120px minmax(0,1fr);gap:12px;align-items:center;margin-top:6px}
.lane-name{font-size:.82rem;line-height:1.25;text-align:right;color:var(--text)}
.lane-name small{display:block;font-size:.74rem}
.plot{overflow:hidden;background:var(--sunken);border-radius:4px}
.lane-axis{margin-top:2px}.lane-axis .plot{background:none}
.lane-scenes .plot{border-radius:6px}
.curve{stroke:none}
.lane-change .curve{fill:var(--change)}.lane-motion .curve{fill:var(--motion)}.lane-loudness .curve{fill:var(--loudness)}
.cut{stroke:var(--cut);stroke-width:1}
.scene-mark .ground{fill:var(--accent-soft)}.scene-mark.even .ground{fill:var(--sunken)}
.scene-mark .edge{fill:var(--surface)}
.scene-mark text{font-size:11px;font-weight:600;fill:var(--muted)}
a:hover .scene-mark text{fill:var(--text)}a:hover .scene-mark .ground{fill:var(--line)}
.scene-mark.dim{opacity:.28}
.shade{fill:var(--silence);opacity:.22}.mark{fill:var(--silence)}.mark.black{fill:var(--black);stroke:var(--muted);stroke-width:.5}.mark.freeze{fill:var(--freeze)}
.cue rect{fill:var(--cue);stroke:var(--surface)}.cue text{font-size:11.5px;fill:var(--cue-text)}
.tick{stroke:var(--muted)}.tick-name{font-size:11px;fill:var(--muted)}
.cursor{position:absolute;top:0;bottom:20px;width:1px;background:var(--text);pointer-events:none}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(252px,1fr));grid-auto-flow:dense;gap:16px}
.card{border:1px solid var(--line);border-radius:10px;overflow:hidden;background:var(--surface);transition:box-shadow .15s,border-color .15s}
.card:hover,.card[open]{border-color:color-mix(in srgb,var(--accent) 45%,var(--line));box-shadow:var(--shadow)}
.card[open]{grid-column:1/-1}
.card summary{display:block;cursor:pointer;list-style:none;border-radius:10px}
.card summary::-webkit-details-marker{display:none}
.card summary:focus-visible{outline-offset:-2px}
.poster{display:block;position:relative;aspect-ratio:16/9;background:#0b0d10;overflow:hidden}
.poster img{width:100%;height:100%;object-fit:contain}
.badge{position:absolute;right:8px;bottom:8px;padding:0 7px;border-radius:5px;background:#0b0d10c7;color:#fff;font-size:.76rem;line-height:1.6}
.scrub{position:absolute;left:0;bottom:0;height:3px;background:#fff;opacity:.85;pointer-events:none}
.no-picture{display:flex;align-items:center;justify-content:center;height:100%;color:#a3abb6;font-size:.85rem}
.sound-picture{padding:24px 16px;align-items:stretch}.sound-picture .curve{fill:#5bb0c8}.sound-picture svg{height:100%}
.card-text{display:block;padding:12px 14px 14px}
.card-head{display:flex;flex-wrap:wrap;gap:0 10px;align-items:baseline}
.number{font-weight:650}
.time{color:var(--muted);font-size:.85rem;white-space:nowrap}
.caption,.transcript{display:block;margin-top:4px}
.caption{line-height:1.4}
.transcript{color:var(--muted);font-size:.9rem;line-height:1.45;padding-left:10px;border-left:2px solid var(--line);margin-top:8px}
.card:not([open]) .transcript{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:4;overflow:hidden}
.chips{display:flex;flex-wrap:wrap;gap:4px;margin-top:10px}
.chip{padding:0 8px;border-radius:9px;background:var(--sunken);font-size:.78rem;line-height:1.6;color:var(--muted)}
.card[open] summary{display:grid;grid-template-columns:minmax(220px,400px) minmax(0,1fr);background:var(--sunken)}
.card[open] .chip{background:var(--surface)}
.card[open] .poster{border-radius:0}
.detail{padding:16px 18px 20px;border-top:1px solid var(--line)}
.strip{display:grid;grid-template-columns:repeat(auto-fill,minmax(116px,1fr));gap:8px;margin-bottom:20px}
.strip img{width:100%;aspect-ratio:16/9;object-fit:contain;background:#0b0d10;border-radius:5px}
figcaption{font-size:.76rem;color:var(--muted);margin-top:2px}
.columns{columns:3 300px;column-gap:32px}
.columns>section{break-inside:avoid;padding-bottom:20px}
.similar li{margin-bottom:6px}
.similar a{display:flex;gap:12px;align-items:center;padding:4px;margin:-4px;border-radius:8px;color:inherit;text-decoration:none}
.similar a:hover{background:var(--sunken)}
.similar img{flex:none;width:84px;aspect-ratio:16/9;object-fit:contain;background:#0b0d10;border-radius:4px}
.similar-text{flex:1;min-width:0}
.score{display:flex;align-items:center;gap:10px;margin-top:2px}.score .value{flex:none;font-size:.85rem;color:var(--muted)}
.bar{width:100%;min-width:0;height:7px;border-radius:4px;background:var(--sunken);overflow:hidden}
.similar a:hover .bar{background:var(--line)}
.bar .share{fill:var(--accent)}.bar .done{fill:var(--accent)}.bar .cached{fill:var(--good)}.bar .skipped{fill:var(--silence)}.bar .dropped{fill:var(--motion)}.bar .failed{fill:var(--warn)}.bar .inFlight{fill:var(--cut)}
.hint{font-size:.8rem;margin-top:4px}
dl>div{display:flex;justify-content:space-between;gap:16px;padding:2px 0;border-bottom:1px solid var(--sunken);font-size:.88rem}
dt{color:var(--muted);flex:none;max-width:50%}
dd{text-align:right;min-width:0}
.measured .labelled dt{color:var(--text)}.measured b{font-weight:600;margin-right:6px}
.wrap{word-break:break-all}
.command{display:flex;gap:8px;align-items:flex-start;margin-top:8px;padding:8px 12px;border-radius:8px;background:var(--sunken)}
.command code{flex:1;min-width:0}.command span{display:inline-block;max-width:100%}
button{font:inherit;font-size:.78rem;padding:1px 10px;border:1px solid var(--line);border-radius:6px;background:var(--surface);color:var(--muted);cursor:pointer}
button:hover{color:var(--text)}
.facts{margin-top:18px;columns:2 380px;column-gap:40px}.facts>div{break-inside:avoid}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:6px 16px 6px 0;border-bottom:1px solid var(--line);font-weight:400}
thead th{font-size:.78rem;color:var(--muted);font-weight:600;white-space:nowrap}
tbody th{font-weight:600}.space{white-space:nowrap}
tbody tr:last-child>*{border-bottom:0}
.right{text-align:right;white-space:nowrap}.zero{color:var(--muted)}.bad{color:var(--warn);font-weight:600}
.funnel td{vertical-align:middle}.operator code{color:var(--muted)}
.shares{width:34%;padding-right:0}
.state{font-weight:600;color:var(--good)}.state.look{color:var(--warn)}.state.none{color:var(--muted)}
.checks th,.checks td:nth-child(2),.failures th{overflow-wrap:normal}.failures td:nth-child(2){min-width:8.5em}.checks td:nth-child(2){white-space:nowrap}.checks tr.clear td:last-child,.checks tr.none td{color:var(--muted)}
.spans{display:flex;flex-wrap:wrap;gap:2px 14px;font-size:.86rem}
::highlight(filter){background:var(--hit);color:var(--hit-text)}
footer{padding-block:28px 48px;color:var(--muted);font-size:.82rem}
@media (max-width:720px){
.top,main,footer,.toolbar{padding-inline:14px}.top{padding-top:22px}
.tiles{gap:6px 20px}.tiles strong{font-size:1.08rem}
.toolbar{flex-wrap:wrap;gap:6px}.toolbar nav{width:100%}.filter{width:100%}input[type=search]{flex:1;min-width:0;width:auto;font-size:16px}
html{scroll-padding-top:110px}
.panel{padding:16px 14px;border-radius:10px;margin-top:16px}
.readout{margin-left:0;min-height:3.1em;align-content:flex-end}.readout-text{white-space:normal}.lane{grid-template-columns:minmax(0,1fr);gap:1px;margin-top:8px}.lane-name{text-align:left}.lane-name small{display:inline;margin-left:4px}.lane-axis .lane-name{display:none}
.cards{grid-template-columns:minmax(0,1fr);gap:12px}.card[open] summary{grid-template-columns:minmax(0,1fr)}
.operator,.shares{display:none}.funnel:not(.wide) th:nth-child(n+3),.funnel:not(.wide) td:nth-child(n+3){padding-right:0}
.strip{grid-template-columns:repeat(auto-fill,minmax(96px,1fr))}
th,td{padding-right:12px}}
@media (prefers-reduced-motion:no-preference){html{scroll-behavior:smooth}}
@media print{:root{color-scheme:light;font-size:11px;--ground:#fff;--surface:#fff;--sunken:#f3f3f3;--line:#ccc;--text:#000;--muted:#444;--accent:#145066}
.toolbar,.skip,button,.readout,.cursor{display:none!important}.panel{border:0;padding:0;border-radius:0}.card{break-inside:avoid;box-shadow:none}.cards{grid-template-columns:repeat(3,1fr)}.lane{break-inside:avoid}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`;
