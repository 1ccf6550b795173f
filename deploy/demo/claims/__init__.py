"""claims - what the demo asserts, as rows: name, chapter, claim, check, what breaks it, sabotage (returns the mend), and the other
claims that may fail with it. Every check can be run again and again on the standing cluster. A claim without a sabotage does not
count, so there is no such row."""
from .alone import WINDOW, fresh, part
from .common import APP, Row, notes
from .machines import no_link_but_the_port, nodes_ready, withdrawal
from .mesh import mesh_form, one_prefix_per_node, underlay
from .names import fetch, names_aaaa, names_lists, names_negative, names_txt, names_views, near_first
from .outside import outside_names, upstream_stopped
from .peers import (fetch as peer_fetch, moving, names as peer_names, office, peer_walls, reachable_by_name, region_falls_back, rekey_and_delete, roaming,
                    status as peer_status, with_resolvconf, without_resolvconf)
from .rule import dropped_on_the_way, rule
from .sabotage import (NO_RESOLVER, address_label, all_gates_away, another_log, api_on_the_underlay, chatter, damaged_state,
                       database_unroutable, health_check, mesh_program_away, no_shim, on_host_of, only_gate_away,
                       only_programs_away, stop_daemon, view_of_another, waker, wrong_allowed_ip)
from .sabotage_peers import (cafe_is_shut, dns_line, gateway_gates_away, health_check_of_peers, keys_put_back, moved_address_unroutable,
                             no_resolvconf, no_third, office_flushed, peer_forgotten, strict_org, unmeshed_gateway)
from .walls import gate_alone, infrastructure, isolation, programs_alone
from .ways import flyctl, only_the_peers_own_address

__all__ = ["rows", "notes", "fresh", "CONTROLLER_ARGS", "NODE_ARGS"]

CONTROLLER_ARGS = ("--window_changes", str(WINDOW))
# What claims and sabotages take away stays away until they put it back; that nodes do so themselves is shown by test_drift.
NODE_ARGS = ("--repair_interval_ms", "3600000")

# What needs the name server of a machine, and what needs the programs of its mesh device.
RESOLVER = ("names-txt", "names-aaaa", "names-lists", "names-views", "names-negative", "fetch", "near-first", "gate-alone", "underlay",
            "withdrawal", "alone-names", "alone-restart", "alone-crash", "outside", "peer-name", "peer-office", "rule")
MESH = ("fetch", "isolation", "infrastructure", "gate-alone", "programs-alone", "underlay", "alone-names",
        "peer-fetch", "peer-name", "peer-office", "peer-walls", "peer-roaming", "peer-move", "alone-peers", "flyctl", "rule")
# What needs the daemon of one machine, and of any: writes are waited for everywhere.
WRITES = ("withdrawal", "flyctl", "rule", "alone-peers", "peer-region", "peer-rekey", "peer-move", "alone-names", "alone-restart", "alone-crash", "alone-cursor", "alone-window")
DAEMON = ("names-aaaa", "near-first", "peer-plain", "peer-names", "peer-walls", *WRITES)
# What needs the daemon of gw-ord: its name server, its reports.
GATEWAY = ("nodes-ready", "peer-openresolv", "peer-names", "peer-fetch", "peer-office", "peer-roaming", "peer-status", *WRITES)
# What needs the laptop's tunnel.
LAPTOP = ("peer-openresolv", "peer-names", "peer-fetch", "peer-name", "peer-walls", "peer-roaming", "peer-status", "alone-peers")
# What needs the programs of an instance's device: which instance it is depends on placement.
SAME_HOST = ("names-txt", "names-aaaa", "names-lists", "names-views", "names-negative", "fetch", "near-first", "isolation",
             "infrastructure", "gate-alone", "programs-alone", "mesh-form", "withdrawal", "underlay", "alone-names", "alone-restart",
             "alone-crash", "outside", "peer-fetch", "peer-name", "peer-office", "peer-walls", "peer-roaming", "peer-move", "alone-peers", "flyctl", "rule")


def rows():
    people, alone = "7. people come in", "8. without a controller"
    names, walls, mesh = "3. names, from inside instances, over UDP and TCP", "4. isolation, judged at the receivers", "5. the mesh"
    return [
        Row("nodes-ready", "2. the machines, with both on them", "all five nodes are ready and have applied everything", nodes_ready,
            "the daemon of dev-1 is stopped", stop_daemon("dev-1"), DAEMON),
        Row("only-the-link", "2. the machines, with both on them", "machines share nothing with the controller but the link port", no_link_but_the_port,
            "something listens on the API port of the underlay", api_on_the_underlay),
        Row("names-txt", names, f"TXT of {APP}.internal and regions. is \"nrt,ord\"", names_txt,
            "the resolver's address is gone on nrt-1",
            on_host_of("acme", "my-frontend", *NO_RESOLVER), RESOLVER),
        Row("names-aaaa", names, "AAAA of the bare name, global., nrt. and <id>.vm. are the instances", names_aaaa,
            "the resolver's address is gone on dev-1",
            on_host_of("acme", "my-worker", *NO_RESOLVER), ("near-first", "withdrawal", "alone-names", "rule")),
        Row("names-lists", names, "vms., _apps and _instances list exactly what is there", names_lists,
            "the resolver's address is gone on the database's host",
            on_host_of("acme", "my-database", *NO_RESOLVER), RESOLVER),
        Row("names-views", names, "globex gets its own answers for the same name, and nothing of acme", names_views,
            "globex's queries are read as acme's", view_of_another, ("gate-alone", "alone-names")),
        Row("names-negative", names, "A is NODATA at once, a name that never was is NXDOMAIN", names_negative,
            "replies of the name server are dropped on nrt-1",
            on_host_of("acme", "my-frontend",
                       "nft 'add table ip6 sabotage; add chain ip6 sabotage out { type filter hook output priority 0; }; "
                       "add rule ip6 sabotage out udp sport 53 drop; add rule ip6 sabotage out tcp sport 53 drop'",
                       "nft delete table ip6 sabotage"), RESOLVER),
        Row("fetch", names, "my-frontend (nrt) fetches a page of my-database.internal (ord) by getaddrinfo and TCP", fetch,
            "the database's host is taken out of nrt-1's mesh", database_unroutable,
            ("isolation", "infrastructure", "mesh-form", "one-prefix", "underlay", "gate-alone", "programs-alone",
             "alone-names", "rule")),
        Row("near-first", names, "getent ahosts gives the near instance first in each region", near_first,
            "the far address is preferred by the instance's own gai.conf", address_label),
        Row("outside", names, "a name outside .internal resolves through an upstream in the underlay, over UDP and TCP; it never hears "
            "of a private name", outside_names, "the upstream says nothing any more", upstream_stopped),
        Row("isolation", walls, "no packet of globex reaches acme: ICMP, UDP, TCP; true and forged sources; natural and mesh form",
            isolation, "programs detached and the second gate open on one machine", all_gates_away, SAME_HOST),
        Row("rule", walls, "a peering rule lets globex's shop reach acme's database, as database.internal, and nothing else; ended, not one packet passes",
            rule, "a firewall on the database's machine drops what comes from the shop", dropped_on_the_way),
        Row("infrastructure", walls, "neither host nor controller answers an instance", infrastructure,
            "programs detached and the second gate open on one machine", all_gates_away, SAME_HOST),
        Row("gate-alone", walls, "programs detached: nothing passes, the control neither, not even to fdaa::3", gate_alone,
            "the second gate is open", only_gate_away, ("programs-alone",)),
        Row("programs-alone", walls, "second gate removed: BPF drops and counts the forged packet, the control passes", programs_alone,
            "the programs are detached", only_programs_away, SAME_HOST),
        Row("one-prefix", mesh, "wg show has one /48 per other node, before and after fifty more networks", one_prefix_per_node,
            "one peer of ord-1 has a wrong allowed-ip", wrong_allowed_ip),
        Row("mesh-form", mesh, "mesh form on the mesh device, natural form at the instance", mesh_form,
            "the mesh programs of both machines are detached", mesh_program_away, MESH),
        Row("underlay", mesh, "on the underlay only UDP 51821 and the link, and no name of org or app is readable", underlay,
            "a machine speaks in the clear", chatter),
        Row("withdrawal", "6. a change", "a stopped instance is withdrawn by every name server of its network", withdrawal,
            "the daemon of dev-1 is stopped", stop_daemon("dev-1"), (*DAEMON, "nodes-ready")),
        Row("peer-openresolv", people, "wg-quick brings up a laptop with openresolv with the file that `sixpn peer create` wrote, and dig asks "
            "the DNS address it names", with_resolvconf, "openresolv is taken off the laptop", no_resolvconf, LAPTOP),
        Row("peer-plain", people, "and a machine without any resolvconf, where a line DNS = would have taken the tunnel down again",
            without_resolvconf, "its file has a line DNS =", dns_line, ("peer-names", "peer-fetch")),
        Row("peer-names", people, "both get the answers of instances: AAAA by region, over UDP and TCP", peer_names,
            "acme's ::3 is gone at gw-ord", no_third, ("peer-office", "peer-rekey", "flyctl", *LAPTOP)),
        Row("peer-fetch", people, "the laptop fetches pages by name from ord and nrt; both machines exchange bytes with every instance",
            peer_fetch, "the database's host is taken out of the mesh of gw-ord", unmeshed_gateway, ("one-prefix", "peer-roaming", "alone-peers", "flyctl")),
        Row("peer-name", people, "<peer>._peer.internal resolves in an instance, which fetches a page from the laptop's own server",
            reachable_by_name, "WireGuard of gw-ord has forgotten the laptop", peer_forgotten, LAPTOP),
        Row("peer-office", people, "an office joined by docs/use/bridge-a-network.md, word by word: instances reach the server behind it, and "
            "nothing else there", office, "somebody flushes the firewall of the office's machine", office_flushed,
            costly="people"),
        Row("peer-region", people, "a phone for nrt, which has no gateway, ends in the nearest region that has one, and that is said; "
            "--strict is an error that names the regions with gateways", region_falls_back, "the organization is strict by itself", strict_org),
        Row("peer-walls", people, "a laptop of globex reaches nothing of acme: no instance, no laptop, not acme's ::3; true and forged sources",
            peer_walls, "programs detached and the second gate open on its gateway", gateway_gates_away, SAME_HOST, costly="people"),
        Row("peer-roaming", people, "the laptop leaves the house during a download, and the download ends well", roaming,
            "the other network lets no UDP out", cafe_is_shut, costly="people"),
        Row("peer-rekey", people, "a new key is good and the old one dead when `peer rekey` returns; so is the peer when `peer delete` does",
            rekey_and_delete, "somebody's watchdog at gw-ord puts back every key", keys_put_back, ("peer-move",), costly="people"),
        Row("peer-move", people, "a peer moves to the gateway in dev and keeps its address: the file changes in Endpoint and PublicKey, the old "
            "tunnel works until the new one is used", moving, "nrt-1's mesh loses the addresses that moved", moved_address_unroutable,
            costly="people"),
        Row("peer-status", people, "`sixpn peer status` shows the laptop online, where it is seen and what it sent", peer_status,
            "the daemon of gw-ord is stopped", stop_daemon("gw-ord"), GATEWAY, costly="people"),
        Row("flyctl", people, "a peer made as flyctl makes it carries dig, ping and proxy of its agent, which speaks from the network address of "
            "its /120", flyctl, "gw-ord lets peers speak from their own address alone", only_the_peers_own_address, ("peer-office",), costly="people"),
        Row("alone-names", alone, "killed, its database gone: names and traffic go on, and _sync.internal says how old they are",
            part("names"), "a health check on nrt-1 takes its resolver away while the controller is silent", health_check,
            ("alone-restart", "alone-crash"), costly="alone"),
        Row("alone-peers", alone, "tunnels go on meanwhile, and a laptop that comes up anew shakes hands and asks its names", part("peers"),
            "a health check on gw-ord takes its peers away while the controller is silent", health_check_of_peers,
            ("peer-office", *LAPTOP), costly="alone"),
        Row("alone-restart", alone, "a daemon that is killed meanwhile answers everything from its own file", part("restart"),
            "the state files of nrt-1 are damaged", damaged_state, ("alone-crash", "alone-cursor"), costly="alone"),
        Row("alone-crash", alone, "an instance that dies meanwhile leaves its host's names, is started again, and enters them again",
            part("crash"), "nrt-1 can start no process", no_shim, costly="alone"),
        Row("alone-cursor", alone, "the controller is back: all converge, and nobody needs a snapshot", part("cursor"),
            "the store comes back as another log", another_log, costly="alone"),
        Row("alone-window", alone, "who missed more changes than the controller keeps takes one snapshot, and nobody else does",
            part("window"), "the stopped daemon is woken again and again", waker, costly="alone"),
    ]
