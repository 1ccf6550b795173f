/* plan - from what is wanted of an instance and what is here of it to ordered steps. Pure: no I/O, no clock of its own.
 *
 * One call looks at one instance. The caller (agent.c) carries the steps out in order, stops at the first that fails, notes the
 * outcome in struct plan_local and plans again until a plan holds no steps; then it waits for an event (the shim is ready, the
 * presence is settled, the process ended) or for wake_ms. A plan made from its own outcome is therefore empty.
 *
 *   start   files, process held at its gate, interface (address, route, programs), presence, gate opened, command runs, reported
 *           started
 *   stop    reported draining (out of DNS), drain time, SIGTERM, stop time, SIGKILL, interface away, reported stopped
 *
 * A desire with a lower generation than the one already acted upon is ignored. A higher generation of a running instance that is
 * still wanted is a restart in place: it stays reported as started, so it keeps its name.
 *
 * All *_ms are of the monotonic clock, 0 = none. */
#pragma once
#include "agent/spec.h"
#include "lib/sixpn/record.h"

#define PLAN_BACKOFF_FIRST_MS 1000
#define PLAN_BACKOFF_MAX_MS 60000
#define PLAN_GOOD_LIFE_MS 60000  /* of life, after which the back-off starts anew */
#define PLAN_READY_LIMIT_MS 10000 /* for the shim, from its start to its gate */
#define PLAN_KILL_AGAIN_MS 2000
#define PLAN_ATTACH_WAIT_MS 5      /* until an interface that is not finished is looked at again, */
#define PLAN_ATTACH_WAITS_MAX 1000 /* and how often */
#define PLAN_ATTACH_AGAIN_MS 5000  /* until one that failed under a running command is tried again */

enum plan_phase {
	PLAN_ABSENT,   /* nothing of it here */
	PLAN_SPAWNING, /* process asked for, not yet at its gate */
	PLAN_HELD,     /* waits at its gate: the command does not run */
	PLAN_OPENED,   /* its gate was opened, and whether its command can be run is not known yet */
	PLAN_RUNNING,
	PLAN_DRAINING, /* runs, out of DNS */
	PLAN_STOPPING, /* SIGTERM was sent */
	PLAN_KILLING,  /* SIGKILL was */
	PLAN_ENDED,    /* no process any more */
};

enum plan_kind {
	PLAN_FILES,        /* write the generated files and what to launch */
	PLAN_SPAWN,        /* start the process, held at its gate -> SPAWNING */
	PLAN_ATTACH,       /* make the interface, or bring it to what it must be */
	PLAN_AWAIT,        /* ask for the presence to be settled */
	PLAN_FORGET_AWAIT, /* no longer */
	PLAN_OPEN,         /* open the gate -> OPENED; that it runs is an event */
	PLAN_DRAIN,        /* -> DRAINING until deadline_ms */
	PLAN_TERM,         /* SIGTERM -> STOPPING until deadline_ms */
	PLAN_KILL,         /* SIGKILL -> KILLING until deadline_ms */
	PLAN_DETACH,       /* interface, programs and map entry away */
	PLAN_REPORT,       /* tell the node `truth` */
	PLAN_CLEAN,        /* remove all files of the instance */
	PLAN_FORGET,       /* and the memory of it */
};

/* What the records want. A NULL in its place: the record has vanished. */
struct plan_desired {
	uint32_t desired; /* enum desired */
	uint64_t generation;
	bool has_workload;
	const char *refusal; /* why its workload cannot run here; NULL = it can */
	enum spec_restart restart;
	uint32_t drain_ms, stop_timeout_ms;
	bool suspended; /* attached, but nothing may pass */
};

/* What is here of it. Kept by the caller, changed by steps and by plan_ended. */
struct plan_local {
	enum plan_phase phase;
	uint64_t generation;     /* highest acted upon; 0 = none yet */
	uint32_t desired;        /* of that generation */
	uint64_t run_generation; /* of the process that runs or ran */
	bool attached, attached_suspended;
	bool unchecked; /* attached by an earlier daemon: ATTACH once, which changes nothing that is right */
	bool awaiting, settled;
	bool in_place; /* it is being ended only to be started again: stays reported as started */
	uint64_t deadline_ms;  /* of DRAINING, STOPPING, KILLING, SPAWNING */
	uint64_t started_ms;   /* its command ran from then on */
	uint64_t next_start_ms;   /* back-off */
	uint64_t attach_again_ms; /* its interface is not finished, or could not be made right: ATTACH again then */
	unsigned attach_waits;    /* how often it was not finished */
	uint64_t detach_again_ms; /* its interface could not be taken away: DETACH again then */
	uint32_t backoff_ms;
	uint32_t restarts; /* how often its command was started again after it had ended by itself */
	bool ended_wanted; /* the last end was our doing, and not for a failure */
	int32_t exit_code;
	char failure[160];        /* why the last start went wrong; "" = it did not */
	struct observed reported; /* last told; at each sync set to what the record says */
};

struct plan_step {
	enum plan_kind kind;
	bool force; /* of KILL: the first one was not enough */
};

#define PLAN_STEPS_MAX 8

struct plan {
	struct plan_step steps[PLAN_STEPS_MAX];
	size_t n;
	struct observed truth; /* for REPORT; since_ms is the caller's */
	uint64_t wake_ms;      /* plan again then at the latest; 0 = only after an event */
	/* What is acted upon, for plan_local: the caller takes them over before it carries out the steps. */
	uint64_t generation;
	uint32_t desired;
	uint64_t deadline_ms; /* for DRAIN, TERM, KILL, SPAWN */
};

void plan_instance(const struct plan_desired *desired, const struct plan_local *local, uint64_t now_ms, struct plan *ret_plan);
/* The process is gone: PLAN_ENDED, with the next start worked out. text "" = it ended by itself; else why it could not run. */
void plan_ended(struct plan_local *local, int32_t exit_code, const char *text, uint64_t now_ms);
/* Whether what is told differs, since_ms apart. */
bool plan_same_report(const struct observed *a, const struct observed *b);
const char *plan_kind_name(enum plan_kind kind);
