# Generated protobuf-c code lives only below $(B)/proto.
GENERATED += $(B)/proto/sixpn.pb-c.h
$(B)/proto/sixpn.pb-c.h $(B)/proto/sixpn.pb-c.c &: proto/sixpn.proto
	$(call say,PROTOC,$<)
	$(Q)mkdir -p $(B)/proto && protoc-c --c_out=$(B)/proto --proto_path=proto proto/sixpn.proto
