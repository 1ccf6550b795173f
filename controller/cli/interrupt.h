/* interrupt - ^C (or SIGTERM) that ends a command not at once, but where it can say what has become of things. A second one does end it. */
#pragma once
#include <signal.h>
#include <stdbool.h>

struct interrupt {
	struct sigaction old_int, old_term;
};

void interrupt_begin(struct interrupt *interrupt);
void interrupt_end(struct interrupt *interrupt);
/* Whether one came since begin. */
bool interrupt_came(void);
/* The same, for cli->stop. */
const volatile sig_atomic_t *interrupt_flag(void);
