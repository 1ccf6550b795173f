/* link_key - see link_key.h. */
#include "controller/store/link_key.h"

#include "lib/base/file.h"
#include "lib/base/log.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define KEY_LINE (CRYPTO_BASE64_KEY_LEN + 2)

static int path_of(const char *store_path, const char *name, char *ret_path, size_t size)
{
	const char *slash = strrchr(store_path, '/');
	int folder = slash ? (int)(slash - store_path) : 1;

	return (size_t)snprintf(ret_path, size, "%.*s/%s", folder, slash ? store_path : ".", name) < size ? 0 : -ENAMETOOLONG;
}

int link_key_path(const char *store_path, char *ret_path, size_t size)
{
	return path_of(store_path, "keys/link.key", ret_path, size);
}

int link_key_read(const char *store_path, uint8_t ret_key[CRYPTO_KEY_LEN], struct why *why)
{
	CLEAN_BUF struct buf line = BUF_INIT(4096);
	char path[PATH_MAX];
	int r = link_key_path(store_path, path, sizeof path);

	if (r == 0)
		r = file_read(path, 2048, &line);
	if (r < 0)
		return r;
	while (line.len && strchr(" \t\r\n", line.data[line.len - 1]))
		line.len--;
	r = line.data ? crypto_unbase64((const char *)line.data, line.len, ret_key, CRYPTO_KEY_LEN) : -EINVAL;
	if (line.data)
		crypto_wipe(line.data, line.cap);
	if (r < 0)
		return why_set(why, "key_broken", "path", "%s does not hold a key; join tokens and nodes depend on it, restore it from a backup", path);
	return 0;
}

int link_key_write(const char *store_path, const uint8_t key[CRYPTO_KEY_LEN])
{
	char path[PATH_MAX], line[KEY_LINE];
	int r = path_of(store_path, "keys", path, sizeof path);

	if (r == 0)
		r = file_make_dirs(path, 0700);
	if (r == 0)
		r = link_key_path(store_path, path, sizeof path);
	if (r < 0)
		return r;
	crypto_base64(key, CRYPTO_KEY_LEN, line);
	strcat(line, "\n");
	r = file_create(path, line, strlen(line), 0600);
	crypto_wipe(line, sizeof line);
	if (r == 0)
		log_info("main", "made %s", path);
	return r;
}

int link_key_load(const char *store_path, uint8_t ret_key[CRYPTO_KEY_LEN], struct why *why)
{
	uint8_t public_key[CRYPTO_KEY_LEN];
	int r = link_key_read(store_path, ret_key, why);

	if (r != -ENOENT)
		return r;
	crypto_x25519_keypair(ret_key, public_key);
	return link_key_write(store_path, ret_key);
}
