/* doctor_names - names, the clock, and what the gateway says of this peer. */
#include "controller/cli/doctor_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_ALWAYS_THERE "_apps.internal"
#define NAME_OF_AGE "_sync.internal"
#define SLOW_MS 1000
#define CLOCK_OFF_S 60

static void check_transport(struct doctor *d, bool tcp)
{
	CLEAN_BUF struct buf text = BUF_INIT(1u << 17);
	const char *by = tcp ? "TCP" : "UDP";
	unsigned ms = 0;
	int r = d->ops->ask(d->ctx, d->dns, NAME_ALWAYS_THERE, tcp, &ms, &text);

	if (r == -ETIMEDOUT)
		doctor_say(d, DOCTOR_FAIL, tcp ? "dns-tcp" : "dns-udp",
			   tcp ? "does a firewall here drop TCP to port 53?" : "does a firewall here drop UDP to port 53?",
			   "the name server %s does not answer by %s", d->dns, by);
	else if (r < 0)
		doctor_say(d, DOCTOR_FAIL, tcp ? "dns-tcp" : "dns-udp", "if it stays so, tell the operator",
			   "the name server %s answers " NAME_ALWAYS_THERE " with an error by %s", d->dns, by);
	else
		doctor_say(d, ms > SLOW_MS ? DOCTOR_WARN : DOCTOR_OK, tcp ? "dns-tcp" : "dns-udp",
			   ms > SLOW_MS ? "is the network you are in slow? compare with ping" : NULL,
			   "the name server %s answers by %s in %u ms", d->dns, by, ms);
}

static void check_age(struct doctor *d)
{
	CLEAN_BUF struct buf text = BUF_INIT(1u << 16);
	const char *age;
	unsigned ms;

	if (d->ops->ask(d->ctx, d->dns, NAME_OF_AGE, false, &ms, &text) < 0)
		return;
	age = strstr(buf_str(&text), "age_ms=");
	if (strstr(buf_str(&text), "controller=up"))
		doctor_say(d, DOCTOR_OK, "dns-age", NULL, "what it knows is current");
	else
		doctor_say(d, DOCTOR_WARN, "dns-age",
			   "nothing here: the operator's gateway has lost its controller, and goes on with what it knew",
			   "what it knows is %.*s ms old: the controller is away", age ? (int)strspn(age + 7, "0123456789") : 1,
			   age ? age + 7 : "?");
}

void doctor_check_server(struct doctor *d)
{
	size_t n = d->n;

	check_transport(d, false);
	check_transport(d, true);
	if (d->findings[n].level < DOCTOR_WARN)
		check_age(d);
}

/* The first name server of resolv.conf. */
static bool first_server(struct doctor *d, char *ret, size_t size)
{
	CLEAN_BUF struct buf text = BUF_INIT(1u << 16);
	const char *line;

	if (d->ops->read_file(d->ctx, "/etc/resolv.conf", &text) < 0)
		return false;
	for (line = buf_str(&text); line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, "nameserver", 10) && strspn(line + 10, " \t")) {
			line += 10 + strspn(line + 10, " \t");
			snprintf(ret, size, "%.*s", (int)strcspn(line, " \t\r\n%"), line);
			return true;
		}
	}
	return false;
}

static void say_no_split(struct doctor *d, const char *server)
{
	CLEAN_BUF struct buf text = BUF_INIT(1u << 16);
	char next[400];

	if (DOCTOR_RUN(d, &text, "resolvectl", "dns", d->interface) == 0 && strstr(buf_str(&text), d->dns))
		snprintf(next, sizeof next,
			 "systemd-resolved would, but /etc/resolv.conf does not ask it: ln -sf "
			 "/run/systemd/resolve/stub-resolv.conf /etc/resolv.conf");
	else
		snprintf(next, sizeof next,
			 "install systemd-resolved, or make a file with --dns all (and openresolv), or ask directly: dig @%s NAME "
			 "AAAA",
			 d->dns);
	doctor_say(d, DOCTOR_WARN, "resolver", next, "programs here ask %s, which does not know names in .internal", server);
}

void doctor_check_resolver(struct doctor *d)
{
	CLEAN_BUF struct buf text = BUF_INIT(1u << 17);
	char server[64];
	unsigned ms;

	if (!first_server(d, server, sizeof server))
		doctor_say(d, DOCTOR_WARN, "resolver", "a line such as: nameserver 127.0.0.53",
			   "/etc/resolv.conf names no name server");
	else if (d->ops->ask(d->ctx, server, NAME_ALWAYS_THERE, false, &ms, &text) < 0)
		say_no_split(d, server);
	else
		doctor_say(d, DOCTOR_OK, "resolver", NULL, "programs here ask %s, which answers names in .internal%s", server,
			   !strcmp(server, d->dns) ? " and all others through the tunnel" : "");
}

void doctor_check_clock(struct doctor *d)
{
	int64_t ahead = 0;
	int r = d->ops->clock_ahead_s(d->ctx, &ahead);
	unsigned long long off = (unsigned long long)(ahead < 0 ? -ahead : ahead);

	if (r == -ENOTCONN)
		return; /* said with the gateway's side */
	if (r < 0)
		doctor_say(d, DOCTOR_SKIP, "clock", NULL, "the controller does not tell the time: %s", strerror(-r));
	else if (off > CLOCK_OFF_S)
		doctor_say(d, DOCTOR_WARN, "clock",
			   "set it; gateways refuse handshakes that are older than the last one, so one that was ahead has to be "
			   "waited for",
			   "the clock here is %llu s %s the controller's", off, ahead > 0 ? "ahead of" : "behind");
	else
		doctor_say(d, DOCTOR_OK, "clock", NULL, "the clock here and the controller's differ by %llu s", off);
}

/* ---- what the API says ---- */

static void check_current(struct doctor *d, const json_t *peer)
{
	struct peer_file now = { 0 };
	uint8_t public_key[CRYPTO_KEY_LEN];
	char text[CRYPTO_BASE64_KEY_LEN + 1];
	const char *known = json_string_value(json_object_get(peer, "public_key"));
	const char *moving_to = json_string_value(json_object_get(peer, "moving_to"));
	bool other;

	if (!d->parsed || peer_file_from_reply(&now, peer, NULL) != 0)
		return;
	other = memcmp(now.gateway_key, d->file.gateway_key, CRYPTO_KEY_LEN) || strcmp(now.host, d->file.host) ||
		now.port != d->file.port;
	crypto_x25519_public(d->file.private_key, public_key);
	crypto_base64(public_key, sizeof public_key, text);
	if (d->file.has_private && known && strcmp(known, text))
		doctor_say(d, DOCTOR_FAIL, "current", "use the file of the last rekey, or: sixpn peer rekey NAME -o NEW-FILE",
			   "the key of this file is not the peer's any more: somebody gave it another");
	else if (other && moving_to)
		doctor_say(d, DOCTOR_WARN, "current", "sixpn peer config NAME --from THIS-FILE -o NEW-FILE",
			   "the peer is moving to gateway %.64s: this file works until the new one is used", moving_to);
	else if (other)
		doctor_say(d, DOCTOR_FAIL, "current", "sixpn peer config NAME --from THIS-FILE -o NEW-FILE",
			   "this file names another gateway than the peer's: it is %s:%u now", now.host, now.port);
	else
		doctor_say(d, DOCTOR_OK, "current", NULL, "key and gateway of this file are the peer's");
}

static void check_status(struct doctor *d, const json_t *peer, const json_t *status)
{
	const char *state = json_string_value(json_object_get(status, "state")),
		   *gateway = json_string_value(json_object_get(status, "gateway"));

	if (json_is_true(json_object_get(peer, "suspended")))
		doctor_say(d, DOCTOR_FAIL, "suspended", "sixpn peer update NAME --suspended no",
			   "the peer is suspended: its gateway lets nothing through");
	if (json_is_false(json_object_get(status, "gateway_live")))
		doctor_say(d, DOCTOR_WARN, "gateway", "if the tunnel is dead too: sixpn peer move NAME --region REGION",
			   "the controller does not hear gateway %.64s", gateway ? gateway : "?");
	else if (state && !strcmp(state, "unknown"))
		doctor_say(d, DOCTOR_SKIP, "gateway", "ask again in a minute", "gateway %.64s has not said yet what it sees of this peer",
			   gateway ? gateway : "?");
	else if (state && !strcmp(state, "online"))
		doctor_say(d, DOCTOR_OK, "gateway", NULL, "gateway %.64s says that this peer is online", gateway ? gateway : "?");
	else
		doctor_say(d, DOCTOR_WARN, "gateway",
			   "if the tunnel is up here, its packets do not get there: see endpoint and handshake",
			   "gateway %.64s says: %.20s", gateway ? gateway : "?",
			   state && !strcmp(state, "never") ? "never seen" : "offline");
}

/* Without a file this is all that could be seen: then it is no side matter. */
static void say_unseen(struct doctor *d, int r, const char *sentence)
{
	enum doctor_level level = d->path ? DOCTOR_SKIP : DOCTOR_FAIL;

	if (r == -ENOENT)
		doctor_say(d, DOCTOR_FAIL, "current", "deleted, or expired? then: sixpn peer create; or is the token another organization's?",
			   "the controller knows no peer of this name: %s", sentence);
	else if (r == -ENOTCONN)
		doctor_say(d, level, "gateway", "with SIXPN_URL and a token, sixpn doctor peer NAME also asks what the gateway sees",
			   d->ref[0] ? "no controller is known here: the gateway's side cannot be seen"
				     : "no name of the peer is known: the gateway's side cannot be seen");
	else
		doctor_say(d, level, "gateway", "sixpn whoami says more", "the gateway's side cannot be seen: %s", sentence);
}

void doctor_check_gateway(struct doctor *d)
{
	CLEAN_JSON json_t *peer = NULL, *status = NULL;
	struct why why = { 0 };
	int r = d->ref[0] ? d->ops->look_up(d->ctx, d->ref, &peer, &status, &why) : -ENOTCONN;

	if (r < 0) {
		say_unseen(d, r, why.text);
		return;
	}
	check_current(d, peer);
	check_status(d, peer, status);
}
