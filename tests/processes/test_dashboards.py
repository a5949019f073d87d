"""The dashboards for Grafana: well made, and right by the types that Grafana publishes.

Whether a real Grafana loads them is tests/integration/test_grafana.py's, where there is one.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from badges.api.metrics import API
from streams.metrics import WORKER
from tests.dashboards import DASHBOARDS, DEPLOY, FILES, filled, panels, queries, rules

NODE = Path(sys.executable).parents[1] / "node" / "node_modules"
TYPES = NODE / "@grafana" / "schema"
PANELS = {
    "bargauge": "bargauge",
    "heatmap": "heatmap",
    "stat": "stat",
    "state-timeline": "statetimeline",
    "table": "table",
    "timeseries": "timeseries",
}
"""The types of panels that are used, each with its folder in Grafana's types."""
CUSTOM = {kind: f"{PANELS[kind]}.FieldConfig" for kind in set(PANELS) - {"bargauge", "stat"}}
"""Those that have settings of their own for what they draw."""
METRIC = re.compile(r"(?<![\w:])(?:(?:badges|process)[_:][\w:]+|up|ALERTS)\b")
QUOTED = re.compile(r'"[^"]*"')
SHAPES = """
import type { Dashboard, Panel, RowPanel } from "@grafana/schema";

// As in JSON: an enum is the text of one of its members, and what has a default may be left out.
type Plain<T> = unknown extends T ? T
  : T extends string ? `${T}`
  : T extends number | boolean | null | undefined ? T
  : T extends Array<infer Item> ? Plain<Item>[]
  : { [Key in keyof T]?: Plain<T[Key]> };
type Source = NonNullable<Panel["fieldConfig"]>;
interface Query {
  refId: string;
  expr: string;
  legendFormat: string;
  instant?: boolean;
  format?: "table" | "heatmap";
}
type Of<Type extends string, Options, Custom> =
  Plain<Omit<Panel, "type" | "options" | "fieldConfig" | "targets">> & {
    type: Type;
    options: Plain<Options>;
    targets: Query[];
    fieldConfig: Plain<Omit<Source, "defaults">> & {
      defaults: Plain<Omit<Source["defaults"], "custom">> & { custom?: Plain<Custom> };
    };
  };
type Row = Plain<Omit<RowPanel, "type">> & { type: "row" };
type Whole = Plain<Omit<Dashboard, "panels" | "annotations">> & {
  annotations: { list: (Plain<Omit<Query, "refId" | "legendFormat">> & Record<string, unknown>)[] };
  panels: (Row | OneOf)[];
};
"""


def test_a_dashboard_has_an_address_and_a_name_of_its_own() -> None:
    assert set(DASHBOARDS) == {"badges", "lag", "service"}
    for key in ("uid", "title", "description"):
        assert len({dashboard[key] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)
    for dashboard in DASHBOARDS.values():
        assert re.fullmatch(r"badges-[a-z]+", dashboard["uid"])
        assert dashboard["title"].startswith("Badges: ")
        assert dashboard["links"][0]["tags"] == dashboard["tags"] == ["badges"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_each_panel_says_what_it_shows_and_in_which_unit(name: str) -> None:
    dashboard = DASHBOARDS[name]
    titles = Counter(panel["title"] for panel in dashboard["panels"])

    assert max(titles.values()) == 1
    for panel in panels(dashboard):
        assert re.search(r"\.$", panel["description"]), panel["title"]
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["description"] != panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_data_source_is_chosen_once_for_all(name: str) -> None:
    dashboard = DASHBOARDS[name]
    (variable,) = dashboard["templating"]["list"]
    asked = [panel["datasource"] for panel in panels(dashboard)]
    asked += [annotation["datasource"] for annotation in dashboard["annotations"]["list"]]

    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    assert {json.dumps(source) for source in asked} == {
        json.dumps({"type": "prometheus", "uid": f"${{{variable['name']}}}"})
    }


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_panel_lies_on_another(name: str) -> None:
    taken = Counter(
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARDS[name]["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    )

    assert max(taken.values()) == 1
    assert max(x for x, _ in taken) <= 23
    identities = [panel["id"] for panel in DASHBOARDS[name]["panels"]]
    assert len(set(identities)) == len(identities)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_what_is_good_or_bad_is_said_in_words_too(name: str) -> None:
    """Whoever sees no colours reads the state."""
    for panel in panels(DASHBOARDS[name]):
        if panel["type"] == "state-timeline":
            (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
            assert all(state["text"] for state in mapping["options"].values())


def test_what_is_asked_of_several_processes_is_one_answer() -> None:
    """A figure that several APIs tell alike is not drawn several times, nor added up."""
    of_all = re.compile(r"badges_(?:lag|slot|on_time|workers|definitions|rules?|alerts_open)\w*")
    for place, query in queries().items():
        for gauge in of_all.findall(query):
            worst = rf"(?:max|min)(?: by \(\w+\) )?\((?:deriv\()?{gauge}"
            assert re.search(worst, query), place


def test_every_metric_that_is_asked_for_is_one_that_we_expose() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    known = {name for registry in (WORKER, API) for name in series(registry)}
    known |= recorded | {"up", "ALERTS"}
    for place, query in queries().items():
        asked = set(METRIC.findall(QUOTED.sub("", query)))
        assert asked, place
        assert asked <= known, place


def series(registry: CollectorRegistry) -> Iterator[str]:
    """The names that Prometheus has for what a registry exposes."""
    for metric in registry.collect():
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
        yield from (metric.name + ending for ending in endings.get(metric.type, ("",)))


def test_promtool_can_read_every_query(promtool: Path, tmp_path: Path) -> None:
    asked = [
        {"record": f"asked:{number}", "expr": filled(query)}
        for number, query in enumerate(queries().values())
    ]
    file = tmp_path / "asked.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": asked}]}))

    done = subprocess.run(
        [promtool, "check", "rules", file], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(asked)} rules found" in done.stdout


def test_the_types_are_those_of_the_grafana_that_is_started() -> None:
    compose = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())
    image = compose["services"]["grafana"]["image"].rpartition(":")[2]

    assert json.loads((TYPES / "package.json").read_text())["version"] == image


def test_the_dashboards_are_what_grafanas_own_types_ask_for(tmp_path: Path) -> None:
    code, said = compiled(tmp_path, *(file.read_text() for file in FILES))

    assert code == 0, said


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"colorMode": "background"', '"colorMode": "backgruond"'),
        ('"thresholdsStyle"', '"thresholdStyle"'),
        ('"match": "null+nan"', '"match": "nil"'),
        ('"schemaVersion": 39', '"schemaVersion": "39"'),
        ('"gridPos"', '"gridPosition"'),
    ],
)
def test_what_grafana_does_not_know_is_found_so(tmp_path: Path, right: str, wrong: str) -> None:
    (text,) = (file.read_text() for file in FILES if file.stem == "service")
    (lag,) = (file.read_text() for file in FILES if file.stem == "lag")
    text = text if right in text else lag
    assert right in text

    code, said = compiled(tmp_path, text.replace(right, wrong))

    assert code != 0
    assert "error TS2" in said


def compiled(folder: Path, *dashboards: str) -> tuple[int, str]:
    """What TypeScript's compiler says of dashboards, as values of Grafana's types."""
    assert TYPES.exists(), "Grafana's types are not installed: run make install with the network"
    kinds = [SHAPES]
    for place in PANELS.values():
        (file,) = (TYPES / "dist/types/raw/composable" / place / "panelcfg/x").glob("*.d.ts")
        kinds.append(f'import type * as {place} from "{file.with_suffix("").with_suffix("")}";')
    shapes = [
        f'Of<"{kind}", {place}.Options, {CUSTOM.get(kind, "never")}>'
        for kind, place in PANELS.items()
    ]
    kinds.append(f"type OneOf = {' | '.join(shapes)};")
    kinds += [f"export const d{n}: Whole = {text};" for n, text in enumerate(dashboards)]
    (folder / "dashboards.ts").write_text("\n".join(kinds))
    options = {
        "strict": True,
        "noEmit": True,
        "skipLibCheck": True,
        "module": "esnext",
        "moduleResolution": "bundler",
        "target": "es2022",
        "types": [],
        "paths": {"@grafana/schema": [str(TYPES / "dist/types/index.d.ts")]},
    }
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": options}))
    done = subprocess.run(
        [Path(sys.executable).parent / "node", NODE / "typescript/bin/tsc"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
