/* sysctl - see sysctl.h. */
#include "lib/netlink/sysctl.h"
#include "lib/base/file.h"
#include "lib/base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEDGER_FILE_MAX (1u << 20)
#define LEDGER_MAX 4096

static int path_of(const char *name, char *ret_path, size_t size)
{
	size_t n = strlen(name);

	if (!n || n >= SYSCTL_NAME_MAX || name[0] == '/' || name[n - 1] == '/')
		return -EINVAL;
	for (const char *segment = name; segment; segment = strchr(segment, '/')) {
		segment += segment != name;
		if (*segment == '/' || !strncmp(segment, "./", 2) || !strncmp(segment, "../", 3) || !strcmp(segment, ".") ||
		    !strcmp(segment, ".."))
			return -EINVAL;
	}
	return (size_t)snprintf(ret_path, size, "/proc/sys/%s", name) >= size ? -EINVAL : 0;
}

int sysctl_read(const char *name, char *ret_value, size_t size)
{
	CLEAN_BUF struct buf text = BUF_INIT(8192);
	char path[SYSCTL_NAME_MAX + 16];
	int r = path_of(name, path, sizeof(path));

	if (r == 0)
		r = file_read(path, 4096, &text);
	if (r < 0)
		return r;
	while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == ' '))
		text.len--;
	if (text.len >= size)
		return -EFBIG;
	memcpy(ret_value, text.data, text.len);
	ret_value[text.len] = '\0';
	return 0;
}

int sysctl_write(const char *name, const char *value)
{
	char path[SYSCTL_NAME_MAX + 16];
	int r = path_of(name, path, sizeof(path));

	return r < 0 ? r : file_put(path, value);
}

static struct sysctl_change *find_change(const struct sysctl_ledger *ledger, const char *name)
{
	for (size_t i = 0; i < ledger->n; i++)
		if (!strcmp(ledger->changes[i].name, name))
			return &ledger->changes[i];
	return NULL;
}

/* Room for one more, before the kernel is touched: a change that cannot be noted is not made. */
static int reserve_change(struct sysctl_ledger *ledger)
{
	struct sysctl_change *changes;
	size_t cap = ledger->cap ? ledger->cap * 2 : 16;

	if (ledger->n < ledger->cap)
		return 0;
	changes = ledger->n < LEDGER_MAX ? reallocarray(ledger->changes, cap, sizeof(*changes)) : NULL;
	if (!changes)
		return -ENOMEM;
	ledger->changes = changes;
	ledger->cap = cap;
	return 0;
}

static int note(struct sysctl_ledger *ledger, const char *name, const char *old, const char *value)
{
	struct sysctl_change *change = find_change(ledger, name);
	int r = change ? 0 : reserve_change(ledger);

	if (r < 0)
		return r;
	if (!change) {
		change = &ledger->changes[ledger->n++];
		strcpy(change->name, name);
		strcpy(change->old_value, old);
	}
	strcpy(change->new_value, value);
	return 0;
}

int sysctl_ledger_plan(struct sysctl_ledger *ledger, const char *name, const char *value)
{
	char old[SYSCTL_VALUE_MAX];
	int r;

	if (strlen(value) >= SYSCTL_VALUE_MAX)
		return -EINVAL;
	r = sysctl_read(name, old, sizeof(old));
	if (r < 0 || !strcmp(old, value))
		return r;
	r = note(ledger, name, old, value);
	return r < 0 ? r : SYSCTL_DIFFERS;
}

int sysctl_ledger_set(struct sysctl_ledger *ledger, const char *name, const char *value)
{
	size_t before = ledger->n;
	int r = sysctl_ledger_plan(ledger, name, value);

	if (r != SYSCTL_DIFFERS)
		return r;
	r = sysctl_write(name, value);
	if (r < 0)
		ledger->n = before;
	return r;
}

int sysctl_ledger_expect(struct sysctl_ledger *ledger, const char *name, const char *value, const char *becomes)
{
	char path[SYSCTL_NAME_MAX + 16];

	if (strlen(value) >= SYSCTL_VALUE_MAX || strlen(becomes) >= SYSCTL_VALUE_MAX || path_of(name, path, sizeof(path)) < 0)
		return -EINVAL;
	return find_change(ledger, name) ? 0 : note(ledger, name, value, becomes);
}

int sysctl_ledger_restore(struct sysctl_ledger *ledger, size_t *ret_left)
{
	size_t left = 0;

	while (ledger->n) {
		const struct sysctl_change *change = &ledger->changes[ledger->n - 1];
		char now[SYSCTL_VALUE_MAX];
		int r = sysctl_read(change->name, now, sizeof(now));

		if (r == 0 && !strcmp(now, change->new_value))
			r = sysctl_write(change->name, change->old_value);
		else if (r == 0 || r == -ENOENT || r == -EFBIG)
			left++, r = 0;
		if (r < 0)
			return r; /* this one and the earlier ones stay in the ledger for another try */
		ledger->n--;
	}
	if (ret_left)
		*ret_left = left;
	return 0;
}

void sysctl_ledger_deinit(struct sysctl_ledger *ledger)
{
	free(ledger->changes);
	*ledger = (struct sysctl_ledger){ 0 };
}

int sysctl_ledger_save(const struct sysctl_ledger *ledger, const char *path)
{
	CLEAN_JSON json_t *doc = json_array();
	char *text;
	int r;

	for (size_t i = 0; i < ledger->n; i++)
		if (json_array_append_new(doc, json_pack("{s:s, s:s, s:s}", "name", ledger->changes[i].name, "old",
							 ledger->changes[i].old_value, "new", ledger->changes[i].new_value)) < 0)
			return -ENOMEM;
	text = json_dumps(doc, JSON_INDENT(1));
	if (!text)
		return -ENOMEM;
	r = file_replace(path, text, strlen(text), 0644);
	free(text);
	return r;
}

static int load_change(const json_t *entry, struct sysctl_ledger *ledger, struct why *why)
{
	static const char *const names[] = { "name", "old", "new", NULL };
	struct sysctl_change change;
	char path[SYSCTL_NAME_MAX + 16];
	int r = json_known(entry, names, why);

	for (size_t i = 0; r == 0 && names[i]; i++)
		r = json_need(entry, names[i], why);
	if (r == 0)
		r = json_get_str(entry, "name", change.name, sizeof(change.name), why);
	if (r == 0)
		r = json_get_str(entry, "old", change.old_value, sizeof(change.old_value), why);
	if (r == 0)
		r = json_get_str(entry, "new", change.new_value, sizeof(change.new_value), why);
	if (r == 0 && path_of(change.name, path, sizeof(path)) < 0)
		r = why_set(why, "value_invalid", "name", "\"%.60s\" is not the name of a kernel setting", change.name);
	if (r == 0)
		r = reserve_change(ledger);
	if (r == 0)
		ledger->changes[ledger->n++] = change;
	return r;
}

int sysctl_ledger_load(struct sysctl_ledger *ledger, const char *path, struct why *why)
{
	CLEAN_BUF struct buf text = BUF_INIT(LEDGER_FILE_MAX * 2);
	struct sysctl_ledger loaded = { 0 };
	CLEAN_JSON json_t *doc = NULL;
	const json_t *entry;
	size_t i;
	int r = file_read(path, LEDGER_FILE_MAX, &text);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0) {
		doc = json_parse(buf_str(&text), text.len, why);
		if (!doc)
			return E_REFUSED;
		if (!json_is_array(doc))
			return why_set(why, "json_invalid", "", "%s is not a list of changed settings", path);
	}
	r = 0;
	json_array_foreach(doc, i, entry) {
		r = load_change(entry, &loaded, why);
		if (r)
			break;
	}
	if (r) {
		sysctl_ledger_deinit(&loaded);
		return r;
	}
	sysctl_ledger_deinit(ledger);
	*ledger = loaded;
	return 0;
}
