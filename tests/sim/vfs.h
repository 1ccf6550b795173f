/* vfs - SQLite on a simulated disk: becomes the default VFS of the process. The product's pragmas stay as they are: what it syncs is
 * safe, what it does not sync is lost with disk_cut(). */
#pragma once

void vfs_install(void);
void vfs_seed(unsigned long long seed);
