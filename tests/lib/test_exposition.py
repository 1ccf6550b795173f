"""The reader of expositions refuses what a scraper would: run as a program; every line here is one way to be wrong."""
import exposition

HEAD = "# HELP sixpn_a_total A.\n# TYPE sixpn_a_total counter\n"
HIST = "# HELP sixpn_h_seconds H.\n# TYPE sixpn_h_seconds histogram\n"
GOOD = [HEAD + 'sixpn_a_total{x="1"} 1\nsixpn_a_total{x="a\\"\\\\\\n"} 2\n',
        HIST + 'sixpn_h_seconds_bucket{le="0.1"} 1\nsixpn_h_seconds_bucket{le="+Inf"} 2\nsixpn_h_seconds_sum 3\nsixpn_h_seconds_count 2\n']
BAD = [HEAD, HEAD + "sixpn_a_total 1", HEAD + "sixpn_a_total 1\nsixpn_a_total 2\n", HEAD + "sixpn_a_total one\n",
       HEAD + "sixpn_a_total 1\n" + HEAD + "sixpn_a_total 2\n", HEAD + 'sixpn_a_total{x="1} 1\n', HEAD + 'sixpn_a_total{x="a"b"} 1\n',
       HEAD + 'sixpn_a_total{x="1",x="2"} 1\n', HEAD + 'sixpn_a_total{x="1"} 1\nsixpn_a_total{y="1"} 1\n', HEAD + "sixpn_b_total 1\n",
       "sixpn_a_total 1\n", "# TYPE sixpn_a_total counter\nsixpn_a_total 1\n", HEAD + "sixpn_a_total -1\n",
       HEAD.replace("_total", "") + "sixpn_a 1\n", HEAD.replace("counter", "gauge") + "sixpn_a_total 1\n",
       HEAD.replace("sixpn_a", "other") + "other_total 1\n",
       GOOD[1].replace('le="+Inf"', 'le="9"'), GOOD[1].replace("_count 2", "_count 3"), GOOD[1].replace('"0.1"} 1', '"0.1"} 5'),
       GOOD[1].replace("sixpn_h_seconds_sum 3\n", "")]

for text in GOOD:
    exposition.parse(text)
for text in BAD:
    try:
        exposition.parse(text)
    except (exposition.Bad, ValueError):
        continue
    raise SystemExit(f"accepted:\n{text}")
print(f"exposition: {len(BAD)} ways to be wrong refused")
