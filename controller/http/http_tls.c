/* http_tls - see http_tls.h. */
#include "controller/http/http_tls.h"

#include "lib/base/log.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MS (12u * 3600 * 1000)
#define DAY_MS (24ull * 3600 * 1000)

struct http_tls {
	struct loop *loop;
	struct clock clock;
	struct http_tls_config config;
	struct certificate *current;
	struct http_tls_stats stats;
	struct loop_timer timer;
};

static void tell(const struct http_tls *tls, const char *what)
{
	uint64_t now = clock_real_ms(&tls->clock), end = certificate_not_after_ms(tls->current);

	if (end <= now)
		log_err("tls", "%s: its certificate has EXPIRED; key %s", tls->config.cert_path, certificate_pin(tls->current));
	else
		log_info("tls", "%s %s, valid for %llu days, key %s", what, tls->config.cert_path, (unsigned long long)((end - now) / DAY_MS),
			 certificate_pin(tls->current));
}

static int load(struct http_tls *tls, struct certificate **ret, struct why *why)
{
	const struct http_tls_config *c = &tls->config;
	bool made = false;
	int r = c->self_made ? certificate_make(c->cert_path, c->key_path, c->names, c->n_names, &tls->clock, &made, why) : 0;

	return r ? r : certificate_load(c->cert_path, c->key_path, ret, why);
}

static void look(struct loop_timer *timer)
{
	struct http_tls *tls = container_of(timer, struct http_tls, timer);

	loop_set_timer_in(tls->loop, timer, LOOK_MS);
	if (tls->config.self_made && certificate_not_after_ms(tls->current) < clock_real_ms(&tls->clock) + CERTIFICATE_RENEW_DAYS * DAY_MS)
		http_tls_reload(tls);
}

int http_tls_new(struct loop *loop, const struct clock *clock, const struct http_tls_config *config, struct http_tls **ret, struct why *why)
{
	struct http_tls *tls = calloc(1, sizeof *tls);
	int r;

	if (!tls)
		return -ENOMEM;
	tls->loop = loop;
	tls->clock = *clock;
	tls->config = *config;
	tls->timer.expired = look;
	r = load(tls, &tls->current, why);
	if (r) {
		free(tls);
		return r;
	}
	loop_set_timer_in(loop, &tls->timer, LOOK_MS);
	tell(tls, "https with");
	*ret = tls;
	return 0;
}

struct http_tls *http_tls_free(struct http_tls *tls)
{
	if (!tls)
		return NULL;
	loop_cancel_timer(&tls->timer);
	certificate_unref(tls->current);
	free(tls);
	return NULL;
}

void http_tls_reload(struct http_tls *tls)
{
	struct certificate *fresh = NULL;
	struct why why = { 0 };
	int r = load(tls, &fresh, &why);

	if (r < 0)
		why_set(&why, "file_error", "tls_cert", "%s: %s", tls->config.cert_path, strerror(-r));
	else if (r == 0 && certificate_not_after_ms(fresh) <= clock_real_ms(&tls->clock))
		r = why_set(&why, "certificate_expired", "tls_cert", "%s: its certificate has expired", tls->config.cert_path);
	if (r) {
		certificate_unref(fresh);
		tls->stats.failed_reloads++;
		log_err("tls", "the certificate was not changed: %s", why.text);
		return;
	}
	certificate_unref(tls->current);
	tls->current = fresh;
	tls->stats.reloads++;
	tell(tls, "new connections get");
}

struct certificate *http_tls_current(const struct http_tls *tls)
{
	return tls->current;
}

struct http_tls_stats http_tls_stats(const struct http_tls *tls)
{
	struct http_tls_stats stats = tls->stats;

	stats.expires_ms = certificate_not_after_ms(tls->current);
	return stats;
}
