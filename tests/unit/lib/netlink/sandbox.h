/* sandbox - a network and mount namespace of the test's own, with a fresh /run. Tests that need it call sandbox_or_skip() first
 * in main: not root = the reason is printed and the program ends well. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static inline void sandbox_or_skip(void)
{
	if (geteuid() != 0) {
		printf("SKIP: needs root for a network namespace of its own\n");
		exit(0);
	}
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0) {
		printf("SKIP: no namespaces here (%s)\n", strerror(errno));
		exit(0);
	}
}

/* A new network namespace; the calling thread stays where it is. */
static inline int sandbox_netns(void)
{
	int here, there;

	here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(here >= 0);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	there = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(there >= 0);
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
	close(here);
	return there;
}
