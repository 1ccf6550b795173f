#!/usr/bin/env python3
"""mutants.py - breaks the product on purpose, one small break at a time, and shows that the simulator finds it.

A mutant is one exact piece of one source file and what stands there instead. The changed copy is compiled alone and linked in front of
the archives, so the rest is the daemons' own objects. A piece that is nowhere in its room exactly once is an error: the table must be
kept true. Usage: mutants.py [--seeds N] [--pick K] [--table] [NAME ...]; without names all. --pick: K of them, others every day.
"""
import argparse
import os
import re
import subprocess
import sys
import time

B = os.environ.get("B", "build")

MUTANTS = [
    # name, file, piece, what stands there instead, what it means
    ("store-synchronous-off", "controller/store/store_driver_open.c", '"PRAGMA synchronous = FULL"', '"PRAGMA synchronous = OFF"',
     "a COMMIT is not synced"),
    ("store-synchronous-normal", "controller/store/store_driver_open.c", '"PRAGMA synchronous = FULL"', '"PRAGMA synchronous = NORMAL"',
     "a COMMIT is synced with the next checkpoint"),
    ("ack-before-commit", "controller/store/store_batch.c", "		r = commit(store);\n", "		(void)!commit(store);\n",
     "a write is acknowledged whether or not it was committed"),
    ("epoch-not-raised", "controller/store/store.c", "uint64_t epoch = store->identity.epoch + 1, now = clock_real_ms(&store->clock);",
     "uint64_t epoch = store->identity.epoch, now = epoch;", "a controller that starts takes no epoch of its own"),
    ("prune-before-end", "node/replica_snapshot.c", "	if (m->part == 1) {\n		replica_drop_staging(r);\n",
     "	if (m->part == 1) {\n		replica_drop_staging(r);\n		replica_free_content(r);\n		r->records = r->parts = (struct map){ 0 };\n",
     "the old state goes when a snapshot begins"),
    ("snapshot-merged", "node/replica_snapshot.c", "	if (r->staging_heals) {\n		e = swap_parts(r, s, m);",
     "	if (!m->n_heal) {\n		struct replica_record *rec;\n		for (size_t i = 0; e == 0 && (rec = map_next(&s->records, &i));)\n"
     "			e = replica_insert(r, rec->record, 0);\n		r->v = m->to_v;\n	} else if (r->staging_heals) {\n		e = swap_parts(r, s, m);",
     "a snapshot is added to what is there, nothing is taken away"),
    ("wrong-from-v-accepted", "node/replica.c", " || m->from_v != r->v)\n		return REPLICA_GAP;", ")\n		return REPLICA_GAP;",
     "a delta is taken wherever it begins"),
    ("epoch-not-compared", "node/replica.c", "	if (!r->has_log_id || epoch > r->epoch)\n		return true;\n",
     "	if (epoch)\n		return true;\n", "a node obeys any controller"),
    ("scope-drop-ignored", "node/replica.c", "		if (!m->scope[i]->entered)\n			e = drop_network", "		if (0)\n			e = drop_network",
     "a network that left the scope stays"),
    ("journal-not-synced", "node/journal.c", "if (e == 0 && fdatasync(j->fd) < 0)", "if (e == 0 && j->fd < 0)",
     "an entry is acknowledged before it is safe"),
    ("journal-not-synced-at-start", "node/journal.c", " || lseek(j->fd, 0, SEEK_END) < 0 || fdatasync(j->fd) < 0)",
     " || lseek(j->fd, 0, SEEK_END) < 0)", "what a killed daemon wrote is claimed unsynced by the next"),
    ("state-file-not-synced", "lib/base/file.c", "	if (r == 0 && fsync(fd) < 0)\n", "	if (r == 0 && fd < 0)\n",
     "a file is renamed into place before its bytes are safe"),
    ("folder-not-synced", "lib/base/file.c", "	return fsync(fd) < 0 ? -errno : 0;\n", "	return fd < 0 ? -errno : 0;\n",
     "a rename is believed before it is safe"),
    ("ack-before-durable", "node/sync.c", "	s->settling = true;\n	if (m->kind == SIXPN__POLL_KIND__POLL_SNAPSHOT || journal_wants_fold",
     "	finish_reply(s);\n	if (m->kind == SIXPN__POLL_KIND__POLL_SNAPSHOT || journal_wants_fold",
     "the next Poll goes out before the journal is written"),
    ("stale-journal-replayed", "node/statefile.c", " || memcmp(m, journal_magic, sizeof journal_magic) || memcmp(of, snapshot_hash, HASH_LEN);",
     " || memcmp(m, journal_magic, sizeof journal_magic);", "a journal of another snapshot is replayed over this one"),
    ("torn-entry-breaks-all", "node/statefile.c", "return cursor_left(&c) ? broken(why, \"the journal's chain breaks before its end\") : 0;",
     "return broken(why, \"the journal's chain breaks\");", "a torn last entry costs the whole state"),
    ("scope-off-by-one", "controller/nodes/delta.c", "return e->entered_v <= b->node->applied_v;", "return e->entered_v < b->node->applied_v;",
     "the first change after a network came in is not told"),
    ("scope-left-not-told", "controller/nodes/delta.c", "if (e->left_v > from && (!e->count || (e->entered_v > from && !e->guessed))) {",
     "if (e->left_v > UINT64_MAX - 1 && !e->count) {", "nobody is told that a network left"),
    ("scope-stay-survives-a-cut", "controller/nodes/delta.c", "if (e->left_v > from && (!e->count || (e->entered_v > from && !e->guessed))) {",
     "if (e->left_v > from && !e->count) {", "an older stay outlives the V at which it ended"),
    ("scope-guess-left-to-later", "controller/nodes/delta.c", "		if (b.guesses && v <= controller_head(c))\n			r = DELTA_TOO_LARGE;", "",
     "a network that came in at a guessed V may come too late"),
    ("delta-makes-no-way", "controller/nodes/delta.c", "	if (b->moves && b->bytes + size", "	if (b->bytes && b->bytes + size",
     "a large change beside a drop is never sent"),
    ("foreign-networks-told", "controller/nodes/delta.c", "	if (!e)\n		return r->node != 0;\n", "	if (!e)\n		return true;\n",
     "records of networks that were never there are sent"),
    ("foreign-part-in-snapshot", "controller/nodes/snapshot.c", "		if (e->count)\n			r = add_part(s, memory_part(&c->memory, e->network, 0));",
     "		r = add_part(s, memory_part(&c->memory, e->network, 0));", "a snapshot holds networks that have left"),
    ("snapshot-v-of-its-end", "controller/nodes/snapshot.c", "	r.message.to_v = s->v;\n", "	r.message.to_v = controller_head(c);\n",
     "a snapshot claims the V at which its last part is sent"),
    ("window-off-by-one", "controller/nodes/poll.c", "node->first_pending_v <= ring_floor(&c->ring);", "node->first_pending_v < ring_floor(&c->ring);",
     "a node just below the window is fed from it"),
    ("window-not-checked", "controller/nodes/poll.c", "	if (q->applied_v < ring_floor(&c->ring) && ", "	if (q->applied_v + 100000 < ring_floor(&c->ring) && ",
     "a node far below the window is fed from it"),
    ("applied-off-by-one", "controller/nodes/wait.c", '#include "controller/nodes/wait.h"\n',
     '#include "controller/nodes/wait.h"\n#define node_has_applied(node, v) ((node)->acked && (node)->first_pending_v >= (v))\n',
     "wait says applied one change too early"),
    ("wait-forgets-laggards", "controller/nodes/wait.c", '#include "controller/nodes/wait.h"\n',
     '#include "controller/nodes/wait.h"\n#define node_has_applied(node, v) ((node)->acked)\n', "a node that is behind does not hold up a wait"),
    ("drift-not-looked-for", "controller/nodes/poll.c", "node->n_pending || !memcmp(own.sum, q->digest, DIGEST_LEN)",
     "node->n_pending || own.count < (uint64_t)-1", "digests are not compared"),
    ("roll-back-not-seen", "controller/nodes/poll.c", "		if (is_proven(c, q)) {", "		if (q->head_proof_len == 7) {",
     "a proof of a later head is ignored"),
    ("fence-ignored", "controller/nodes/poll.c", "	if (!names_another(c, q))\n		return false;", "	if (names_another(c, q) || q)\n		return false;",
     "a controller goes on though a node obeys a later one"),
    ("fence-without-proof", "controller/nodes/poll.c", "	if (!is_proven(c, q)) {\n		node->unproven++;", "	if (!q->epoch) {\n		node->unproven++;",
     "a controller ends because a node says so"),
    ("proof-not-kept", "node/statefile.c", "	r->head_proof_len = n;\n", "	r->head_proof_len = 0;\n",
     "a new state file has no proof: a node that starts from it cannot prove whom it obeys"),
    ("presence-gone-without-controller", "node/node.c", "if (e == 0 && !leave && node->replica.has_log_id)", "if (e == 0 && !leave)",
     "a start that knows nothing takes everything away"),
    ("vanished-means-stop-before-sync", "agent/instance.c", "	if (in->executing || (!in->wanted && !in->seen && !in->agent->synced))\n",
     "	if (in->executing)\n", "an instance of an earlier run is ended before the controller has spoken"),
    ("names-not-rebuilt", "node/apply.c", "	for (size_t i = 0; i < change->n_networks && !change->all && !change->fabric; i++) {",
     "	for (size_t i = 0; i < change->n_networks && change->all; i++) {", "a delta does not reach the name server"),
    ("peer-key-for-all", "controller/nodes/delta.c", "	if (r->node && r->node != b->node->host)\n		return false;",
     "	if (r->node && r->node != b->node->host && r->kind != RECORD_PEER_KEY)\n		return false;", "a peer's key is sent to every node"),
    ("peer-key-after-peer", "controller/store/store_peer_create.c",
     "		r = peer_emit_key(store, op, &row, rec->gateway, in->has_preshared_key ? in->preshared_key : NULL);\n	if (r == 0)\n		r = peer_emit(store, op, &row);",
     "		r = peer_emit(store, op, &row);\n	if (r == 0)\n		r = peer_emit_key(store, op, &row, rec->gateway, in->has_preshared_key ? in->preshared_key : NULL);",
     "there is a V at which a peer has no key"),
    ("peer-key-of-another", "controller/store/store_peer.c", "peer_key_envelope(&rec, peer->record.network, gateway), &body, peer->org, NULL);",
     "peer_key_envelope(&rec, peer->record.network, peer->record.home_gateway), &body, peer->org, NULL);",
     "a key goes to the gateway where the peer was made"),
    ("peer-deleted-key-stays", "controller/store/store_peer.c",
     "	for (size_t i = 0; i < n && r == 0; i++)\n		r = change_remove(store, op, peer_key_envelope(",
     "	for (size_t i = 1; i < n && r == 0; i++)\n		r = change_remove(store, op, peer_key_envelope(", "a peer is deleted and its gateway keeps the key"),
    ("peer-rekey-at-one", "controller/store/store_peer.c",
     "	for (size_t i = 0; i < n && r == 0; i++)\n		r = peer_emit_key(store, op, &row, gateways[i], preshared_key);",
     "	for (size_t i = 1; i < n && r == 0; i++)\n		r = peer_emit_key(store, op, &row, gateways[i], preshared_key);", "a new key is not told"),
    ("peer-moved-key-stays", "controller/store/store_peer_move.c", "	if (r == 0)\n		r = take_keys_but(store, op, row, target, target);\n",
     "", "the gateway that a peer left keeps its key"),
    ("peer-expired-stays", "controller/store/store_peer_sweep.c", "expires_at > 0 AND expires_at <= ?1", "expires_at > 0 AND expires_at <= ?1 - 864000000",
     "a peer that has expired is not deleted"),
    ("peers-not-read-again", "node/role_peers.c", "peers->stale || change->all || change->peers;", "peers->stale || change->all;",
     "a delta does not reach the gateway's WireGuard"),
    ("peers-of-a-lost-network-stay", "node/replica.c", "			c->n_deletes++;\n			c->peers = true;\n			replica_forget(r, rec);\n		}\n	return note_network",
     "			c->n_deletes++;\n			c->peers = true;\n			if (!rec->record->node)\n				replica_forget(r, rec);\n		}\n	return note_network",
     "what is private in a network that left stays: a key too"),
    ("gateway-trusts-a-device", "gateway/peers.c", "return p->known ? 0 : wg_observe(p->parts.wg, ret_observed);", "return 0;",
     "a gateway's daemon that starts believes that its WireGuard is empty"),
    ("gateway-not-brought-back", "gateway/peers_repair.c", "	if (e == 0)\n		e = bring_back(p, &plan);", "",
     "WireGuard that died stays empty"),
    ("gateway-lets-the-suspended-in", "gateway/plan.c", "return peer->has_key && !peer->suspended;", "return peer->has_key;",
     "who is suspended can connect"),
    ("rule-stays-open", "node/apply.c", "	e = rules ? node->kernel->close_rules(node) : 0;", "	e = 0;",
     "a peering rule that ended is not taken out of the maps"),
    ("far-instance-forgotten", "controller/store/store_finish.c", "		r = rule_forget_instance(store, op, instance);", "		r = 0;",
     "the other end of a rule is not told that an instance is gone"),
    ("suspended-speaks-on", "agent/instance.c", "		silence(in);\n	tell_errors(in);", "		;\n	tell_errors(in);",
     "an interface that is not finished speaks on after its network was suspended"),
    ("report-said-once", "node/reports.c", "	for (size_t i = 0; (e = map_next(&r->entries, &i));)\n		e->in_flight = false;\n	if (loop_set_timer_in",
     "	for (size_t i = 0; (e = map_next(&r->entries, &i));) {\n		e->in_flight = false;\n		e->quiet_until_v = UINT64_MAX;\n"
     "		e->quiet_epoch = r->replica->epoch;\n	}\n	if (loop_set_timer_in", "a report that was lost is not repeated"),
]

# found within 2,000 seeds, but not within a few dozen
SLOW = {"prune-before-end", "journal-not-synced-at-start", "torn-entry-breaks-all", "scope-stay-survives-a-cut", "delta-makes-no-way",
        "drift-not-looked-for", "roll-back-not-seen", "vanished-means-stop-before-sync",
        "report-said-once"}


def sh(command, **kw):
    return subprocess.run(command, shell=True, text=True, capture_output=True, **kw)


class Broken(Exception):
    pass


def find(name, path, old):
    """The file that holds the piece: the one in the table, or wherever in its room it moved to."""
    room = os.path.dirname(path)
    for candidate in [path] + sorted(f"{room}/{f}" for f in os.listdir(room) if f.endswith(path[-2:])):
        if os.path.exists(candidate) and open(candidate).read().count(old) == 1:
            return candidate
    raise Broken(f"no file of {room} holds the piece of {name} exactly once (it was in {path})")


def build(name, path, old, new):
    """A simulator with this one change; its path."""
    path = find(name, path, old)
    text = open(path).read()
    folder = f"{B}/sim-mutants/{name}"
    source = f"{folder}/{path}"
    os.makedirs(os.path.dirname(source), exist_ok=True)
    open(source, "w").write(text.replace(old, new))
    target = f"{folder}/{path[:-2]}.o"
    r = sh(f"{os.environ['SIM_CC']} -w {os.environ['SIM_CFLAGS']} -c {source} -o {target}")
    if r.returncode:
        raise Broken(f"{name} does not compile:\n{r.stderr}")
    program = f"{folder}/sim"
    r = sh(f"{os.environ['SIM_CC']} -o {program} {target} {os.environ['SIM_OBJS']} {os.environ['SIM_LINK']}")
    if r.returncode:
        raise Broken(f"{name} does not link:\n{r.stderr}")
    return program


def hunt(program, seeds, limit_s):
    """(seed, invariant) of the first that is found, or None."""
    try:
        r = subprocess.run([program, "1", str(seeds)], text=True, capture_output=True, timeout=limit_s, errors="replace")
    except subprocess.TimeoutExpired:
        return ("?", "no end")
    found = re.search(r"^seed (\d+): (.*)$", r.stderr, re.M)
    if found:
        return (found.group(1), found.group(2))
    if r.returncode:
        return ("?", f"exit {r.returncode}: {r.stderr.strip()[-200:]}")
    return None


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--seeds", type=int, default=2000)
    args.add_argument("--pick", type=int)
    args.add_argument("--table", action="store_true")
    args.add_argument("--quick", action="store_true", help="only those that take few seeds")
    args.add_argument("names", nargs="*")
    a = args.parse_args()
    unknown = set(a.names) - {m[0] for m in MUTANTS}
    if unknown:
        sys.exit(f"no mutant of that name: {', '.join(sorted(unknown))}")
    chosen = [m for m in MUTANTS if not a.names or m[0] in a.names]
    if a.quick:
        chosen = [m for m in chosen if m[0] not in SLOW]
    if a.pick:
        day = int(time.time()) // 86400
        chosen = [chosen[(day * a.pick + i) % len(chosen)] for i in range(a.pick)]
    missed = 0
    for name, path, old, new, meaning in chosen:
        try:
            found = hunt(build(name, path, old, new), a.seeds, 600)
        except Broken as e:
            print(f"{name}: {e}", file=sys.stderr)
            missed += 1
            continue
        if not found:
            missed += 1
            print(f"   MISSED {name}: {meaning} ({a.seeds} seeds)", flush=True)
        elif a.table:
            print(f"| `{name}`: {meaning} | {found[1].split(':')[0]} | {found[0]} |", flush=True)
        else:
            print(f"   caught {name} at seed {found[0]}: {found[1][:120]}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} mutants caught")
    return 1 if missed else 0


sys.exit(main())
