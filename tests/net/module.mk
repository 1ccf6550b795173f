# Tests on real packets in namespaces (root): tests/net/test_*.py on the fixture of tests/net/fixture.
$(B)/tests/net/holder $(B)/tests/net/flood: $(B)/tests/net/%: tests/net/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) -O2 -g $(WARN) -D_GNU_SOURCE -o $@ $<

# customers' machines have it; unpacked, not installed
$(B)/openresolv/sbin/resolvconf:
	$(call say,UNPACK,openresolv)
	$(Q)rm -rf $(B)/openresolv && mkdir -p $(B) && deploy/install-deps.sh --unpack $(B)/openresolv openresolv

NET_NEEDS = $(PROGRAMS:%=$(B)/bin/%) $(B)/tests/net/holder $(B)/tests/net/flood $(B)/openresolv/sbin/resolvconf
# make test-net T=isolation  runs one file
test-net: $(NET_NEEDS) ## clusters in namespaces, real packets (root): T=name for one
	$(Q)SIXPN_BUILD=$(abspath $(B)) python3 tests/net/run.py $(T)
.PHONY: test-net
