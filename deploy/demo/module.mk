# The demo: one standing cluster, a story told as a transcript, claims that can be broken on purpose.
DEMO = exec env SIXPN_BUILD=$(abspath $(B)) python3 deploy/demo/demo.py
demo: ## builds, starts a cluster, shows the main job, removes everything (root); KEEP=1 leaves it up
	@deploy/install-deps.sh
	@$(MAKE) -s --no-print-directory -j$$(nproc) all $(NET_NEEDS)
	@$(DEMO) story $(if $(KEEP),--keep)
demo-down: ## removes what `make demo KEEP=1` left up
	@$(DEMO) down
demo-sabotage: ## breaks what each claim rests on, expects FAIL there and nowhere else, mends, expects PASS; SEED=n QUARTER=1 or ROW=name for a part
	@deploy/install-deps.sh
	@$(MAKE) -s --no-print-directory -j$$(nproc) all $(NET_NEEDS)
	@$(DEMO) sabotage $(if $(SEED),--seed $(SEED)) $(if $(QUARTER),--quarter) $(if $(ROW),--only $(ROW))
demo-quarter: $(NET_NEEDS)
	@$(DEMO) sabotage --quarter $(if $(SEED),--seed $(SEED))
.PHONY: demo demo-down demo-sabotage demo-quarter
