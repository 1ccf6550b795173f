/* https over real sockets on loopback, with GnuTLS as the client, pumped together with the server's loop in one thread. */
#include "tests/unit/controller/client.h"

#include "controller/http/http.h"
#include "controller/http/http_tls.h"
#include "lib/base/crypto.h"
#include "lib/base/file.h"

#include <gnutls/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>

#define DAY_MS (24ull * 3600 * 1000)
#define PATIENCE_MS 30000

struct fixture {
	struct loop *loop;
	struct clock clock;
	struct http_tls *tls;
	struct http_tls_config config;
	struct http_server *server;
	struct http_request *parked;
	bool park;
	uint16_t port;
	char dir[64], cert[96], key[96], cert2[96], key2[96];
};

static const char *const names[] = { "127.0.0.1", "[::1]", "sixpn.example", "0.0.0.0", "*", "bad name" };

static void handle(void *ctx, struct http_request *request)
{
	struct fixture *f = ctx;

	if (f->park)
		f->parked = request;
	else
		http_reply_json(request, 200, 7, json_pack("{s:i}", "body", (int)request->body.len));
}

static void make(struct fixture *f, const char *cert, const char *key)
{
	struct why why;
	bool made;

	assert_int_equal(certificate_make(cert, key, names, ARRAY_LEN(names), &f->clock, &made, &why), 0);
	assert_true(made);
}

static void serve(struct fixture *f)
{
	static const char *const listen[] = { "127.0.0.1:0" };
	struct http_config config = { .tls_listen = listen, .n_tls_listen = 1, .header_ms = 1500 };
	struct why why = { 0 };

	if (http_tls_new(f->loop, &f->clock, &f->config, &f->tls, &why))
		fail_msg("%s", why.text);
	config.tls = f->tls;
	assert_int_equal(http_server_new(f->loop, &f->clock, &config, handle, f, &f->server, &why), 0);
	f->port = http_server_port(f->server, 0);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->clock = clock_real();
	snprintf(f->dir, sizeof f->dir, "/tmp/sixpn-tls-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->cert, sizeof f->cert, "%s/cert", f->dir);
	snprintf(f->key, sizeof f->key, "%s/key", f->dir);
	snprintf(f->cert2, sizeof f->cert2, "%s/cert2", f->dir);
	snprintf(f->key2, sizeof f->key2, "%s/key2", f->dir);
	f->config = (struct http_tls_config){ .cert_path = f->cert, .key_path = f->key };
	assert_int_equal(loop_new(&f->loop), 0);
	make(f, f->cert, f->key);
	make(f, f->cert2, f->key2);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[100];

	http_server_free(f->server);
	http_tls_free(f->tls);
	loop_free(f->loop);
	snprintf(command, sizeof command, "rm -r %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* ---- a client ---- */

struct visitor {
	struct fixture *f;
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	int fd;
	char pin[CERTIFICATE_PIN_SIZE];
	gnutls_x509_crt_t crt;
};

static void take_peer(struct visitor *v)
{
	unsigned n;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(v->session, &n);
	uint8_t hash[32];
	size_t size = sizeof hash;

	assert_true(chain && n >= 1);
	gnutls_x509_crt_init(&v->crt);
	assert_int_equal(gnutls_x509_crt_import(v->crt, &chain[0], GNUTLS_X509_FMT_DER), 0);
	gnutls_x509_crt_get_key_id(v->crt, GNUTLS_KEYID_USE_SHA256, hash, &size);
	strcpy(v->pin, "sha256:");
	crypto_hex(hash, sizeof hash, v->pin + 7);
}

/* 0, or the error of the handshake. */
static int visit_with(struct visitor *v, struct fixture *f, const char *priorities)
{
	uint64_t end = loop_now_ms(f->loop) + PATIENCE_MS;
	int r = GNUTLS_E_AGAIN;

	*v = (struct visitor){ .f = f, .fd = client_connect(f->port) };
	fcntl(v->fd, F_SETFL, O_NONBLOCK);
	gnutls_init(&v->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
	gnutls_certificate_allocate_credentials(&v->credentials);
	gnutls_credentials_set(v->session, GNUTLS_CRD_CERTIFICATE, v->credentials);
	assert_int_equal(gnutls_priority_set_direct(v->session, priorities, NULL), 0);
	gnutls_transport_set_int(v->session, v->fd);
	while (loop_now_ms(f->loop) < end && (r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED)) {
		loop_round(f->loop, 5);
		r = gnutls_handshake(v->session);
	}
	if (r == 0)
		take_peer(v);
	return r;
}

static void visit(struct visitor *v, struct fixture *f)
{
	assert_int_equal(visit_with(v, f, "NORMAL"), 0);
}

static void say(struct visitor *v, const char *body)
{
	char text[512];

	snprintf(text, sizeof text, "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
	assert_int_equal(gnutls_record_send(v->session, text, strlen(text)), (ssize_t)strlen(text));
}

/* The status of the next reply; 0 = closed, -1 = none in time. */
static int hear(struct visitor *v)
{
	CLEAN_BUF struct buf in = BUF_INIT(1u << 20);
	uint64_t end = loop_now_ms(v->f->loop) + PATIENCE_MS;
	size_t head, len;
	char chunk[4096];

	while (loop_now_ms(v->f->loop) < end) {
		ssize_t n;

		loop_round(v->f->loop, 5);
		n = gnutls_record_recv(v->session, chunk, sizeof chunk);
		if (n > 0)
			buf_add(&in, chunk, (size_t)n);
		else if (n != GNUTLS_E_AGAIN && n != GNUTLS_E_INTERRUPTED)
			return 0;
		if (client_whole(&in, &head, &len))
			return atoi(buf_str(&in) + 9);
	}
	return -1;
}

static void leave(struct visitor *v)
{
	if (v->crt)
		gnutls_x509_crt_deinit(v->crt);
	gnutls_deinit(v->session);
	gnutls_certificate_free_credentials(v->credentials);
	close(v->fd);
}

static void move(const char *from, const char *to)
{
	assert_int_equal(rename(from, to), 0);
}

/* ---- the certificate ---- */

static void a_self_made_certificate_has_the_names_and_no_power_over_others(void **state)
{
	struct fixture *f = *state;
	struct visitor v;
	unsigned ca, path;
	struct stat st;

	serve(f);
	visit(&v, f);
	assert_true(gnutls_x509_crt_check_hostname(v.crt, "sixpn.example"));
	assert_true(gnutls_x509_crt_check_ip(v.crt, (uint8_t[]){ 127, 0, 0, 1 }, 4, 0));
	assert_true(gnutls_x509_crt_check_ip(v.crt, (uint8_t[16]){ [15] = 1 }, 16, 0));
	assert_false(gnutls_x509_crt_check_hostname(v.crt, "elsewhere.example"));
	assert_false(gnutls_x509_crt_check_ip(v.crt, (uint8_t[]){ 0, 0, 0, 0 }, 4, 0));
	assert_int_equal(gnutls_x509_crt_get_basic_constraints(v.crt, NULL, &ca, (int *)&path), 0);
	assert_int_equal(ca, 0);
	assert_int_equal(stat(f->key, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_string_equal(v.pin, certificate_pin(http_tls_current(f->tls)));
	leave(&v);
}

static void a_self_made_certificate_is_renewed_before_it_ends_and_the_pin_stays(void **state)
{
	struct fixture *f = *state;
	struct certificate *before, *after;
	char other[1] = "", pin[CERTIFICATE_PIN_SIZE];
	const char *more[] = { names[0], "new.example" };
	struct why why;
	bool made;

	(void)other;
	assert_int_equal(certificate_load(f->cert, f->key, &before, &why), 0);
	strcpy(pin, certificate_pin(before));
	assert_true(certificate_not_after_ms(before) > clock_real_ms(&f->clock) + 390 * DAY_MS);
	assert_int_equal(certificate_make(f->cert, f->key, names, ARRAY_LEN(names), &f->clock, &made, &why), 0);
	assert_false(made);
	assert_int_equal(certificate_make(f->cert, f->key, more, 2, &f->clock, &made, &why), 0); /* a name that it has not */
	assert_true(made);
	assert_int_equal(certificate_load(f->cert, f->key, &after, &why), 0);
	assert_string_equal(certificate_pin(after), pin);
	certificate_unref(after);
	certificate_unref(before);
	assert_int_equal(file_replace(f->cert, "garbage", 7, 0644), 0);
	assert_int_equal(certificate_make(f->cert, f->key, names, 1, &f->clock, &made, &why), 0);
	assert_true(made);
	assert_int_equal(file_replace(f->key, "garbage", 7, 0600), 0); /* clients have pinned it: it is not replaced */
	assert_int_equal(certificate_make(f->cert, f->key, names, 1, &f->clock, &made, &why), E_REFUSED);
	assert_non_null(strstr(why.text, "pinned"));
}

static uint64_t late_real_ms(void *ctx)
{
	(void)ctx;
	return clock_real_ops.real_ms(NULL) + 340 * DAY_MS;
}

static void one_that_will_end_soon_is_made_anew(void **state)
{
	struct fixture *f = *state;
	struct clock_ops ops = clock_real_ops;
	struct clock late = { .ops = &ops };
	struct why why;
	bool made;

	ops.real_ms = late_real_ms;
	assert_int_equal(certificate_make(f->cert, f->key, names, ARRAY_LEN(names), &late, &made, &why), 0);
	assert_true(made);
}

static void a_key_that_others_can_read_is_refused(void **state)
{
	static const mode_t bad[] = { 0604, 0644, 0640, 0660, 0602 };
	struct fixture *f = *state;
	struct certificate *c;
	struct why why;

	if (geteuid() == 0)
		assert_int_equal(chown(f->key, 1, 1), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(chmod(f->key, bad[i]), 0);
		if (certificate_load(f->cert, f->key, &c, &why) != E_REFUSED || strcmp(why.code, "key_too_open"))
			fail_msg("mode %o was taken", bad[i]);
	}
	if (geteuid() == 0) { /* as Debian keeps those of root for the group ssl-cert */
		assert_int_equal(chown(f->key, 0, 1), 0);
		assert_int_equal(chmod(f->key, 0640), 0);
		assert_int_equal(certificate_load(f->cert, f->key, &c, &why), 0);
		certificate_unref(c);
	}
}

static void what_does_not_belong_together_is_refused(void **state)
{
	struct fixture *f = *state;
	struct certificate *c;
	struct why why;

	assert_int_equal(certificate_load(f->cert, f->key2, &c, &why), E_REFUSED);
	assert_non_null(strstr(why.text, f->key2));
	assert_int_equal(certificate_load(f->key, f->key, &c, &why), E_REFUSED);
	assert_int_equal(certificate_load("/nonexistent", f->key, &c, &why), E_REFUSED);
	assert_non_null(strstr(why.text, "/nonexistent"));
	assert_int_equal(certificate_load(f->cert, f->dir, &c, &why), E_REFUSED);
}

/* It hangs, if that is not so. */
static void what_is_no_file_is_refused_and_not_waited_for(void **state)
{
	struct fixture *f = *state;
	struct clock clock = clock_real();
	struct certificate *c;
	struct why why;
	bool made;

	assert_int_equal(unlink(f->key2), 0);
	assert_int_equal(mkfifo(f->key2, 0600), 0);
	assert_int_equal(certificate_load(f->cert, f->key2, &c, &why), E_REFUSED);
	assert_int_equal(certificate_load(f->key2, f->key, &c, &why), E_REFUSED);
	assert_int_not_equal(certificate_make(f->cert, f->key2, NULL, 0, &clock, &made, &why), 0);
}

/* ---- connections ---- */

static void a_new_connection_gets_the_new_certificate_while_an_old_one_waits_on(void **state)
{
	struct fixture *f = *state;
	uint64_t end;
	struct visitor old, fresh;

	serve(f);
	visit(&old, f);
	f->park = true;
	say(&old, "{}");
	for (end = loop_now_ms(f->loop) + PATIENCE_MS; !f->parked && loop_now_ms(f->loop) < end;)
		loop_round(f->loop, 5);
	assert_non_null(f->parked);
	move(f->cert2, f->cert);
	move(f->key2, f->key);
	http_tls_reload(f->tls);
	http_tls_reload(f->tls); /* and again: what the old one began with is two behind */
	f->park = false;
	visit(&fresh, f);
	assert_string_not_equal(fresh.pin, old.pin);
	say(&fresh, "{}");
	assert_int_equal(hear(&fresh), 200);
	http_reply(f->parked, &(struct http_reply){ .status = 200, .body = "{}", .body_len = 2 });
	assert_int_equal(hear(&old), 200);
	say(&old, "{}");
	assert_int_equal(hear(&old), 200);
	assert_int_equal(http_tls_stats(f->tls).reloads, 2);
	leave(&fresh);
	leave(&old);
}

static void a_bad_new_file_changes_nothing_and_is_counted(void **state)
{
	struct fixture *f = *state;
	struct visitor before, after;

	serve(f);
	visit(&before, f);
	move(f->cert2, f->cert); /* without its key */
	http_tls_reload(f->tls);
	visit(&after, f);
	assert_string_equal(after.pin, before.pin);
	assert_int_equal(http_tls_stats(f->tls).failed_reloads, 1);
	assert_int_equal(http_tls_stats(f->tls).reloads, 0);
	leave(&before);
	leave(&after);
}

static void a_handshake_that_stalls_holds_nobody_up_and_is_cut_off(void **state)
{
	static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc"; /* announces more than it brings */
	struct fixture *f = *state;
	uint64_t end;
	struct visitor v;
	int fds[8];
	char byte;

	serve(f);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = client_connect(f->port);
		client_send(fds[i], hello, i % 2 ? sizeof hello - 1 : 0);
	}
	visit(&v, f);
	say(&v, "{}");
	assert_int_equal(hear(&v), 200);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		for (end = loop_now_ms(f->loop) + PATIENCE_MS; loop_now_ms(f->loop) < end && recv(fds[i], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;)
			loop_round(f->loop, 5);
		assert_true(loop_now_ms(f->loop) < end);
		close(fds[i]);
	}
	leave(&v);
}

static void what_is_not_tls_is_closed_and_harms_nobody(void **state)
{
	static const char *const garbage[] = { "GET /v1/x HTTP/1.1\r\nHost: localhost\r\n\r\n", "\x16\x03\x01\xff\xff\xff\xff\xff", "\x80\x2e\x01\x03\x01",
					       "\x15\x03\x01\x00\x02\x02\x28", "\n\n\n\n\n\n\n\n" };
	struct fixture *f = *state;
	struct client_reply r;
	struct visitor v;

	serve(f);
	for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
		r = client_raw(f->loop, f->port, garbage[i], strlen(garbage[i]));
		assert_int_equal(r.status, 0);
		assert_true(r.closed);
		client_reply_deinit(&r);
	}
	visit(&v, f);
	say(&v, "{}");
	assert_int_equal(hear(&v), 200);
	leave(&v);
}

static void old_versions_and_keys_without_forward_secrecy_are_refused(void **state)
{
	struct fixture *f = *state;
	struct visitor v;

	serve(f);
	assert_true(visit_with(&v, f, "NORMAL:-VERS-ALL:+VERS-TLS1.1:%UNSAFE_RENEGOTIATION") < 0);
	leave(&v);
	assert_true(visit_with(&v, f, "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA") < 0);
	leave(&v);
	assert_int_equal(visit_with(&v, f, "NORMAL:-VERS-ALL:+VERS-TLS1.2"), 0);
	leave(&v);
	assert_int_equal(visit_with(&v, f, "NORMAL:-VERS-ALL:+VERS-TLS1.3"), 0);
	leave(&v);
}

static void a_large_body_comes_whole(void **state)
{
	struct fixture *f = *state;
	char *body = malloc(300000), head[100];
	uint64_t end;
	size_t sent = 0;
	struct visitor v;

	serve(f);
	visit(&v, f);
	memset(body, ' ', 300000);
	snprintf(head, sizeof head, "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000\r\n\r\n");
	assert_int_equal(gnutls_record_send(v.session, head, strlen(head)), (ssize_t)strlen(head));
	for (end = loop_now_ms(f->loop) + PATIENCE_MS; sent < 300000 && loop_now_ms(f->loop) < end; loop_round(f->loop, 1)) {
		ssize_t n = gnutls_record_send(v.session, body + sent, 300000 - sent);

		sent += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(hear(&v), 200);
	leave(&v);
	free(body);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_self_made_certificate_has_the_names_and_no_power_over_others),
		T(a_self_made_certificate_is_renewed_before_it_ends_and_the_pin_stays),
		T(one_that_will_end_soon_is_made_anew),
		T(a_key_that_others_can_read_is_refused),
		T(what_does_not_belong_together_is_refused),
		T(what_is_no_file_is_refused_and_not_waited_for),
		T(a_new_connection_gets_the_new_certificate_while_an_old_one_waits_on),
		T(a_bad_new_file_changes_nothing_and_is_counted),
		T(a_handshake_that_stalls_holds_nobody_up_and_is_cut_off),
		T(what_is_not_tls_is_closed_and_harms_nobody),
		T(old_versions_and_keys_without_forward_secrecy_are_refused),
		T(a_large_body_comes_whole),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
