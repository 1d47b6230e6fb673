"""How the page looks: large type, one column on a telephone, two where there is room, light or dark as is preferred."""

STYLE = """
:root {
  --paper: #fbfaf7; --ink: #1d2329; --soft: #57606a; --line: #d4d2cb; --card: #ffffff;
  --watch: #b98500; --high: #d2600f; --critical: #b3261e; --go: #14705a; --blue: #2c5f9e; --shade: #e9e6dd;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --ink: #e8e6e1; --soft: #a5adb5; --line: #3a4148; --card: #1d2226;
    --watch: #e3b341; --high: #f08b45; --critical: #ff7b72; --go: #4cc2a0; --blue: #7db0ea; --shade: #2a3036;
  }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1.125rem/1.55 system-ui, sans-serif }
main { max-width: 72rem; margin: 0 auto; padding: 1.25rem 1rem 4rem }
h1 { font-size: 2rem; line-height: 1.2; margin: .5rem 0 }
h2 { font-size: 1.55rem; line-height: 1.25; margin: 0 0 .5rem }
h3 { font-size: 1.2rem; margin: 1rem 0 0 }
p { max-width: 44rem; margin: .5rem 0 1rem }
.lead { font-size: 1.3rem }
.note { color: var(--soft); font-size: 1rem }
section { margin-top: 2.5rem; padding-top: 1.5rem; border-top: 2px solid var(--line) }
.tiles { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0 0 }
.tiles div { display: flex; flex-direction: column; background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; padding: .6rem .9rem; flex: 1 1 8rem }
.tiles dd { margin: 0; font-size: 1.8rem; font-weight: 650; line-height: 1.2 }
.tiles dt { color: var(--soft) }
.beside { display: grid; gap: 1.5rem; grid-template-columns: minmax(0, 1fr) }
@media (min-width: 60rem) { .beside { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr) } }
.story { margin: 0 } .story div { margin-bottom: .8rem } .story dt { font-weight: 650 } .story dd { margin: 0 }
figure { margin: 0; max-width: 36rem }
.pictures { display: flex; flex-wrap: wrap; gap: .75rem; margin: .75rem 0 }
.pictures figure { width: 9rem; overflow-wrap: anywhere }
svg { display: block; width: 100%; height: auto }
.scrolls { overflow-x: auto; max-width: 100% }
.scrolls + .scrolls { margin-top: 1rem }
table { border-collapse: collapse; min-width: 60%; font-size: 1rem }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem }
th, td { text-align: right; padding: .25rem .45rem; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child { text-align: left; padding-left: 0; white-space: normal } thead th { color: var(--soft) }
th { font-weight: 600 }
pre { overflow-x: auto; background: var(--card); border: 1px solid var(--line); padding: .8rem; font-size: .95rem;
  white-space: pre-wrap; overflow-wrap: anywhere }
blockquote { margin: .5rem 0; padding-left: 1rem; border-left: 4px solid var(--line); max-width: 44rem }
summary { cursor: pointer; padding: .4rem 0 }
.key { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; margin: .5rem 0 0; padding: 0;
  font-size: 1rem }
.mark { display: inline-block; width: 1em; height: .8em; margin-right: .4em }
.mark.came { background: var(--ink) } .mark.not { background: var(--ink); opacity: .35 }
.mark.open { border: 1.5px dashed var(--ink) }
.mark.promise, .mark.score, .mark.sent, .mark.done { height: 0; vertical-align: middle;
  border-top: 3px solid var(--ink) }
.mark.score, .mark.done { border-color: var(--blue) } .mark.sent { border-color: var(--soft); border-top-style: dashed }
.mark.alert { width: .8em; border-radius: 50% }
.mark.watch { background: var(--watch) } .mark.high { background: var(--high) }
.mark.critical { background: var(--critical) }
svg text { fill: var(--ink); font: 15px system-ui, sans-serif } svg text.name { font-weight: 650 }
.rule { stroke: var(--line) }
line.promise { stroke: var(--ink); stroke-width: 2.5 } svg[aria-labelledby^=calibration] .promise { stroke-width: 1.5;
  stroke-dasharray: 5 4 }
rect.watch { fill: var(--watch) } rect.high { fill: var(--high) } rect.critical { fill: var(--critical) }
rect.not { fill-opacity: .35 } rect.open { fill: none; stroke: var(--ink); stroke-dasharray: 3 2 }
.dot { fill: var(--blue) } .whisker { stroke: var(--blue); stroke-width: 2.5 }
rect.best-sellers { fill: var(--go) } rect.falling { fill: var(--high) } rect.running-out { fill: var(--critical) }
rect.made { fill: var(--go) } rect.held { fill: var(--soft) }
.silence { fill: var(--shade) }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round } .score, .done { stroke: var(--blue) }
polygon.interval { fill: var(--blue); opacity: .22 } .mark.interval { background: var(--blue); opacity: .35 }
rect.interval, rect.half { fill: var(--blue); opacity: .22 } .mark.half { background: var(--blue); opacity: .6 }
line.middle { stroke: var(--blue); stroke-width: 2 } .mark.middle, .mark.sold { height: 0; vertical-align: middle;
  border-top: 3px solid var(--blue) }
.mark.sold { border-color: var(--ink) } polyline.sold { stroke: var(--ink) } circle.sold { fill: var(--ink) }
line.nothing { stroke: var(--ink); stroke-width: 1.5 }
polyline.sent { stroke: var(--soft); stroke-dasharray: 5 4 }
line.ordered { stroke: var(--ink) } line.offered { stroke: var(--go); stroke-width: 3 }
line.held { stroke: var(--soft); stroke-width: 3 }
circle.alert { stroke: var(--paper); stroke-width: 1.5 } circle.watch { fill: var(--watch) }
circle.high { fill: var(--high) } circle.critical { fill: var(--critical) }
"""
