/* zone_peers - the names of a network's WireGuard peers. They are below _peer, where no app can be, so a peer cannot take its name. */
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
