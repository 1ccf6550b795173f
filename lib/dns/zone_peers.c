/* zone_peers - the names of a network's WireGuard peers and of reserved addresses. Peers are below _peer, where no app can be, so a peer cannot take its name. */
#include "lib/dns/zone_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_labels(const void *a, const void *b)
{
	return strcmp((*(const struct dns_peer *const *)a)->label, (*(const struct dns_peer *const *)b)->label);
}

static int check_peer(const struct dns_zone_input *in, const struct dns_peer *p)
{
	size_t len = strnlen(p->label, sizeof p->label);
	struct addr_parts parts;

	if (len == 0 || len == sizeof p->label || strchr(p->label, '.'))
		return -EINVAL;
	return addr_split(&p->address, &parts) != 0 || parts.network != in->network ? -EINVAL : 0;
}

static int add_peer(struct zone_build *b, const struct dns_peer *p)
{
	struct dns_zone *z = b->z;
	size_t at = z->n_addresses;
	char prefix[NAME_SIZE + 8];
	struct zone_node *node;
	int r;

	if (p->answers) {
		zone_fill_record(z->addresses[at].record, &p->address);
		z->addresses[at].run_len = 1;
		z->n_addresses++;
	}
	snprintf(prefix, sizeof prefix, "%s._peer.", p->label);
	r = zone_name_addresses(b, prefix, "", at, p->answers, p->answers, 0);
	if (r == 0)
		r = zone_add_node(z, prefix, "", &node);
	if (r == 0)
		zone_add_reverse(z, &p->address, node);
	return r;
}

int zone_add_peers(struct zone_build *b)
{
	size_t n = b->in->n_peers, n_listed = 0;
	CLEAN_FREE const struct dns_peer **sorted = calloc(n + 1, sizeof *sorted);
	CLEAN_FREE const char **labels = calloc(n + 1, sizeof *labels);
	int r = sorted && labels ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && r == 0; i++) {
		sorted[i] = &b->in->peers[i];
		r = check_peer(b->in, sorted[i]);
	}
	if (r < 0)
		return r;
	qsort(sorted, n, sizeof *sorted, compare_labels);
	for (size_t i = 0; i < n && r == 0; i++) {
		r = add_peer(b, sorted[i]);
		if (sorted[i]->answers)
			labels[n_listed++] = sorted[i]->label;
	}
	return r < 0 ? r : zone_add_words_list(b, "_peer.", labels, n_listed);
}

static int compare_flycasts(const void *a, const void *b)
{
	const struct dns_flycast *x = *(const struct dns_flycast *const *)a, *y = *(const struct dns_flycast *const *)b;
	int r = strcmp(x->app, y->app);

	return r ? r : memcmp(&x->address, &y->address, sizeof x->address);
}

static int check_flycast(const struct dns_zone_input *in, const struct dns_flycast *f)
{
	size_t len = strnlen(f->app, sizeof f->app);
	struct addr_parts parts;

	if (len == 0 || len == sizeof f->app || strchr(f->app, '.') || addr_split(&f->address, &parts) != 0)
		return -EINVAL;
	return parts.network == in->network && parts.host == ADDR_HOST_FLYCAST ? 0 : -EINVAL;
}

/* All of one app: they take turns. */
static int add_flycasts_of(struct zone_build *b, const struct dns_flycast *const *of, size_t n)
{
	struct dns_zone *z = b->z;
	struct zone_node *node;
	char name[NAME_SIZE + 16];
	int r;

	snprintf(name, sizeof name, "%s.flycast", of[0]->app);
	r = zone_add_name(z, name, &node);
	if (r < 0)
		return r;
	node->instances = true; /* who asks for A hears that there is only AAAA */
	node->address_at = (uint32_t)z->n_addresses;
	node->n_addresses = (uint32_t)n;
	z->addresses[z->n_addresses].run_len = (uint32_t)n;
	for (size_t i = 0; i < n; i++) {
		zone_fill_record(z->addresses[z->n_addresses++].record, &of[i]->address);
		zone_add_reverse(z, &of[i]->address, node);
	}
	return 0;
}

int zone_add_flycasts(struct zone_build *b)
{
	size_t n = b->in->n_flycasts;
	CLEAN_FREE const struct dns_flycast **sorted = calloc(n + 1, sizeof *sorted);
	int r = sorted ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && r == 0; i++) {
		sorted[i] = &b->in->flycasts[i];
		r = check_flycast(b->in, sorted[i]);
	}
	if (r == 0 && n)
		qsort(sorted, n, sizeof *sorted, compare_flycasts);
	for (size_t at = 0, end; r == 0 && at < n; at = end) {
		for (end = at + 1; end < n && !strcmp(sorted[end]->app, sorted[at]->app);)
			end++;
		r = add_flycasts_of(b, sorted + at, end - at);
	}
	return r;
}
