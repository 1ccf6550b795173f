/* cli_peer - WireGuard peers. The private key is made here and goes into the file and nowhere else; the controller gets the public one. */
#include "controller/cli/commands.h"

#include "controller/cli/interrupt.h"
#include "controller/cli/output.h"
#include "controller/cli/peer_place.h"
#include "controller/cli/request.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/sixpn/name.h"

#include <stdlib.h>
#include <string.h>

static uint64_t now_ms(void)
{
	struct clock clock = clock_real();

	return clock_mono_ms(&clock);
}

/* ---- keys ---- */

/* A key pair, or the public key that was given; the public one into the body. */
static int make_keys(struct cli *cli, struct peer_file *file, json_t *body, char ret_public[CRYPTO_BASE64_KEY_LEN + 1])
{
	const char *given = cli_value(cli, "public-key");
	uint8_t public_key[CRYPTO_KEY_LEN];
	char preshared[CRYPTO_BASE64_KEY_LEN + 1];

	crypto_init();
	if (given && crypto_unbase64(given, strlen(given), public_key, sizeof public_key) < 0)
		return cli_fail(cli, EXIT_USAGE, "key_invalid",
				"it is what wg pubkey prints: 44 characters that end in =", "--public-key is no WireGuard key");
	if (!given) {
		crypto_x25519_keypair(file->private_key, public_key);
		file->has_private = true;
	}
	crypto_base64(public_key, sizeof public_key, ret_public);
	json_object_set_new(body, "public_key", json_string(ret_public));
	if (cli_has(cli, "no-preshared"))
		json_object_set_new(body, "preshared_key", json_null());
	if (!cli_has(cli, "preshared"))
		return 0;
	crypto_random(file->preshared, sizeof file->preshared);
	file->has_preshared = true;
	crypto_base64(file->preshared, sizeof file->preshared, preshared);
	json_object_set_new(body, "preshared_key", json_string(preshared));
	crypto_wipe(preshared, sizeof preshared);
	return 0;
}

/* Keys of a file that this machine has already. */
static int read_keys(struct cli *cli, const char *path, struct peer_file *ret)
{
	CLEAN_BUF struct buf text = BUF_INIT(PEER_FILE_READ_MAX + 1);
	struct peer_file file;
	struct why why;
	int r = file_read(path, PEER_FILE_READ_MAX, &text);

	if (r < 0)
		return cli_fail(cli, EXIT_USAGE, "file_unreadable", NULL, "cannot read %s: %s", path, strerror(-r));
	r = peer_file_parse(buf_str(&text), text.len, &file, &why);
	crypto_wipe(text.data, text.cap);
	if (r)
		return cli_fail(cli, EXIT_USAGE, why.code, NULL, "%s: %s", path, why.text);
	memcpy(ret->private_key, file.private_key, sizeof file.private_key);
	memcpy(ret->preshared, file.preshared, sizeof file.preshared);
	ret->has_private = file.has_private;
	ret->has_preshared = file.has_preshared;
	ret->has_form = file.has_form;
	ret->form = file.form;
	ret->dns_choice = file.dns_choice;
	peer_file_wipe(&file);
	if (!ret->has_private)
		return cli_fail(cli, EXIT_USAGE, "key_missing", NULL, "%s holds no private key", path);
	return 0;
}

static bool is_key_of(const json_t *peer, const char *public_key)
{
	const char *text = json_string_value(json_object_get(peer, "public_key"));

	return text && !strcmp(text, public_key);
}

static int check_same_key(struct cli *cli, const struct peer_file *file, const json_t *peer)
{
	uint8_t public_key[CRYPTO_KEY_LEN];
	char text[CRYPTO_BASE64_KEY_LEN + 1];

	crypto_init();
	crypto_x25519_public(file->private_key, public_key);
	crypto_base64(public_key, sizeof public_key, text);
	if (is_key_of(peer, text))
		return 0;
	return cli_fail(cli, EXIT_REFUSED, "key_differs",
			"is it the file of another peer, or did somebody rekey this one? sixpn peer rekey gives it a new key",
			"the key in %s is not the one that the controller knows for this peer", cli_value(cli, "from"));
}

/* ---- a request of which the file is made ---- */

struct job {
	const char *method, *done_word;
	struct buf path, look; /* where it is sent; where the peer can be looked at */
	json_t *body;
	char public_key[CRYPTO_BASE64_KEY_LEN + 1]; /* that the peer has if it was done; "" = cannot be told by this */
	struct peer_place place;
};

static void job_deinit(struct job *job)
{
	json_decref(job->body);
	buf_deinit(&job->path);
	buf_deinit(&job->look);
	peer_file_wipe(&job->place.file);
}

/* What to do with a peer that is there and has no finished file. */
static void tell_kept(struct cli *cli, const struct job *job, const char *when)
{
	const char *path = job->place.secret.path, *name = job->place.file.name;

	if (job->place.secret.fd >= 0)
		fprintf(cli->err, "  %s  sixpn peer config %s --from %s -o NEW-FILE     (%s keeps the key, and is not finished)\n", when,
			name, path, path);
	else if (job->place.holds_key)
		fprintf(cli->err, "  %s  sixpn peer rekey %s     (the key was only here, and is gone)\n", when, name);
}

static void tell_unknown(struct cli *cli, const struct job *job)
{
	fprintf(cli->err, "  it is not known whether the controller has done it\n  look:        sixpn peer show %s\n",
		job->place.file.name);
	tell_kept(cli, job, "if it has:  ");
	if (job->place.secret.fd >= 0)
		fprintf(cli->err, "  if not:      remove %s, and ask again\n", job->place.secret.path);
}

/* The answer is lost: the peer itself says whether it was done. 0 and the peer as the reply, else the status of the first failure. */
static int look_again(struct cli *cli, struct job *job, int failed, struct request_reply *ret_reply)
{
	struct request_reply reply;

	if (job->public_key[0] && request_send(cli, "GET", buf_str(&job->look), NULL, true, &reply) == 0) {
		if (is_key_of(reply.body, job->public_key)) {
			cli_note(cli, "the answer was lost, but it was done");
			*ret_reply = reply;
			return 0;
		}
		request_reply_deinit(&reply);
	}
	tell_unknown(cli, job);
	peer_place_keep(&job->place);
	return failed;
}

static int send_job(struct cli *cli, struct job *job, struct request_reply *ret_reply)
{
	int r = cli_write_send(cli, job->method, buf_str(&job->path), TAKE(job->body), ret_reply);

	if (r && cli->unanswered)
		return look_again(cli, job, r, ret_reply);
	if (r)
		peer_place_abandon(&job->place);
	return r;
}

/* The controller may have put the peer elsewhere while it was waited for, if the gateway fell silent. */
static int take_newer(struct cli *cli, struct job *job)
{
	struct request_reply reply;
	int r = request_send(cli, "GET", buf_str(&job->look), NULL, true, &reply);

	if (r == EXIT_NOT_FOUND)
		return cli_fail(cli, r, "peer_not_found", "the gateway may have fallen silent, and no other was there: ask again",
				"the peer is gone again");
	if (r)
		return r;
	r = peer_place_take(cli, &job->place, reply.body);
	request_reply_deinit(&reply);
	return r;
}

static int wait_for(struct cli *cli, struct job *job, struct request_reply *reply, uint64_t sent_ms)
{
	bool waits = json_is_false(json_object_get(reply->body, "applied"));
	FILE *out = cli->out;
	int r, taken = 0;

	if (waits)
		cli_note(cli, "  waiting for gateway %s ...", job->place.file.gateway);
	if (job->place.to_out)
		cli->out = cli->err; /* the file is the data */
	r = cli_write_told(cli, reply, sent_ms, job->done_word);
	cli->out = out;
	if (waits && !interrupt_came())
		taken = take_newer(cli, job);
	return taken ? taken : r;
}

/* A long name has a short label in DNS: people have to hear it. */
static void tell_label(struct cli *cli, const json_t *peer)
{
	const char *name = json_string_value(json_object_get(peer, "name")),
		   *label = json_string_value(json_object_get(peer, "label"));
	CLEAN_BUF struct buf text = BUF_INIT(256);

	output_text(peer, "label", &text);
	if (name && label && strcmp(name, label))
		cli_note(cli, "in names it is called %s._peer.internal", buf_str(&text));
}

/* What was asked is not stopped by ^C, only the waiting for it: what is written so far is good, and the key is in it. */
static int tell_interrupted(struct cli *cli)
{
	char name[PEER_FILE_NAME_SIZE];

	snprintf(name, sizeof name, "%s", cli->args[0]); /* the place has been wiped */
	name_tame(name);
	fprintf(cli->err, "interrupted: the peer is there, and its gateway lets it in once it knows of it\n"
			  "  look:  sixpn peer status %s        not wanted:  sixpn peer delete %s\n  code: interrupted\n", name, name);
	return EXIT_INTERRUPTED;
}

/* The whole way: file, request, file, wait. The place is chosen, the keys are there. */
static int run_heard(struct cli *cli, struct job *job)
{
	struct request_reply reply;
	uint64_t sent_ms = now_ms();
	int r = peer_place_prepare(cli, &job->place), told;

	if (r == 0)
		r = send_job(cli, job, &reply);
	if (r)
		return r;
	cli->stop = interrupt_flag(); /* not while it was sent: then nobody could say whether it was done */
	if (cli_has(cli, "dry-run")) {
		r = cli_write_told(cli, &reply, sent_ms, job->done_word);
	} else {
		r = peer_place_take(cli, &job->place, reply.body);
		if (r)
			tell_kept(cli, job, "later:");
		tell_label(cli, reply.body);
		told = wait_for(cli, job, &reply, sent_ms);
		r = r ? r : told;
		told = peer_place_finish(cli, &job->place);
		r = r && !interrupt_came() ? r : told;
		if (interrupt_came() && !told)
			r = tell_interrupted(cli);
	}
	cli->stop = NULL;
	request_reply_deinit(&reply);
	return r;
}

static int run_job(struct cli *cli, struct job *job)
{
	struct interrupt interrupt;
	int r;

	interrupt_begin(&interrupt);
	r = run_heard(cli, job);
	interrupt_end(&interrupt);
	return r;
}

static struct job job_new(const char *method, const char *done_word)
{
	return (struct job){
		.method = method, .done_word = done_word, .path = BUF_INIT(8192), .look = BUF_INIT(8192), .body = json_object()
	};
}

/* ---- create, rekey ---- */

/* NAME, or ORG/NAME, of what does not exist yet. */
static void name_it(struct cli *cli, struct job *job)
{
	const char *arg = cli->args[0], *slash = strchr(arg, '/'), *name = slash && !cli_has(cli, "org") ? slash + 1 : arg;
	CLEAN_BUF struct buf org = BUF_INIT(4096);

	buf_add_str(&org, cli_has(cli, "org") ? cli_value(cli, "org") : "");
	if (name != arg)
		buf_add(&org, arg, (size_t)(slash - arg));
	if (org.len)
		json_object_set_new(job->body, "org", json_string(buf_str(&org)));
	json_object_set_new(job->body, "name", json_string(name));
	snprintf(job->place.file.name, sizeof job->place.file.name, "%s", arg);
	name_tame(job->place.file.name);
	buf_add_str(&job->path, "/v1/peers");
	buf_add_str(&job->look, "/v1/peers/");
	request_add_encoded(&job->look, name);
	request_add_query(&job->look, "org", org.len ? buf_str(&org) : NULL);
}

int cli_peer_create(struct cli *cli)
{
	struct job job = job_new("POST", "created");
	int r = peer_place_choose(cli, &job.place);

	if (r == 0) {
		name_it(cli, &job);
		cli_body_strings(cli, job.body, (const char *const[]){ "network", "region", "gateway", NULL });
		if (cli_has(cli, "strict"))
			json_object_set_new(job.body, "strict", json_true());
		if (cli_has(cli, "ephemeral"))
			json_object_set_new(job.body, "ephemeral", json_true());
		r = cli_peer_add_time(cli, job.body, "expires", "expires_in_s");
	}
	if (r == 0)
		r = make_keys(cli, &job.place.file, job.body, job.public_key);
	if (r == 0)
		r = run_job(cli, &job);
	job_deinit(&job);
	return r;
}

/* A path to a part of what exists: the name is resolved, and what --org says stays behind it. */
static int resolve_for(struct cli *cli, struct job *job, const char *action)
{
	CLEAN_BUF struct buf path = BUF_INIT(8192);
	int r = cli_resolve(cli, cli->command->noun, cli->args[0], &path);
	const char *query;

	if (r)
		return r;
	query = strchr(buf_str(&path), '?');
	query = query ? query : "";
	buf_add_str(&job->look, buf_str(&path));
	buf_printf(&job->path, "%.*s%s%s", (int)(path.len - strlen(query)), buf_str(&path), action, query);
	snprintf(job->place.file.name, sizeof job->place.file.name, "%s", cli->args[0]);
	name_tame(job->place.file.name);
	return 0;
}

int cli_peer_rekey(struct cli *cli)
{
	struct job job = job_new("POST", "has a new key; the old one is dead");
	int r = peer_place_choose(cli, &job.place);

	if (r == 0 && cli_has(cli, "preshared") && cli_has(cli, "no-preshared"))
		r = cli_fail(cli, EXIT_USAGE, "usage", NULL, "--preshared and --no-preshared: one or the other");
	if (r == 0)
		r = resolve_for(cli, &job, "/rekey");
	if (r == 0)
		r = make_keys(cli, &job.place.file, job.body, job.public_key);
	if (r == 0)
		r = run_job(cli, &job);
	job_deinit(&job);
	return r;
}

/* ---- config, move ---- */

/* The keys of --from, if they are the peer's. */
static int take_from(struct cli *cli, struct job *job)
{
	struct request_reply reply;
	int r;

	if (!cli_has(cli, "from"))
		return 0;
	r = read_keys(cli, cli_value(cli, "from"), &job->place.file);
	if (r == 0)
		r = peer_place_follow(cli, &job->place);
	if (r == 0)
		r = request_send(cli, "GET", buf_str(&job->look), NULL, false, &reply);
	if (r)
		return r;
	r = check_same_key(cli, &job->place.file, reply.body);
	request_reply_deinit(&reply);
	return r;
}

int cli_peer_config(struct cli *cli)
{
	struct job job = job_new("GET", "");
	struct request_reply reply;
	int r = peer_place_choose(cli, &job.place);

	if (r == 0)
		r = resolve_for(cli, &job, "");
	if (r == 0)
		r = take_from(cli, &job);
	if (r == 0)
		r = peer_place_prepare(cli, &job.place);
	if (r == 0)
		r = request_send(cli, "GET", buf_str(&job.look), NULL, false, &reply);
	if (r == 0) {
		r = peer_place_take(cli, &job.place, reply.body);
		request_reply_deinit(&reply);
		if (r == 0 && !job.place.file.has_private)
			cli_note(cli,
				 "the private key is only where the peer was made: put it in the place of " PEER_FILE_NO_KEY
				 ", or use --from OLD-FILE; lost it? sixpn peer rekey %s",
				 cli->args[0]);
		if (r == 0)
			r = peer_place_finish(cli, &job.place);
	}
	peer_place_abandon(&job.place);
	job_deinit(&job);
	return r;
}

/* Without --from nothing is written here: people change two lines. */
static int move_and_tell(struct cli *cli, struct job *job)
{
	struct request_reply reply;
	uint64_t sent_ms = now_ms();
	int r = cli_write_send(cli, job->method, buf_str(&job->path), TAKE(job->body), &reply);

	if (r)
		return r;
	r = cli_write_told(cli, &reply, sent_ms, job->done_word);
	if (!cli_has(cli, "dry-run") && json_is_string(json_object_get(reply.body, "endpoint"))) {
		CLEAN_BUF struct buf key = BUF_INIT(256), endpoint = BUF_INIT(512);

		output_text(reply.body, "gateway_public_key", &key);
		output_text(reply.body, "endpoint", &endpoint);
		cli_note(cli,
			 "its address stays%s.\n"
			 "In the file of the peer change two lines, or make it anew with --from FILE -o NEW-FILE:\n"
			 "  PublicKey = %s\n  Endpoint = %s",
			 cli_has(cli, "now") ? "" : ", and the old tunnel works until the new one is used", buf_str(&key),
			 buf_str(&endpoint));
	}
	request_reply_deinit(&reply);
	return r;
}

int cli_peer_move(struct cli *cli)
{
	struct job job = job_new("POST", "moved");
	bool file = cli_has(cli, "from");
	int r;

	r = cli_peer_add_target(cli, job.body);
	if (r == 0 && !file && (cli_has(cli, "o") || cli_has(cli, "qr")))
		r = cli_fail(cli, EXIT_USAGE, "usage", NULL, "-o and --qr want the key from --from FILE");
	else if (r == 0 && file)
		r = peer_place_choose(cli, &job.place);
	if (r == 0)
		r = resolve_for(cli, &job, "/move");
	if (r == 0)
		r = take_from(cli, &job);
	if (r == 0)
		r = file ? run_job(cli, &job) : move_and_tell(cli, &job);
	job_deinit(&job);
	return r;
}

/* ---- update, prune ---- */

int cli_peer_update(struct cli *cli)
{
	static const char *const bools[] = { "ephemeral", "suspended" };
	struct job job = job_new("PATCH", "changed");
	int r = cli_peer_add_time(cli, job.body, "expires", "expires_in_s");

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(bools); i++) {
		const char *value = cli_value(cli, bools[i]);

		if (value && strcmp(value, "yes") && strcmp(value, "no"))
			r = cli_fail(cli, EXIT_USAGE, "flag_value", NULL, "--%s is \"%.20s\": it can be yes or no", bools[i],
				     value);
		else if (value)
			json_object_set_new(job.body, bools[i], json_boolean(!strcmp(value, "yes")));
	}
	if (r == 0)
		r = resolve_for(cli, &job, "");
	if (r == 0)
		r = cli_write(cli, job.method, buf_str(&job.path), TAKE(job.body), job.done_word);
	job_deinit(&job);
	return r;
}
