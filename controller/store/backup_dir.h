/* backup_dir - the folder of the backups of a controller: what is in it, and what may go. Files get their name here only after they
 * were verified; what is half made begins with a dot. */
#pragma once
#include "controller/store/backup_file.h"

#define BACKUP_NAME_SIZE 64

struct backup_info {
	char name[BACKUP_NAME_SIZE];
	uint64_t v, epoch, made_ms, size;
	bool good; /* the header is right and the file as long as it says; if not, only name, size and problem are set */
	char problem[200];
};

/* "sixpn-20251125T183256.042Z-v1042.backup" */
void backup_name(uint64_t made_ms, uint64_t v, char ret_name[BACKUP_NAME_SIZE]);
/* Newest first; a folder that is not there is empty. The list is the caller's (free()). */
int backup_dir_list(const char *dir, struct backup_info **ret_list, size_t *ret_n) MUST_CHECK;
/* Removes the oldest good ones beyond `keep` (0 = none), never `spare`. Returns how many went. */
unsigned backup_dir_prune(const char *dir, unsigned keep, const char *spare);
/* Removes what a controller that died left half made. */
void backup_dir_sweep(const char *dir);
/* The path of a half-made file of ours: "copy", "new" or "scratch". */
int backup_dir_path(const char *dir, const char *what, char *ret_path, size_t size) MUST_CHECK;
