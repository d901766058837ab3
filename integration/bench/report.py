"""RESULTS.md, RESULTS.json and the plot beside them."""
import json
import os

from . import plot

BUSY = 1.0   # load average above which a run should be made again


def _row(*cells):
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |\n"


def markdown(run):
    out = ["# Numbers of one run on one machine\n\n"]
    command = "integration/bench/run" + (f" {' '.join(run['arguments'])}" if run["arguments"] else "")
    out.append(f"Made by `{command}` ({run['form']} form) in {run['seconds'] / 60:.1f} minutes. Clients, servers and upstream share the machine, so what counts\n"
               "are ratios between contestants that took turns, and counts. Rates and times are medians over rounds; a ratio is the median of the\n"
               "ratios of each round, not the ratio of those medians. All contestants write a log line for each request.\n\n")
    if run["load"] > BUSY:
        out.append(f"**The load average was {run['load']:.1f} when this run began: it must be made again on a quiet machine.** Its times\nmean little; memory and counts depend less on load.\n\n")
    out.append(_row("", "") + _row("---", "---"))
    out += [_row(name, text) for name, text in run["machine"].items()]
    judged = [m for m in run["measures"] if m["goal"] and m["judged"]]
    met = sum(m["verdict"] == "PASS" for m in judged)
    out.append(f"\n## Goals: {met} of {len(judged)} met\n\n")
    out.append(_row("work", "result", "tankard", "against", "goal", "") + _row(*["---"] * 6))
    out += [_row(m["work"], f"**{m['shown']}**", m["measured"], m["against"], m["goal"], m["verdict"]) for m in run["measures"] if m["goal"]]
    other = [m for m in run["measures"] if not m["goal"]]
    if other:
        out.append("\n## Beside the goals\n\n" + _row("work", "result", "tankard", "against") + _row(*["---"] * 4))
        out += [_row(m["work"], f"**{m['shown']}**", m["measured"], m["against"]) for m in other]
    if run["series"]:
        out.append(f"\n## Clients\n\n![clients against throughput and upstream transfers]({run['plot']})\n\n")
        out.append(_table(run["series"]))
    if run["notes"]:
        out.append("\n## Remarks\n\n" + "".join(f"- {note}\n" for note in run["notes"]))
    out.append("\n## How\n\n" + "".join(f"- {work}: {how}\n" for work, how in _scenarios(run["measures"]).items()))
    if run["failed"]:
        out.append("\n## Rows that failed\n\n" + "".join(f"- {name}: {why}\n" for name, why in run["failed"].items()))
    return "".join(out)


def _scenarios(measures):
    found = {}
    for measure in measures:
        found.setdefault(measure["work"], measure["how"])
    return found


def _table(series):
    rates, transfers = series["rates"], series["transfers"]
    out = [f"Clones of {series['repository']}, all clients together; and what the upstream has to send when each client clones once.\n\n",
           _row("clients", "nginx static file", "git http-backend", "tankard, warm", "transfers: http-backend", "tankard, cold", "tankard, warm"), _row(*["---:"] * 7)]
    for n, clients in enumerate(series["clients"]):
        out.append(_row(clients, *(f"{rates[name][n] / 1e6:,.0f} MB/s" for name in ("static", "backend", "tankard")),
                        *(transfers[name][n] for name in ("backend", "cold", "warm"))))
    return "".join(out)


def write(run, folder):
    """Writes everything; returns the path of RESULTS.md."""
    os.makedirs(folder, exist_ok=True)

    def save(name, text):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
        return os.path.join(folder, name)
    if run["series"]:
        run["plot"] = "RESULTS.svg"
        svg = save("RESULTS.svg", plot.drawn(run["series"]))
        plot.to_png(svg)
    save("RESULTS.json", json.dumps(run, indent=1, ensure_ascii=False) + "\n")
    return save("RESULTS.md", markdown(run))
