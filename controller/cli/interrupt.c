/* interrupt - see interrupt.h. */
#include "controller/cli/interrupt.h"

static volatile sig_atomic_t came; /* a signal can say it nowhere else */

static void note(int number)
{
	(void)number;
	came = 1;
}

void interrupt_begin(struct interrupt *interrupt)
{
	struct sigaction action = { .sa_handler = note, .sa_flags = (int)SA_RESETHAND };

	came = 0;
	sigaction(SIGINT, &action, &interrupt->old_int);
	sigaction(SIGTERM, &action, &interrupt->old_term);
}

void interrupt_end(struct interrupt *interrupt)
{
	sigaction(SIGINT, &interrupt->old_int, NULL);
	sigaction(SIGTERM, &interrupt->old_term, NULL);
}

bool interrupt_came(void)
{
	return came;
}

const volatile sig_atomic_t *interrupt_flag(void)
{
	return &came;
}
