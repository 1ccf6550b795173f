/* Names of peers: one that is taken has a label that DNS takes, the same every time and another at every try. */
#include "lib/sixpn/peer_name.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[512], label[NAME_SIZE], again[NAME_SIZE], last[NAME_SIZE] = "";

	if (size >= sizeof name)
		return 0;
	memcpy(name, data, size);
	name[size] = 0;
	if (peer_name_check(name, NULL) != 0)
		return 0;
	if (strlen(name) > PEER_NAME_MAX || strchr(name, '\\') || name[0] == '-' || name[strlen(name) - 1] == '-')
		abort();
	for (unsigned attempt = 0; attempt <= PEER_LABEL_TRIES; attempt++) {
		peer_name_label(name, attempt, label);
		peer_name_label(name, attempt, again);
		if (strcmp(label, again) || !strcmp(label, last) || name_check_group(label, NULL) != 0)
			abort();
		strcpy(last, label);
	}
	return 0;
}
