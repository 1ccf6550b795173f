/* api_login - logging in from a program, as flyctl does it (`flyctl auth login`), and as `sixpn login` does: see logins.h. Nobody has a
 * password here: what a person hands over, on the page or by `sixpn login approve`, is a token that he has. */
#include "controller/api/api_nouns.h"
#include "controller/api/login_page.h"
#include "controller/api/shape.h"
#include "lib/base/log.h"
#include "lib/sixpn/name.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (16u << 10)
#define OURS "sx1_"

/* ---- the form of replies ---- */

static const struct shape_field started_fields[] = {
	{ "id", SHAPE_STR, 0, NULL, "for whoever started it alone" },
	{ "auth_url", SHAPE_STR, 0, NULL, "the page for the person" },
	{ "pkce", SHAPE_BOOL, 0, NULL, "it ends with a code that the page shows" },
	{ "code", SHAPE_STR, 0, NULL, "for sixpn login approve" },
	{ 0 },
};
static const struct shape_field token_fields[] = { { "id", SHAPE_STR, SHAPE_MAYBE, NULL, NULL }, { "access_token", SHAPE_STR, 0, NULL, NULL }, { 0 } };
static const struct shape_field session_fields[] = { { "data", SHAPE_ANY, 0, NULL, "{\"attributes\":{\"access_token\"}}" }, { 0 } };
static const struct shape_field approved_fields[] = {
	{ "name", SHAPE_STR, 0, NULL, "what the program calls its machine" },
	{ "completion", SHAPE_STR, SHAPE_NULL, NULL, "the code that the program may ask for" },
	{ "state", SHAPE_STR, SHAPE_NULL, NULL, "for the program's callback" },
	{ "redirect_port", SHAPE_INT, SHAPE_NULL, NULL, "of the program, on the machine on which it runs" },
	{ 0 },
};
static const struct shape_field error_fields[] = { { "error", SHAPE_STR, 0, NULL, "a sentence" }, { "code", SHAPE_STR, 0, NULL, NULL }, { 0 } };
static const struct shape started_shape = { "LoginStarted", false, started_fields }, token_shape = { "LoginToken", false, token_fields },
			  session_shape = { "LoginSession", false, session_fields }, approved_shape = { "LoginApproved", false, approved_fields },
			  refused_shape = { "LoginRefused", false, error_fields };

static json_t *refusal(struct api_call *call, const struct why *why, unsigned *status)
{
	struct why tame = *why;

	(void)call;
	(void)status;
	name_tame(tame.text);
	return json_pack("{s:s,s:s}", "error", tame.text, "code", tame.code);
}

static const struct route_manner manner = { refusal, NULL };

/* ---- what is given ---- */

static int read_body(struct api_call *call, struct why *why)
{
	const struct buf *body = &call->request->body;

	if (body->len > BODY_MAX)
		return why_set(why, "body_too_large", "", "the body has %zu bytes, at most %u are allowed", body->len, BODY_MAX);
	if (!body->len)
		return why_set(why, "json_invalid", "", "the body must be a JSON object");
	json_decref(call->body);
	call->body = json_parse((const char *)body->data, body->len, why);
	if (!call->body) {
		call->body = json_object();
		return E_REFUSED;
	}
	return json_is_object(call->body) ? 0 : why_set(why, "json_invalid", "", "the body must be a JSON object");
}

/* Text of at most max bytes; *ret NULL if it is absent or null. */
static int take(const json_t *body, const char *field, size_t max, const char **ret, struct why *why)
{
	const json_t *j = json_object_get(body, field);

	*ret = NULL;
	if (!j || json_is_null(j))
		return 0;
	if (!json_is_string(j) || json_string_length(j) > max || strlen(json_string_value(j)) != json_string_length(j))
		return why_set(why, "field_invalid", field, "field \"%s\" must be a string of at most %zu bytes", field, max);
	*ret = json_string_value(j);
	return 0;
}

static int take_port(const json_t *body, uint16_t *ret, struct why *why)
{
	const json_t *j = json_object_get(body, "redirect_port");

	*ret = 0;
	if (!j || json_is_null(j))
		return 0;
	if (!json_is_integer(j) || json_integer_value(j) < 1 || json_integer_value(j) > 65535)
		return why_set(why, "field_invalid", "redirect_port", "field \"redirect_port\" must be a number of 1 to 65535");
	*ret = (uint16_t)json_integer_value(j);
	return 0;
}

static int take_login(struct api_call *call, struct login_new *ret, struct why *why)
{
	const char *method = NULL;
	int r = take(call->body, "name", 255, &ret->name, why);

	r = r ? r : take(call->body, "code_challenge", 255, &ret->challenge, why);
	r = r ? r : take(call->body, "code_challenge_method", 255, &method, why);
	r = r ? r : take(call->body, "state", 120, &ret->state, why);
	r = r ? r : take_port(call->body, &ret->redirect_port, why);
	if (r)
		return r;
	if (ret->challenge && (!method || strcmp(method, "S256")))
		return why_set(why, "field_invalid", "code_challenge_method", "field \"code_challenge_method\" must be S256");
	if (ret->state && strspn(ret->state, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != strlen(ret->state))
		return why_set(why, "field_invalid", "state", "field \"state\" must be base64url text");
	ret->source = call->request->source;
	ret->forwarded = call->request->forwarded;
	return 0;
}

/* ---- start, ask, redeem ---- */

static void page_url(const struct api_call *call, const struct login *login, struct buf *ret)
{
	const struct api_access *access = api_get_env(call->api)->access;

	if (call->request->host && !(call->request->forwarded && access)) /* a proxy knows us by another name than people do */
		buf_printf(ret, "%s://%s", call->request->tls ? "https" : "http", call->request->host);
	else
		buf_add_str(ret, access ? access->url : "");
	buf_printf(ret, "/login/%s", login->code);
}

static int start(struct api_call *call, struct why *why)
{
	CLEAN_BUF struct buf url = BUF_INIT(1024);
	struct login_new in = { 0 };
	const struct login *login;
	int r = take_login(call, &in, why);

	if (r == 0)
		r = logins_start(api_logins(call->api), &in, &login, why);
	if (r)
		return r < 0 ? why_set(why, "internal", "", "no memory") : r;
	page_url(call, login, &url);
	call->reply = json_pack("{s:s,s:s,s:b,s:s}", "id", login->id, "auth_url", buf_str(&url), "pkce", login->pkce, "code", login->code);
	return 0;
}

static int give(struct api_call *call, char token[LOGIN_TOKEN_SIZE])
{
	call->reply = json_pack("{s:s,s:s}", "id", call->params[0], "access_token", token);
	crypto_wipe(token, LOGIN_TOKEN_SIZE);
	return 0;
}

static int poll_it(struct api_call *call, struct why *why)
{
	char token[LOGIN_TOKEN_SIZE];

	return logins_poll(api_logins(call->api), call->params[0], token, why) ? E_REFUSED : give(call, token);
}

static int redeem(struct api_call *call, struct why *why)
{
	const char *completion, *verifier;
	char token[LOGIN_TOKEN_SIZE];

	if (take(call->body, "code", 255, &completion, why) || take(call->body, "code_verifier", 255, &verifier, why))
		return E_REFUSED;
	return logins_redeem(api_logins(call->api), call->params[0], completion ? completion : "", verifier ? verifier : "", token, why) ?
		       E_REFUSED :
		       give(call, token);
}

/* ---- the page, and the yes ---- */

static void add_escaped(struct buf *text, const char *value)
{
	for (; *value; value++)
		if (strchr("<>&\"'", *value))
			buf_printf(text, "&#%d;", *value);
		else
			buf_add_u8(text, (uint8_t)*value);
}

static void add_data(struct buf *text, const char *name, const char *value)
{
	buf_printf(text, " data-%s=\"", name);
	add_escaped(text, value);
	buf_add_u8(text, '"');
}

static void source_text(const uint8_t source[16], char *ret, size_t size)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool v4 = !memcmp(source, mapped, sizeof mapped);

	snprintf(ret, size, "?");
	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? source + 12 : source, ret, (socklen_t)size);
	if (!v4) /* only this much of it was kept */
		snprintf(ret + strlen(ret), size - strlen(ret), "/64");
}

static void hash_of(const char *text, char ret[64])
{
	uint8_t hash[32];

	crypto_sha256(text, strlen(text), hash);
	crypto_base64(hash, sizeof hash, ret);
}

static char *make_policy(void)
{
	CLEAN_BUF struct buf text = BUF_INIT(1024);
	char script[64], style[64];

	hash_of(login_page_script, script);
	hash_of(login_page_style, style);
	buf_printf(&text, LOGIN_PAGE_POLICY_FORMAT, script, style);
	return buf_failed(&text) ? NULL : strdup(buf_str(&text));
}

static int page(struct api_call *call, struct why *why)
{
	const struct login *login = logins_find(api_logins(call->api), call->params[0]);
	char name[sizeof login->name], from[80];

	if (!login || login->token[0])
		return why_set(why, "login_not_found", "", "there is no login of that code: it was used, or it is too old");
	snprintf(name, sizeof name, "%s", login->name);
	name_tame(name);
	source_text(login->source, from, sizeof from);
	call->text = BUF_INIT(64u << 10);
	call->text_type = "text/html; charset=utf-8";
	call->text_policy = make_policy();
	if (!call->text_policy) /* never without it */
		return why_set(why, "unavailable", "", "no memory");
	buf_printf(&call->text, "%s%s</style></head><body", login_page_head, login_page_style);
	add_data(&call->text, "name", name);
	add_data(&call->text, "from", from);
	add_data(&call->text, "code", login->code);
	buf_printf(&call->text, ">%s<script>%s%s", login_page_body, login_page_script, login_page_end);
	return 0;
}

static int approve(struct api_call *call, struct why *why)
{
	const struct login *login;
	size_t len = 0;
	const char *token = auth_token_in(call->request->authorization, &len);
	char name[sizeof login->name];

	if (logins_approve(api_logins(call->api), call->params[0], token ? token : "", token ? len : 0,
			   call->request->forwarded ? NULL : call->request->source, &login, why))
		return E_REFUSED;
	snprintf(name, sizeof name, "%s", login->name);
	name_tame(name);
	log_info("auth", "login of \"%s\" approved by %s", name, api_who(call)->text);
	call->reply = json_pack("{s:s,s:s?,s:s?,s:o}", "name", name, "completion", login->pkce ? login->completion : NULL, "state",
				login->pkce && login->state[0] ? login->state : NULL, "redirect_port",
				login->pkce && login->redirect_port ? json_integer(login->redirect_port) : json_null());
	return 0;
}

/* ---- e-mail and password: the password is a token ---- */

static const char *password_of(const struct api_call *call)
{
	return json_string_value(json_object_get(json_object_get(json_object_get(call->body, "data"), "attributes"), "password"));
}

static void known(struct auth_question *question)
{
	struct api_call *call = container_of(question, struct api_call, question);

	switch (question->result) {
	case AUTH_GOOD:
		call->reply = json_pack("{s:{s:{s:s}}}", "data", "attributes", "access_token", password_of(call));
		api_end(call, 0);
		return;
	case AUTH_WRONG:
		api_end(call, why_set(&call->op.why, "unauthorized", "", "that is no token: give one (sx1_...) as the password; the e-mail address does not matter"));
		return;
	case AUTH_TOO_MANY:
		api_end(call, why_set(&call->op.why, "rate_limited", "", "too many wrong tokens from this address"));
		return;
	case AUTH_UNAVAILABLE:
		api_end(call, why_set(&call->op.why, "unavailable", "", "the token could not be looked up"));
		return;
	}
}

static int by_password(struct api_call *call, struct why *why)
{
	const char *password = password_of(call);
	char header[LOGIN_TOKEN_SIZE + 8];

	if (!password || strncmp(password, OURS, strlen(OURS)) || strlen(password) >= LOGIN_TOKEN_SIZE || strpbrk(password, ", \t\r\n"))
		return why_set(why, "unauthorized", "", "give a token (sx1_...) as the password; the e-mail address does not matter");
	snprintf(header, sizeof header, "Bearer %s", password);
	api_ask(call, header, known);
	crypto_wipe(header, sizeof header);
	return 0;
}

const struct route api_login_routes[] = {
	{ "POST", "/api/v1/cli_sessions", ROUTE_OPEN, .drops = true, .success = 201, .manner = &manner, .reply = &started_shape, .error = &refused_shape,
	  .check = read_body, .answer = start,
	  .help = "start a login: name, code_challenge, code_challenge_method (S256), state, redirect_port; other fields do not matter" },
	{ "GET", "/api/v1/cli_sessions/{login}", ROUTE_OPEN, .secret = true, .manner = &manner, .reply = &token_shape, .error = &refused_shape, .answer = poll_it,
	  .help = "the token of a login without PKCE, once somebody has approved it" },
	{ "POST", "/api/v1/cli_sessions/{login}/redeem", ROUTE_OPEN, .drops = true, .secret = true, .manner = &manner, .reply = &token_shape,
	  .error = &refused_shape, .check = read_body, .answer = redeem, .help = "the token of a login, once: code, code_verifier" },
	{ "POST", "/api/v1/sessions", ROUTE_OPEN, .drops = true, .secret = true, .manner = &manner, .reply = &session_shape, .error = &refused_shape,
	  .check = read_body, .start = by_password, .help = "data.attributes.password: a token, which is given back if it is one" },
	{ "GET", "/login/{login}", ROUTE_OPEN, .text_type = "text/html; charset=utf-8", .answer = page, .help = "the page on which a person approves a login" },
	{ "POST", "/v1/logins/{login}", ROUTE_TOKEN, .drops = true, .secret = true, .reply = &approved_shape, .answer = approve,
	  .help = "hand the token of this request over to the program that started the login" },
	{ 0 },
};
