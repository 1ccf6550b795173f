# The simulator: whole controllers and whole nodes, linked from the daemons' own archives, in one process on virtual time. It is the
# only program in which controller and node meet. What the product asks of libc's files, and three functions of its own, are answered
# by tests/sim instead (--wrap).
# node first: both daemons have a settings_init, and ours is the node's
SIM_ROOMS := $(call uniq,node $(call linkset,node) $(call linkset,controller))
SIM_SRCS := $(wildcard tests/sim/*.c)
SIM_OBJS := $(SIM_SRCS:tests/sim/%.c=$(B)/tests/sim/%.o)
SIM_WRAPPED := open close read write lseek fsync fdatasync ftruncate truncate rename unlink remove mkdir chmod fchmod flock stat \
	opendir readdir closedir nftw replica_take link_client_call handover_put log_line log_limited_line urcu_qsbr_call_rcu urcu_qsbr_barrier
comma := ,
SIM_LINK = $(SANFLAGS) -pthread $(SIM_WRAPPED:%=-Wl$(comma)--wrap=%) -Wl,--start-group $(foreach r,$(SIM_ROOMS),$(call archive,$(r))) -Wl,--end-group \
	$(call uniq,$(foreach r,$(SIM_ROOMS),$(LIBS_$(r)))) -lm

$(B)/tests/sim/%.o: tests/sim/%.c | $(GENERATED)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(ALLCFLAGS_TEST) -MMD -MP -c $< -o $@
$(B)/tests/sim/sim: $(SIM_OBJS) $(foreach r,$(SIM_ROOMS),$(call archive,$(r)))
	$(call say,LINK,$@)
	$(Q)$(CC) -o $@ $(SIM_OBJS) $(SIM_LINK)

SEED ?= 1
SEEDS ?= 2000
SEEDS_SAN ?= 60
MUTANT_SEEDS ?= 2000
sim: $(B)/tests/sim/sim ## one seed of the simulator: SEED=8121 TRACE=1 LOG=1
	$(Q)TRACE=$(TRACE) LOG=$(LOG) $< $(SEED)
run-sim: $(B)/tests/sim/sim
	$(Q)tests/sim/run.sh $< $(SEEDS)
test-sim: ## whole clusters with faults on virtual time: SEEDS=2000, some of them under ASan+UBSan, and three mutants of the day
	$(Q)$(MAKE) --no-print-directory run-sim
	$(Q)$(MAKE) --no-print-directory run-sim B=$(B)/san SAN=address,undefined SEEDS=$(SEEDS_SAN)
	$(Q)$(MAKE) --no-print-directory sim-mutants MUTANT_SEEDS=600 MUTANTS_PICK="--quick --pick 3"
soak: $(B)/tests/sim/sim ## the simulator for longer: SEEDS=100000 or MINUTES=60, FROM=1
	$(Q)FROM=$(FROM) MINUTES=$(MINUTES) tests/sim/run.sh $< $(SEEDS)
sim-mutants: $(B)/tests/sim/sim ## break the product on purpose, and see that the simulator finds it: M=name MUTANT_SEEDS=2000
	$(Q)B=$(B) SIM_CC="$(CC)" SIM_CFLAGS='$(subst ','\'',$(ALLCFLAGS))' SIM_OBJS="$(SIM_OBJS)" SIM_LINK='$(SIM_LINK)' \
		python3 tests/sim/mutants.py --seeds $(MUTANT_SEEDS) $(MUTANTS_PICK) $(M)
.PHONY: sim-mutants sim run-sim test-sim soak
