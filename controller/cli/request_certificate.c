/* request_certificate - which certificate a controller shows, before it is told anything; see request.h. */
#include "controller/cli/request.h"

#include <curl/curl.h>
#include <string.h>

#define TIME_MS 15000L

static size_t drop(char *bytes, size_t size, size_t n, void *arg)
{
	(void)bytes;
	(void)arg;
	return size * n;
}

static int take(struct cli *cli, CURL *curl, const char *url, struct buf *ret_pem)
{
	struct curl_certinfo *info = NULL;

	if (curl_easy_getinfo(curl, CURLINFO_CERTINFO, &info) == CURLE_OK && info && info->num_of_certs > 0)
		for (const struct curl_slist *s = info->certinfo[0]; s; s = s->next)
			if (!strncmp(s->data, "Cert:", 5))
				buf_printf(ret_pem, "%s%s", s->data + 5, s->data[5] && s->data[strlen(s->data) - 1] == '\n' ? "" : "\n");
	return ret_pem->len && !buf_failed(ret_pem) ?
		       0 :
		       cli_fail(cli, EXIT_UNREACHABLE, "unexpected_reply", NULL, "%s shows no certificate", url);
}

int request_certificate(struct cli *cli, const char *url, const char *pin, enum request_trust trust, struct buf *ret_pem)
{
	CURL *curl = curl_easy_init();
	char target[512];
	CURLcode code;
	int r;

	if (!curl)
		return cli_fail(cli, EXIT_REFUSED, "no_memory", NULL, "no memory");
	snprintf(target, sizeof target, "%s/v1/version", url);
	curl_easy_setopt(curl, CURLOPT_URL, target);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIME_MS);
	curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
	request_set_trust(cli, curl, pin, trust);
	code = curl_easy_perform(curl);
	r = code == CURLE_OK ? take(cli, curl, url, ret_pem) : request_tell_unreachable(cli, (int)code, url);
	curl_easy_cleanup(curl);
	return r;
}
