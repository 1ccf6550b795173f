/* cli_login - `sixpn login`: a token for this machine from a person who has one elsewhere, by a page or by `sixpn login approve`, with PKCE
 * (RFC 7636): who sees the link or the code on the way cannot fetch the token. */
#include "controller/cli/commands.h"

#include "controller/cli/context.h"
#include "controller/cli/output.h"
#include "controller/cli/request.h"
#include "lib/base/crypto.h"

#include <string.h>
#include <unistd.h>

#define TRIES 3
#define PROOF_SIZE 45

/* base64url without padding. */
static void url_text(const uint8_t bytes[32], char ret[PROOF_SIZE])
{
	crypto_base64(bytes, 32, ret);
	for (char *p = ret; *p; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p == '=' ? 0 : *p;
}

static int start(struct cli *cli, char ret_verifier[PROOF_SIZE], struct request_reply *ret_reply)
{
	char host[256] = "", challenge[PROOF_SIZE];
	uint8_t bytes[32];

	crypto_random(bytes, sizeof bytes);
	url_text(bytes, ret_verifier);
	crypto_sha256(ret_verifier, strlen(ret_verifier), bytes);
	url_text(bytes, challenge);
	gethostname(host, sizeof host - 1);
	return request_send(cli, "POST", "/api/v1/cli_sessions",
			    json_pack("{s:s,s:s,s:s,s:s}", "name", host, "target", "auth", "code_challenge", challenge, "code_challenge_method", "S256"),
			    false, ret_reply);
}

static bool ask_code(struct cli *cli, char *ret, size_t size)
{
	fputs("code that it shows: ", cli->err);
	fflush(cli->err);
	if (!fgets(ret, (int)size, cli->in))
		return false;
	ret[strcspn(ret, " \r\n")] = 0;
	return ret[0] != 0;
}

/* The token in *ret_reply. */
static int finish(struct cli *cli, const char *id, const char *verifier, struct request_reply *ret_reply)
{
	CLEAN_BUF struct buf path = BUF_INIT(4096);
	char code[128];
	int r = EXIT_REFUSED;

	buf_add_str(&path, "/api/v1/cli_sessions/");
	request_add_encoded(&path, id);
	buf_add_str(&path, "/redeem");
	for (int i = 0; i < TRIES && r == EXIT_REFUSED; i++) {
		if (!ask_code(cli, code, sizeof code))
			return cli_fail(cli, EXIT_INTERRUPTED, "interrupted", "start it again when somebody can approve it", "no code was given");
		r = request_send(cli, "POST", buf_str(&path), json_pack("{s:s,s:s}", "code", code, "code_verifier", verifier), false, ret_reply);
	}
	return r;
}

static int keep(struct cli *cli, struct secret_place *place, const char *token)
{
	struct context context;
	int r;

	if (!token || strlen(token) >= sizeof context.token)
		return cli_fail(cli, EXIT_UNREACHABLE, "unexpected_reply", NULL, "the controller gave no token");
	if (cli_has(cli, "o"))
		return secret_write(cli, place, token);
	r = context_find(cli, &context);
	if (r)
		return r;
	snprintf(context.token, sizeof context.token, "%s", token);
	if (!context.name[0])
		snprintf(context.name, sizeof context.name, "default");
	r = secret_write_context(cli, place, context.name, &context);
	if (r == 0)
		fprintf(cli->out, "logged in: context \"%s\" saved in %s\n", context.name, place->final_path);
	crypto_wipe(&context, sizeof context);
	return r;
}

static int log_in(struct cli *cli)
{
	struct request_reply started = { 0 }, finished = { 0 };
	char verifier[PROOF_SIZE];
	struct secret_place place;
	int r = cli_has(cli, "o") ? secret_prepare(cli, "a token", &place) : secret_prepare_context(cli, &place);

	if (r)
		return r;
	r = start(cli, verifier, &started);
	if (r == 0) {
		CLEAN_BUF struct buf url = BUF_INIT(4096), code = BUF_INIT(256);

		output_text(started.body, "auth_url", &url);
		output_text(started.body, "code", &code);
		fprintf(cli->err, "open %s\nor, where sixpn is logged in:  sixpn login approve %s\n", buf_str(&url), buf_str(&code));
		r = finish(cli, json_string_value(json_object_get(started.body, "id")) ? json_string_value(json_object_get(started.body, "id")) : "",
			   verifier, &finished);
		request_reply_deinit(&started);
	}
	if (r == 0) {
		r = keep(cli, &place, json_string_value(json_object_get(finished.body, "access_token")));
		request_reply_deinit(&finished);
	}
	secret_abandon(&place);
	crypto_wipe(verifier, sizeof verifier);
	return r;
}

static int approve(struct cli *cli)
{
	CLEAN_BUF struct buf path = BUF_INIT(4096), name = BUF_INIT(1024), completion = BUF_INIT(1024);
	struct request_reply reply;
	int r;

	buf_add_str(&path, "/v1/logins/");
	request_add_encoded(&path, cli->args[1]);
	r = request_send(cli, "POST", buf_str(&path), NULL, false, &reply);
	if (r)
		return r;
	output_text(reply.body, "name", &name);
	output_text(reply.body, "completion", &completion);
	if (cli_has(cli, "json"))
		output_json(cli, reply.body);
	else if (completion.len)
		fprintf(cli->out, "%s\n", buf_str(&completion));
	cli_note(cli, "the program on \"%s\" has your token%s", buf_str(&name), completion.len ? " as soon as it is told this code" : " now");
	request_reply_deinit(&reply);
	return 0;
}

int cli_login(struct cli *cli)
{
	if (cli->n_args == 0)
		return log_in(cli);
	if (cli->n_args == 2 && !strcmp(cli->args[0], "approve"))
		return approve(cli);
	return cli_fail(cli, EXIT_USAGE, "usage", cli->command->examples, "usage: sixpn login, or sixpn login approve CODE");
}

int cli_logout(struct cli *cli)
{
	CLEAN_JSON json_t *doc = NULL;
	const char *current;
	json_t *one;
	int r = context_file_read(cli, &doc);

	if (r)
		return r;
	current = json_string_value(json_object_get(doc, "current"));
	one = json_object_get(json_object_get(doc, "contexts"), current ? current : "");
	if (!json_object_get(one, "token"))
		return cli_fail(cli, EXIT_NOT_FOUND, "token_not_found", NULL, "the current context has no token");
	json_object_del(one, "token");
	r = context_file_write(cli, doc);
	if (r == 0)
		fprintf(cli->out, "context %s  logged out\n", current);
	if (r == 0)
		cli_note(cli, "the token itself still counts: sixpn token revoke");
	return r;
}
