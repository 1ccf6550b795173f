# docker-compose: a cluster in containers, and its test on a Docker engine of its own.
COMPOSE_TEST = exec env SIXPN_BUILD=$(abspath $(B)) python3 deploy/compose/compose_test.py
compose-needs: $(PROGRAMS:%=$(B)/bin/%)
	@deploy/install-deps.sh compose $(B)/docker
compose-test: compose-needs ## the cluster of deploy/compose, on a Docker engine of its own: brings it up, checks what is claimed, removes it (root)
	@$(COMPOSE_TEST) test
compose-sabotage: compose-needs ## breaks what each claim of compose-test rests on, expects FAIL, mends, expects PASS; ROW=name for one
	@$(COMPOSE_TEST) sabotage $(if $(ROW),--only $(ROW))
.PHONY: compose-needs compose-test compose-sabotage
