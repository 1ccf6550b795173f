/* table - every noun, verb and flag of `sixpn`. Parser, help, completion and the tests of the rules read it. */
#include "controller/cli/commands.h"
#include "controller/cli/help.h"

#define COLUMNS(...) (const struct cli_column[]){ __VA_ARGS__, { 0 } }
#define FLAGS(...) (const struct cli_flag[]){ __VA_ARGS__, { 0 } }

const struct cli_flag cli_flags_all[] = {
	{ "json", NULL, false, "JSON on standard output" },
	{ "tsv", NULL, false, "tab-separated values, no header" },
	{ "q", NULL, false, "names only" },
	{ "url", "URL", false, "the controller: https://ADDRESS:4283, http://ADDRESS:4280 or unix:/PATH" },
	{ "token-file", "FILE", false, "file that holds the token (mode 0600)" },
	{ "help", NULL, false, "this text" },
	{ 0 },
};
const struct cli_flag cli_flags_write[] = {
	{ "wait", "[=TIME]", false, "how long to wait until all nodes have applied it (10s)" },
	{ "no-wait", NULL, false, "come back when it is recorded" },
	{ "dry-run", NULL, false, "try it, change nothing" },
	{ 0 },
};
const struct cli_flag cli_flags_destroy[] = {
	{ "yes", NULL, false, "do not ask" },
	{ 0 },
};

#define FLAG_ORG { "org", "ORG", false, "its organization" }
#define FLAG_O { "o", "FILE", false, "write the secret there (new file, 0600); - is standard output" }
#define FLAGS_PEER_PLACE \
	{ "o", "FILE", false, "write its file there (new, 0600); - is standard output" }, \
	{ "qr", NULL, false, "draw it as a QR code on the terminal" }, \
	{ "form", "SYSTEM", false, "for linux (default), macos, windows, android (default with --qr) or ios" }, \
	{ "dns", "WHICH", false, "internal: ask the network's server for .internal only (default on linux); all: for every name" }
#define FLAGS_PEER_KEY \
	{ "public-key", "KEY", false, "of a key that was made elsewhere; the file gets a placeholder" }, \
	{ "preshared", NULL, false, "make a preshared key too; the controller and the gateway know it" }
#define FLAG_FORCE { "force", NULL, false, "do not wait for the machine that holds it" }

static const struct cli_noun region = {
	"region", "/v1/regions", "name", "places, with a code of three letters",
	COLUMNS({ "NAME", "name" }, { "CITY", "city" }, { "LATITUDE", "latitude" }, { "LONGITUDE", "longitude" }, { "LOCATOR", "locator" },
		{ "NODES", "nodes" }),
	"name city",
};
static const struct cli_noun node = {
	"node", "/v1/nodes", "name", "machines: hosts and gateways",
	COLUMNS({ "NAME", "name" }, { "REGION", "region" }, { "ROLES", "roles" }, { "STATE", "state" }, { "INSTANCES", "instances" },
		{ "ENDPOINTS", "endpoints" }, { "VERSION", "version" }, { "CLONED", "cloned" }),
	"name region",
};
static const struct cli_noun node_token = {
	"node token", "/v1/node-tokens", "id", "tokens with which machines join",
	COLUMNS({ "ID", "id" }, { "REGION", "region" }, { "ROLES", "roles" }, { "USED", "used" }, { "USES", "uses" }, { "EXPIRES", "expires" },
		{ "REVOKED", "revoked" }),
	"id",
};
static const struct cli_noun org = {
	"org", "/v1/orgs", "name", "organizations: customers",
	COLUMNS({ "NAME", "name" }, { "ID", "id" }, { "SUSPENDED", "suspended" }, { "CREATED", "created" }),
	"name",
};
static const struct cli_noun member = {
	"org member", "/v1/members", "email", "people in an organization, and what they may do there",
	COLUMNS({ "EMAIL", "email" }, { "NAME", "name" }, { "ROLE", "role" }, { "SINCE", "since" }),
	"email role",
};
static const struct cli_noun user = {
	"user", "/v1/users", "email", "people: their tokens act in the organizations that they are members of",
	COLUMNS({ "EMAIL", "email" }, { "NAME", "name" }, { "ID", "id" }, { "PERSONAL ORG", "personal_org" }, { "CREATED", "created" }),
	"email personal_org",
};
static const struct cli_noun network = {
	"network", "/v1/networks", "name", "isolated private networks of an organization",
	COLUMNS({ "NAME", "name" }, { "ORG", "org" }, { "ID", "id" }, { "PREFIX", "prefix" }),
	"name org prefix",
};
static const struct cli_noun rule = {
	"rule", "/v1/rules", "id", "peering rules: an app of one network that may reach an app of another",
	COLUMNS({ "ID", "id" }, { "STATE", "state" }, { "FROM ORG", "from_org" }, { "NETWORK", "from_network" }, { "APP", "from_app" },
		{ "TO ORG", "to_org" }, { "APP", "to_app" }, { "AS", "as" }, { "PROPOSED BY", "proposed_by" }),
	"id state",
};
static const struct cli_noun app = {
	"app", "/v1/apps", "name", "apps: what gets a name in .internal",
	COLUMNS({ "NAME", "name" }, { "ORG", "org" }, { "NETWORK", "network" }, { "INSTANCES", "instances" }, { "CREATED", "created" }),
	"name org network",
};
static const struct cli_noun ip = {
	"ip", "/v1/ips", "address", "private addresses of apps (flycast): reserved, and nothing answers there yet",
	COLUMNS({ "ADDRESS", "address" }, { "NAME", "name" }, { "APP", "app" }, { "ORG", "org" }, { "NETWORK", "network" }, { "NOTE", "note" }),
	"address",
};
static const struct cli_noun instance = {
	"instance", "/v1/instances", "id", "what runs: machines, VMs or containers of an app",
	COLUMNS({ "ID", "id" }, { "APP", "app" }, { "ORG", "org" }, { "HOST", "host" }, { "REGION", "region" }, { "ADDRESS", "address" },
		{ "WANTED", "desired" }, { "IS", "observed.state" }),
	"id host address",
};
static const struct cli_noun peer = {
	"peer", "/v1/peers", "name", "people and other networks that come in by WireGuard",
	COLUMNS({ "NAME", "name" }, { "ORG", "org" }, { "NETWORK", "network" }, { "REGION", "region" }, { "GATEWAY", "gateway" },
		{ "MOVING TO", "moving_to" }, { "PREFIX", "prefix" }, { "STATE", "state" }, { "EXPIRES", "expires_at" }),
	"name prefix gateway",
};
static const struct cli_noun token = {
	"token", "/v1/tokens", "id", "API tokens",
	COLUMNS({ "ID", "id" }, { "KIND", "kind" }, { "ORG", "org" }, { "PROFILE", "profile" }, { "NAME", "name" }, { "EXPIRES", "expires" },
		{ "LAST USE", "last_use" }, { "REVOKED", "revoked" }),
	"id name",
};
static const struct cli_noun backup = {
	"backup", "/v1/backups", "name", "backups of the controller: store and link key in one file",
	COLUMNS({ "NAME", "name" }, { "V", "v" }, { "MADE", "made" }, { "SIZE", "size" }, { "VERIFIED", "verified" }, { "PROBLEM", "problem" }),
	"name v",
};
static const struct cli_noun context = {
	"context", NULL, "name", "controllers that you use: address, token, and the key of a self-made certificate",
	COLUMNS({ "NAME", "name" }, { "CURRENT", "current" }, { "URL", "url" }, { "TOKEN", "token" }, { "PIN", "pin" }), "",
};
static const struct cli_noun audit = {
	"audit", "/v1/audit", "n", "who changed what, in a chain of hashes",
	COLUMNS({ "N", "n" }, { "TIME", "time" }, { "V", "v" }, { "WHO", "principal" }, { "FROM", "address" }, { "DID", "verb" }, { "WHAT", "noun" },
		{ "NAME", "name" }, { "ID", "id" }, { "ORG", "org" }),
	"n",
};
static const struct cli_noun store = { "store", NULL, NULL, "the controller's database", NULL, "" };
static const struct cli_noun doctor = { "doctor", NULL, NULL, "what is wrong, and what to do next", NULL, "" };
static const struct cli_noun dns = { "dns", NULL, NULL, "names in .internal", NULL, "" };

const struct cli_noun *const cli_nouns[] = { &region, &node, &node_token, &org, &member, &user, &network, &rule, &app, &ip, &instance, &peer, &token, &backup, &store, &audit, &dns, &doctor, &context, NULL };

const struct cli_command cli_commands[] = {
	{ NULL, "init", "", CLI_HERE,
	  FLAGS({ "region", "REGION", false, "also make this region" }, FLAG_O), "first start: make the first operator token, on the controller's machine",
	  "sixpn init --region ord", cli_init },
	{ NULL, "status", "", CLI_READ, FLAGS({ "watch", NULL, false, "go on, and show it anew when something changes, with the last events" }),
	  "how every node is; exit 0 healthy, 1 degraded, 2 down", "sixpn status --watch", cli_status },
	{ NULL, "events", "", CLI_READ, FLAGS({ "follow", NULL, false, "every change from now on, also for customers" },
		{ "org", "ORG", false, "with --follow: of this organization alone" },
		{ "since", "V", false, "with --follow: first what came after this version" }),
	  "what happened lately: changes, nodes that came or went, what they could not apply", "sixpn events --follow --org acme", cli_events },
	{ NULL, "whoami", "", CLI_READ, NULL, "what your token stands for", "sixpn whoami", cli_whoami },
	{ NULL, "login", "[approve] [CODE]", CLI_HERE, FLAGS(FLAG_O),
	  "get a token from somebody who has one elsewhere; approve CODE: be that somebody", "sixpn login approve BCDF-GHJK", cli_login },
	{ NULL, "logout", "", CLI_HERE, NULL, "forget the token of the current context", "sixpn logout", cli_logout },
	{ NULL, "env", "", CLI_HERE,
	  FLAGS({ "flyctl", NULL, false, "what flyctl needs, so that it asks this controller and no other" },
		{ "org", "ORG", false, "with --flyctl: the organization that it takes if none is named" },
		{ "unset", NULL, false, "instead: lines that undo it" }, FLAG_O),
	  "lines for a shell: where the controller is, and the token", "eval \"$(sixpn env --flyctl --org acme)\"", cli_env_command },
	{ NULL, "completion", "[-- WORDS...]", CLI_HERE, FLAGS({ "complete", NULL, false, "candidates for the last of WORDS" }),
	  "completion for bash", "source <(sixpn completion)", cli_completion },
	{ NULL, "version", "", CLI_HERE, NULL, "version of this program", "sixpn version", cli_version },
	{ NULL, "help", "[TOPIC] [TOPIC] [TOPIC]", CLI_HERE, NULL, "help about a noun or a verb", "sixpn help node token create", help_run },

	{ &context, "create", "NAME", CLI_HERE,
	  FLAGS({ "pin", "PIN", false, "key of its self-made certificate: sha256:..., as sixpn init printed it" },
		{ "trust-first-use", NULL, false, "instead: pin the key that it shows now, whoever that is" }),
	  "remember a controller (--url, --token-file) and use it from now on",
	  "sixpn context create prod --url https://192.0.2.10:4283 --pin sha256:... --token-file token", cli_context_create },
	{ &context, "list", "", CLI_HERE, NULL, "list contexts", "sixpn context list", cli_context_list },
	{ &context, "use", "NAME", CLI_HERE, NULL, "make a context the current one", "sixpn context use prod", cli_context_use },
	{ &context, "delete", "NAME", CLI_DESTROY, NULL, "forget a context", "sixpn context delete prod --yes", cli_context_delete },

	{ &region, "create", "NAME", CLI_WRITE,
	  FLAGS({ "city", "TEXT", false, "for people" }, { "latitude", "DEGREES", false, "north; from the built-in list if absent" },
		{ "longitude", "DEGREES", false, "east; from the built-in list if absent" },
		{ "locator", "NUMBER", false, "its 16 bits in addresses, 0xa000 to 0xafff; computed if absent" }),
	  "make a region", "sixpn region create ord", cli_region_create },
	{ &region, "list", "", CLI_READ, NULL, "list regions", "sixpn region list --json", cli_list },
	{ &region, "show", "NAME", CLI_READ, NULL, "show a region", "sixpn region show ord", cli_show },
	{ &region, "update", "NAME", CLI_WRITE,
	  FLAGS({ "city", "TEXT", false, "for people" }, { "latitude", "DEGREES", false, "north" }, { "longitude", "DEGREES", false, "east" }),
	  "change city or place", "sixpn region update ord --city Chicago", cli_region_update },
	{ &region, "delete", "NAME", CLI_DESTROY, NULL, "delete a region without nodes", "sixpn region delete ord --yes", cli_delete },

	{ &node, "join", "TOKEN [-- FLAGS...]", CLI_HERE, NULL, "make this machine a node (TOKEN: the text, or a file that holds it)",
	  "sixpn node join /root/join-token -- --name ord-1", cli_node_join },
	{ &node, "list", "", CLI_READ, FLAGS({ "region", "REGION", false, "only there" }, { "revoked", NULL, false, "deleted ones too" }),
	  "list nodes", "sixpn node list --region ord", cli_list },
	{ &node, "show", "NAME", CLI_READ, NULL, "show a node", "sixpn node show ord-1", cli_show },
	{ &node, "errors", "[NAME]", CLI_READ, NULL, "records that a node could not apply, and why", "sixpn node errors ord-1", cli_node_errors },
	{ &node, "release-held", "NAME", CLI_DESTROY, NULL, "let a node make the deletes that it holds back because nobody explained them",
	  "sixpn node release-held ord-1 --yes", cli_node_release_held },
	{ &node, "update", "NAME", CLI_WRITE, FLAGS({ "max-instances", "NUMBER", false, "it gets no more than so many; 0 = no limit" }),
	  "change how many instances it may have", "sixpn node update ord-1 --max-instances 50", cli_node_update },
	{ &node, "drain", "NAME", CLI_WRITE, NULL, "give it no new work", "sixpn node drain ord-1", cli_node_drain },
	{ &node, "undrain", "NAME", CLI_WRITE, NULL, "give it new work again", "sixpn node undrain ord-1", cli_node_undrain },
	{ &node, "move-peers", "NAME", CLI_WRITE,
	  FLAGS({ "region", "REGION", false, "where they go" }, { "gateway", "NODE", false, "instead: to this gateway" },
		{ "strict", NULL, false, "an error instead of the nearest region that has a gateway" },
		{ "now", NULL, false, "their old tunnels end at once, not when the new ones are used" }),
	  "let all peers of a gateway move to others; their addresses stay", "sixpn node move-peers gw-ord-1 --region ord", cli_node_move_peers },
	{ &node, "delete", "NAME", CLI_DESTROY, FLAGS({ "force", NULL, false, "with the instances that run there" }),
	  "revoke a node for ever", "sixpn node delete ord-1 --yes", cli_delete },
	{ &node_token, "create", "", CLI_WRITE,
	  FLAGS({ "region", "REGION", false, "where the machines are" }, { "uses", "N", false, "how many may join with it (1)" },
		{ "kind", "ROLES", false, "host, gateway or host,gateway (host)" }, { "expires", "TIME", false, "30m, 12h, 7d, never (1d)" },
		{ "name", "NAME", false, "name of the node, if only one may join" }, { "source", "PREFIX", false, "from where it may be used" }, FLAG_O),
	  "make a join token", "sixpn node token create --region ord --uses 4 -o join-token", cli_node_token_create },
	{ &node_token, "list", "", CLI_READ, NULL, "list join tokens", "sixpn node token list", cli_list },
	{ &node_token, "revoke", "NAME", CLI_DESTROY, NULL, "make a join token useless", "sixpn node token revoke 1f2e --yes", cli_delete },

	{ &org, "create", "NAME", CLI_WRITE, NULL, "make an organization and its network default", "sixpn org create acme", cli_org_create },
	{ &org, "list", "", CLI_READ, NULL, "list organizations", "sixpn org list", cli_list },
	{ &org, "show", "NAME", CLI_READ, NULL, "show an organization", "sixpn org show acme --json", cli_show },
	{ &org, "update", "NAME", CLI_WRITE,
	  FLAGS({ "limit", "KIND=N", true, "networks, apps, instances, peers, tokens or writes" },
		{ "strict-region", NULL, false, "peers only where their region has a gateway" },
		{ "no-strict-region", NULL, false, "the nearest gateway will do" }),
	  "change limits", "sixpn org update acme --limit instances=500", cli_org_update },
	{ &org, "suspend", "NAME", CLI_WRITE, NULL, "stop its networks from passing anything", "sixpn org suspend acme", cli_org_suspend },
	{ &org, "resume", "NAME", CLI_WRITE, NULL, "let its networks pass again", "sixpn org resume acme", cli_org_resume },
	{ &org, "delete", "NAME", CLI_DESTROY, NULL, "delete an organization with all that is in it", "sixpn org delete acme --yes", cli_delete },

	{ &member, "create", "NAME", CLI_WRITE, FLAGS(FLAG_ORG, { "role", "ROLE", false, "read, member (default) or admin" }),
	  "make a person a member (NAME: e-mail)", "sixpn org member create ann@example.net --org acme --role admin", cli_member_add },
	{ &member, "list", "", CLI_READ, FLAGS(FLAG_ORG), "list members", "sixpn org member list --org acme", cli_list },
	{ &member, "show", "NAME", CLI_READ, FLAGS(FLAG_ORG), "show a member", "sixpn org member show ann@example.net --org acme", cli_show },
	{ &member, "update", "NAME", CLI_WRITE, FLAGS(FLAG_ORG, { "role", "ROLE", false, "read, member or admin" }), "change a member's role",
	  "sixpn org member update ann@example.net --org acme --role read", cli_member_update },
	{ &member, "delete", "NAME", CLI_DESTROY, FLAGS(FLAG_ORG), "end a membership, at once for all tokens of the person",
	  "sixpn org member delete ann@example.net --org acme --yes", cli_delete },

	{ &user, "create", "NAME", CLI_WRITE,
	  FLAGS({ "name", "TEXT", false, "for people" }, { "personal-org", "ORG", false, "one that is there (default: a new one, named after the e-mail)" }),
	  "add a person (NAME: e-mail) with an organization of its own", "sixpn user create ann@example.net --name Ann", cli_user_create },
	{ &user, "list", "", CLI_READ, NULL, "list people", "sixpn user list", cli_list },
	{ &user, "show", "NAME", CLI_READ, NULL, "show a person", "sixpn user show ann@example.net", cli_show },
	{ &user, "delete", "NAME", CLI_DESTROY, NULL, "delete a person with all its tokens and memberships", "sixpn user delete ann@example.net --yes",
	  cli_delete },

	{ &network, "create", "NAME", CLI_WRITE, FLAGS(FLAG_ORG), "make a network", "sixpn network create --org acme staging", cli_network_create },
	{ &network, "list", "", CLI_READ, FLAGS(FLAG_ORG), "list networks", "sixpn network list --org acme", cli_list },
	{ &network, "show", "NAME", CLI_READ, FLAGS(FLAG_ORG), "show a network", "sixpn network show acme/default", cli_show },
	{ &network, "delete", "NAME", CLI_DESTROY, FLAGS(FLAG_ORG), "delete a network with all that is in it",
	  "sixpn network delete acme/staging --yes", cli_delete },

	{ &rule, "create", "", CLI_WRITE,
	  FLAGS({ "from", "APP", false, "who may open: an app, [ORG/]APP" }, { "from-network", "NETWORK", false, "instead: every app of [ORG/]NETWORK" },
		{ "to", "APP", false, "what it reaches, and what can only answer: [ORG/]APP" },
		{ "as", "NAME", false, "what it is called in the network that opens: NAME.internal (as the app)" }),
	  "let an app reach an app of another network; of another organization: propose it", "sixpn rule create --from acme/web --to globex/db --as db",
	  cli_rule_create },
	{ &rule, "list", "", CLI_READ, FLAGS(FLAG_ORG), "list rules and proposals, one's own and those of others to one", "sixpn rule list --org acme", cli_list },
	{ &rule, "show", "ID", CLI_READ, NULL, "show a rule", "sixpn rule show 3f0c9a11d2e4b586", cli_show },
	{ &rule, "accept", "ID", CLI_WRITE, FLAGS({ "as", "NAME", false, "by the side that opens: the other's name in its network" }),
	  "agree to what another organization proposed", "sixpn rule accept 3f0c9a11d2e4b586", cli_rule_accept },
	{ &rule, "delete", "ID", CLI_DESTROY, NULL, "end a rule, or decline or withdraw a proposal", "sixpn rule delete 3f0c9a11d2e4b586 --yes", cli_delete },

	{ &app, "create", "NAME", CLI_WRITE, FLAGS(FLAG_ORG, { "network", "NETWORK", false, "where it lives, for ever (default)" }), "make an app",
	  "sixpn app create --org acme my-database", cli_app_create },
	{ &app, "list", "", CLI_READ,
	  FLAGS(FLAG_ORG, { "network", "NETWORK", false, "only in this network" }, { "region", "REGION", false, "only with an instance there" },
		{ "state", "STATE", false, "active or deleting" }),
	  "list apps", "sixpn app list --org acme", cli_list },
	{ &app, "show", "NAME", CLI_READ, FLAGS(FLAG_ORG), "show an app", "sixpn app show acme/my-database", cli_show },
	{ &app, "delete", "NAME", CLI_DESTROY, FLAGS(FLAG_ORG), "delete an app with all its instances", "sixpn app delete acme/web --yes",
	  cli_delete },

	{ &ip, "create", "", CLI_WRITE,
	  FLAGS(FLAG_ORG, { "app", "APP", false, "for which app: name or org/name" }, { "network", "NETWORK", false, "in which network (the app's own)" }),
	  "reserve a private address for an app; nothing answers there yet", "sixpn ip create --app acme/web", cli_ip_create },
	{ &ip, "list", "", CLI_READ, FLAGS(FLAG_ORG, { "app", "APP", false, "only of this app" }, { "network", "NETWORK", false, "only in this network" }),
	  "list private addresses", "sixpn ip list --app acme/web", cli_list },
	{ &ip, "show", "NAME", CLI_READ, FLAGS(FLAG_ORG), "show a private address", "sixpn ip show fdaa:18:a7b:0:1::2", cli_show },
	{ &ip, "delete", "NAME", CLI_DESTROY, FLAGS(FLAG_ORG), "release a private address", "sixpn ip delete fdaa:18:a7b:0:1::2 --yes", cli_delete },

	{ &instance, "create", "[-- COMMAND...]", CLI_WRITE,
	  FLAGS(FLAG_ORG, { "app", "APP", false, "its app: name or org/name" }, { "region", "REGION", false, "where; the least loaded host is taken" },
		{ "host", "NODE", false, "instead: this node (operators)" }, { "name", "NAME", false, "for people" }, { "group", "GROUP", false, "process group (app)" },
		{ "env", "NAME=VALUE", true, "environment" }, { "file", "/PATH=LOCALFILE", true, "a file in the instance, with the content of a local one" },
		{ "spec", "FILE", false, "the workload as JSON (schema 1); flags add to it" }, { "metadata", "KEY=VALUE", true, "pairs of text" },
		{ "root", "DIR", false, "file tree on the host" }, { "workdir", "DIR", false, "working directory" },
		{ "user", "UID:GID", false, "who it runs as" }, { "restart", "POLICY", false, "always, on-failure or never" },
		{ "dns-skip", NULL, false, "keep it out of the app's names" }, { "stopped", NULL, false, "do not start it yet" }),
	  "make an instance", "sixpn instance create --org acme --app web --region ord --env PORT=80 -- /usr/bin/web", cli_instance_create },
	{ &instance, "list", "", CLI_READ,
	  FLAGS(FLAG_ORG, { "app", "APP", false, "only of this app" }, { "region", "REGION", false, "only there" },
		{ "host", "NODE", false, "only on this node" }, { "network", "NETWORK", false, "only in this network" },
		{ "state", "STATE", false, "as its host last said: started, stopped, failed ..." }),
	  "list instances", "sixpn instance list --app acme/web", cli_list },
	{ &instance, "show", "NAME", CLI_READ, NULL, "show an instance", "sixpn instance show 4d89", cli_show },
	{ &instance, "update", "NAME", CLI_WRITE,
	  FLAGS({ "dns-skip", "yes|no", false, "keep it out of the app's names" }, { "cordoned", "yes|no", false, "keep it out of services" },
		{ "metadata", "KEY=VALUE", true, "replaces all pairs" }),
	  "change what does not need a restart", "sixpn instance update 4d89 --dns-skip yes", cli_instance_update },
	{ &instance, "start", "NAME", CLI_WRITE, NULL, "start an instance", "sixpn instance start 4d89", cli_instance_start },
	{ &instance, "stop", "NAME", CLI_WRITE, NULL, "out of DNS, then stop", "sixpn instance stop 4d89 --wait=30s", cli_instance_stop },
	{ &instance, "restart", "NAME", CLI_WRITE, NULL, "stop and start", "sixpn instance restart 4d89", cli_instance_restart },
	{ &instance, "delete", "NAME", CLI_DESTROY, FLAGS(FLAG_FORCE), "delete an instance", "sixpn instance delete 4d89 --yes", cli_delete },

	{ &peer, "create", "NAME", CLI_WRITE,
	  FLAGS(FLAG_ORG, { "network", "NETWORK", false, "which network it joins (default)" },
		{ "region", "REGION", false, "where its tunnel ends; near the network's instances if absent" },
		{ "gateway", "NODE", false, "instead: this gateway" }, { "strict", NULL, false, "an error instead of the nearest region that has a gateway" },
		{ "ephemeral", NULL, false, "deleted when it has not been used for a day" }, { "expires", "TIME", false, "30m, 12h, 7d, never (never)" },
		FLAGS_PEER_KEY, FLAGS_PEER_PLACE),
	  "make a peer and its WireGuard file; lost the file? sixpn peer rekey", "sixpn peer create --org acme laptop -o laptop.conf", cli_peer_create },
	{ &peer, "list", "", CLI_READ,
	  FLAGS(FLAG_ORG, { "network", "NETWORK", false, "only in this network" }, { "region", "REGION", false, "only those that end there" },
		{ "gateway", "NODE", false, "only on this gateway" }, { "state", "STATE", false, "online, offline, never or unknown" }),
	  "list peers", "sixpn peer list --org acme", cli_list },
	{ &peer, "show", "NAME", CLI_READ, FLAGS(FLAG_ORG), "show a peer", "sixpn peer show acme/laptop", cli_show },
	{ &peer, "status", "NAME", CLI_READ, FLAGS(FLAG_ORG), "handshake, endpoint and bytes, as its gateway sees them", "sixpn peer status laptop",
	  cli_peer_status },
	{ &peer, "update", "NAME", CLI_WRITE,
	  FLAGS(FLAG_ORG, { "expires", "TIME", false, "from now: 30m, 12h, 7d; or never" }, { "ephemeral", "yes|no", false, "deleted when not used for a day" },
		{ "suspended", "yes|no", false, "its gateway lets nothing through" }),
	  "change what does not need another file", "sixpn peer update laptop --expires 7d", cli_peer_update },
	{ &peer, "rekey", "NAME", CLI_WRITE,
	  FLAGS(FLAG_ORG, FLAGS_PEER_KEY, { "no-preshared", NULL, false, "it has none from now on, though it had one" }, FLAGS_PEER_PLACE),
	  "another key and file; name and address stay, the old file is dead", "sixpn peer rekey laptop -o laptop2.conf", cli_peer_rekey },
	{ &peer, "move", "NAME", CLI_WRITE,
	  FLAGS(FLAG_ORG, { "region", "REGION", false, "where its tunnel is to end" }, { "gateway", "NODE", false, "instead: this gateway" },
		{ "strict", NULL, false, "an error instead of the nearest region that has a gateway" },
		{ "now", NULL, false, "the old tunnel ends at once, not when the new one is used" },
		{ "from", "FILE", false, "its file as it is, for the key" }, FLAGS_PEER_PLACE),
	  "to another gateway; its address stays, Endpoint and PublicKey change", "sixpn peer move laptop --region ord --from laptop.conf -o laptop-ord.conf",
	  cli_peer_move },
	{ &peer, "config", "NAME", CLI_READ, FLAGS(FLAG_ORG, { "from", "FILE", false, "its file, whole or unfinished, for the key" }, FLAGS_PEER_PLACE),
	  "its WireGuard file again, without the private key", "sixpn peer config laptop --from laptop.conf -o new.conf", cli_peer_config },
	{ &peer, "prune", "", CLI_DESTROY,
	  FLAGS(FLAG_ORG, { "network", "NETWORK", false, "only in this network" }, { "never-used", NULL, false, "those that no handshake was ever heard of" },
		{ "older-than", "TIME", false, "and that were made so long ago: 30m, 12h, 7d (1d)" }),
	  "delete peers that nobody uses", "sixpn peer prune --org acme --never-used --yes", cli_peer_prune },
	{ &peer, "delete", "NAME", CLI_DESTROY, FLAGS(FLAG_ORG), "delete a peer; its tunnel ends", "sixpn peer delete laptop --yes", cli_delete },

	{ &token, "create", "", CLI_WRITE,
	  FLAGS(FLAG_ORG, { "kind", "KIND", false, "org (default), user or operator" },
	  { "user", "EMAIL", false, "with --kind user: whose (your own)" }, { "profile", "PROFILE", false, "read, peers, deploy (default) or admin" },
		{ "own-only", NULL, false, "with --profile peers: it changes only the peers that were made with it" },
		{ "name", "NAME", false, "for people" }, { "expires", "TIME", false, "30m, 12h, 7d (never)" }, FLAG_O),
	  "make an API token", "sixpn token create --org acme --profile deploy -o acme.token", cli_token_create },
	{ &token, "list", "", CLI_READ, FLAGS(FLAG_ORG), "list API tokens", "sixpn token list --org acme", cli_list },
	{ &token, "show", "NAME", CLI_READ, NULL, "show an API token", "sixpn token show 1f2e", cli_show },
	{ &token, "revoke", "NAME", CLI_DESTROY, NULL, "make an API token useless", "sixpn token revoke 1f2e --yes", cli_delete },

	{ &backup, "create", "", CLI_WRITE,
	  FLAGS({ "keep", "N", false, "afterwards remove the oldest but N" },
		{ "o", "FILE", false, "also copy it there (new file, 0600); on the controller's machine only" }),
	  "make a backup and verify it", "sixpn backup create --keep 14", cli_backup_create },
	{ &backup, "list", "", CLI_READ, NULL, "list the backups in the controller's folder", "sixpn backup list", cli_list },
	{ &backup, "verify", "FILE", CLI_HERE, NULL, "check every byte of a backup, and the store in it; needs no controller",
	  "sixpn backup verify /mnt/sixpn.backup", cli_backup_verify },
	{ &backup, "restore", "FILE [-- FLAGS...]", CLI_HERE,
	  FLAGS({ "yes", NULL, false, "do not ask" }, { "dry-run", NULL, false, "verify it, change nothing" },
		{ "above-epoch", "N", false, "if nodes obey a later controller: the epoch that its log names" }),
	  "put a backup in the place of the store of a stopped controller (FLAGS: settings of sixpn-controller)",
	  "sixpn backup restore /mnt/sixpn.backup --yes", cli_backup_restore },
	{ &store, "check", "[FILE] [-- FLAGS...]", CLI_HERE, NULL, "is the store on this machine whole, as a backup would have to be",
	  "sixpn store check", cli_store_check },

	{ &audit, "list", "", CLI_READ,
	  FLAGS(FLAG_ORG, { "since", "TIME", false, "only rows since then: 30m, 12h, 7d, or a date such as 2030-01-31T00:00:00Z" }),
	  "who changed what, newest first; --json has what was before and after", "sixpn audit list --org acme --since 24h", cli_list },
	{ &audit, "head", "", CLI_READ, NULL, "number and hash of the newest row, to be kept on another machine", "sixpn audit head", cli_audit_head },
	{ &audit, "verify", "[FILE] [-- FLAGS...]", CLI_READ,
	  FLAGS({ "head", "HEAD", false, "what sixpn audit head printed before: finds a tail that was cut off or written anew, too" }),
	  "is the chain whole: of the controller, or of a store or backup in FILE, which needs none; exit 1 names the first bad row",
	  "sixpn audit verify --head 1042:9f0c... /mnt/sixpn.backup", cli_audit_verify },

	{ &dns, "query", "NAME [TYPE]", CLI_HERE,
	  FLAGS({ "server", "ADDRESS", false, "the name server (fdaa::3)" }, { "port", "N", false, "its port (53)" },
		{ "tcp", NULL, false, "by TCP" }, { "as", "INSTANCE", false, "ask as that instance would (not in this version)" },
		{ "at", "NODE", false, "ask that node (not in this version)" }),
	  "ask a name server", "sixpn dns query my-database.internal AAAA", cli_dns_query },

	{ &doctor, "peer", "[NAME]", CLI_HERE, FLAGS(FLAG_ORG),
	  "the tunnel of a peer, on the machine that has it (NAME: of the peer, or its file); exit 1 if something fails",
	  "sixpn doctor peer ./laptop.conf", cli_doctor_peer },
	{ 0 },
};
