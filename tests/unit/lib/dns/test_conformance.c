/* What RFCs and stubs demand of a name server, as a table: each row is a sentence, the bytes of a query, how it travels, and what must
 * come back from the real server over real sockets, at both kinds of its addresses. Where we decided otherwise than others do, the row says so. */
#include "tests/unit/lib/dns/conformance.h"

/* -- the words of a query -- */

#define HEAD(flags, qd, an, ns, ar) "\x12\x34" flags "\0" qd "\0" an "\0" ns "\0" ar
#define RD "\1\0"
#define ONE HEAD(RD, "\1", "\0", "\0", "\0")      /* one question */
#define ONE_OPT HEAD(RD, "\1", "\0", "\0", "\1")  /* and an additional record */
#define OPT(size, version, flags, len) "\0\0\51" size "\0" version flags "\0" len
#define PLAIN_OPT OPT("\4\320", "\0", "\0\0", "\0")
#define IN "\0\1"
#define A "\0\1" IN
#define AAAA "\0\34" IN
#define TXT "\0\20" IN
#define SOA "\0\6" IN
#define NS "\0\2" IN
#define PTR "\0\14" IN
#define ANY "\0\377" IN
#define INTERNAL "\10internal\0"
#define SHOP "\4shop" INTERNAL
#define NOBODY "\6nobody" INTERNAL
#define CROWD "\5crowd" INTERNAL
#define COM "\7example\3com\0"
#define SHOP_PTR                                                                                                                  \
	"\1" "2\1" "0\1" "0\1" "0\1" "1\1" "0\1" "0\1" "0\1" "1\1" "0\1" "0\1" "0\1" "1\1" "0\1" "0\1" "0\1" "1\1" "1\1" "1\1" "a\1" \
	"8\1" "7\1" "6\1" "5\1" "4\1" "3\1" "2\1" "1\1" "a\1" "a\1" "d\1" "f\3ip6\4arpa\0"
#define A63 "\77aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* -- and of an answer: see conformance.h -- */

#define OK "NOERROR aa rd ra "
#define NO_DATA "NOERROR aa rd ra 1/0/1/0 SOA internal. 5 min 5"
#define NEVER "NXDOMAIN aa rd ra 1/0/1/0 SOA internal. 5 min 5"
#define BARE_FORMERR "FORMERR rd ra 0/0/0/0"
#define SHOP_ANSWER "1/1/0/0 AAAA fdaa:1234:5678:a111:1:1:1:2"
#define SHOP_ANSWER_OPT "1/1/0/1 AAAA fdaa:1234:5678:a111:1:1:1:2 opt 1232"

static const struct row header[] = {
	ROW("less than 12 bytes are dropped: nothing", UDP, "", DROPPED),
	ROW("less than 12 bytes are dropped: eleven", UDP, "\x12\x34\1\0\0\1\0\0\0\0\0", DROPPED),
	ROW("less than 12 bytes by TCP: the length cannot be, the connection ends", TCP, "\x12\x34\1\0\0\1\0\0\0\0\0", DROPPED),
	ROW("a reply (QR=1) is dropped: two servers would talk for ever", BOTH, HEAD("\201\0", "\1", "\0", "\0", "\0") SHOP AAAA, DROPPED),
	ROW("a reply with another opcode is dropped", BOTH, HEAD("\250\0", "\0", "\0", "\0", "\0"), DROPPED),
	ROW("opcode IQUERY: NOTIMP, header alone", BOTH, HEAD("\11\0", "\1", "\0", "\0", "\0") SHOP AAAA, "NOTIMP op1 rd ra 0/0/0/0"),
	ROW("opcode STATUS without a question: NOTIMP", BOTH, HEAD("\20\0", "\0", "\0", "\0", "\0"), "NOTIMP op2 ra 0/0/0/0"),
	ROW("opcode NOTIFY: NOTIMP, RD echoed", BOTH, HEAD("\41\0", "\1", "\0", "\0", "\0") INTERNAL SOA, "NOTIMP op4 rd ra 0/0/0/0"),
	ROW("opcode UPDATE: NOTIMP", BOTH, HEAD("\50\0", "\1", "\0", "\0", "\0") INTERNAL SOA, "NOTIMP op5 ra 0/0/0/0"),
	ROW("opcode DSO: NOTIMP (no push in this version)", BOTH, HEAD("\60\0", "\0", "\0", "\0", "\0"), "NOTIMP op6 ra 0/0/0/0"),
	ROW("opcode 15: NOTIMP", BOTH, HEAD("\170\0", "\0", "\0", "\0", "\0"), "NOTIMP op15 ra 0/0/0/0"),
	ROW("opcode UPDATE with an OPT: its sections mean something else, so it is not looked for", BOTH,
	    HEAD("\50\0", "\1", "\0", "\0", "\1") INTERNAL SOA PLAIN_OPT, "NOTIMP op5 ra 0/0/0/0"),

	ROW("no question: FORMERR (RFC 9619)", BOTH, HEAD(RD, "\0", "\0", "\0", "\0"), BARE_FORMERR),
	ROW("two questions: FORMERR (RFC 9619)", BOTH, HEAD(RD, "\2", "\0", "\0", "\0") SHOP A SHOP AAAA, BARE_FORMERR),
	ROW("255 questions, one there: FORMERR", BOTH, HEAD(RD, "\377", "\0", "\0", "\0") SHOP AAAA, BARE_FORMERR),
	ROW("no question, but a cookie (RFC 7873 5.4): FORMERR, since we hand out none", BOTH,
	    HEAD(RD, "\0", "\0", "\0", "\1") OPT("\4\320", "\0", "\0\0", "\14") "\0\12\0\10abcdefgh", BARE_FORMERR),

	ROW("a label of type 0x40: FORMERR, header alone", BOTH, ONE "\101a" SHOP AAAA, BARE_FORMERR),
	ROW("a label of type 0x80: FORMERR", BOTH, ONE "\201a" SHOP AAAA, BARE_FORMERR),
	ROW("a label of 64 octets, all there: that is type 0x40 too", BOTH, ONE "\100a" A63 INTERNAL AAAA, BARE_FORMERR),
	ROW("a label of 129 octets, all there: FORMERR", BOTH, ONE "\201a" A63 A63 INTERNAL AAAA, BARE_FORMERR),
	ROW("a pointer to itself as the name: FORMERR", BOTH, ONE "\300\14" AAAA, BARE_FORMERR),
	ROW("a pointer to the header as the name: FORMERR", BOTH, ONE "\300\0" AAAA, BARE_FORMERR),
	ROW("a pointer behind a label: FORMERR", BOTH, ONE "\4shop\300\14" AAAA, BARE_FORMERR),
	ROW("a pointer forward: FORMERR", BOTH, ONE "\300\22" AAAA SHOP, BARE_FORMERR),
	ROW("a name of 255 octets is a name", BOTH, ONE A63 A63 A63 "\64aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" INTERNAL AAAA,
	    NEVER),
	ROW("a name of 256 octets: FORMERR", BOTH, ONE A63 A63 A63 "\65aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" INTERNAL AAAA,
	    BARE_FORMERR),
	ROW("a name that does not end: FORMERR", BOTH, ONE "\4shop", BARE_FORMERR),
	ROW("a label that is cut: FORMERR", BOTH, ONE "\10shop", BARE_FORMERR),
	ROW("no class: FORMERR", BOTH, ONE SHOP "\0\34", BARE_FORMERR),
	ROW("an answer that is counted, but missing: FORMERR", BOTH, HEAD(RD, "\1", "\1", "\0", "\0") SHOP AAAA, BARE_FORMERR),
	ROW("an authority that is counted, but missing: FORMERR", BOTH, HEAD(RD, "\1", "\0", "\1", "\0") SHOP AAAA, BARE_FORMERR),
	ROW("an additional that is counted, but missing: FORMERR", BOTH, HEAD(RD, "\1", "\0", "\0", "\1") SHOP AAAA, BARE_FORMERR),
	ROW("an answer that is there is ignored", BOTH, HEAD(RD, "\1", "\1", "\0", "\0") SHOP AAAA "\300\14" A "\0\0\0\0\0\4\1\2\3\4",
	    OK SHOP_ANSWER),
	ROW("bytes behind the end are ignored, as most do", BOTH, ONE SHOP AAAA "and so on", OK SHOP_ANSWER),
	ROW("AA, TC, RA and an rcode in a query are ignored", BOTH, HEAD("\7\205", "\1", "\0", "\0", "\0") SHOP AAAA, OK SHOP_ANSWER),
	ROW("Z is never echoed", BOTH, HEAD("\1\100", "\1", "\0", "\0", "\0") SHOP AAAA, OK SHOP_ANSWER),
	ROW("AD is never set: nothing is validated here", BOTH, HEAD("\1\40", "\1", "\0", "\0", "\0") SHOP AAAA, OK SHOP_ANSWER),

	ROW("CHAOS version.bind: REFUSED, what runs here is nobody's business", BOTH, ONE "\7version\4bind\0" "\0\20\0\3",
	    "REFUSED rd ra 1/0/0/0"),
	ROW("CHAOS id.server: REFUSED", BOTH, ONE "\2id\6server\0" "\0\20\0\3", "REFUSED rd ra 1/0/0/0"),
	ROW("CHAOS hostname.bind: REFUSED", BOTH, ONE "\10hostname\4bind\0" "\0\20\0\3", "REFUSED rd ra 1/0/0/0"),
	ROW("class ANY: REFUSED", BOTH, ONE SHOP "\0\34\0\377", "REFUSED rd ra 1/0/0/0"),
	ROW("class NONE: REFUSED", BOTH, ONE SHOP "\0\34\0\376", "REFUSED rd ra 1/0/0/0"),
	ROW("class HESIOD: REFUSED", BOTH, ONE SHOP "\0\34\0\4", "REFUSED rd ra 1/0/0/0"),
	ROW("class 0: REFUSED", BOTH, ONE SHOP "\0\34\0\0", "REFUSED rd ra 1/0/0/0"),
	ROW("class 65535, ANY type: REFUSED", BOTH, ONE SHOP "\0\377\377\377", "REFUSED rd ra 1/0/0/0"),

	ROW("HTTPS, which browsers ask for every time: NODATA", BOTH, ONE SHOP "\0\101" IN, NO_DATA),
	ROW("SRV: NODATA (none in this version)", BOTH, ONE SHOP "\0\41" IN, NO_DATA),
	ROW("a type that nobody knows, on a name that is there: NODATA", BOTH, ONE SHOP "\376\327" IN, NO_DATA),
	ROW("a type that nobody knows, on a name that is not: NXDOMAIN", BOTH, ONE NOBODY "\376\327" IN, NEVER),
	ROW("ANY: one small record (RFC 8482)", BOTH, ONE SHOP ANY, OK "1/1/0/0 HINFO \"RFC8482\" \"\""),
	ROW("ANY on a name that is not: NXDOMAIN", BOTH, ONE NOBODY ANY, NEVER),
	ROW("AXFR: REFUSED, by TCP too", BOTH, ONE INTERNAL "\0\374" IN, "REFUSED rd ra 1/0/0/0"),
	ROW("IXFR: REFUSED", BOTH, ONE INTERNAL "\0\373" IN, "REFUSED rd ra 1/0/0/0"),
	ROW("type 0: NOTIMP", BOTH, ONE SHOP "\0\0" IN, "NOTIMP rd ra 1/0/0/0"),
	ROW("type 128, the first meta type: NOTIMP", BOTH, ONE SHOP "\0\200" IN, "NOTIMP rd ra 1/0/0/0"),
	ROW("TKEY: NOTIMP", BOTH, ONE SHOP "\0\371" IN, "NOTIMP rd ra 1/0/0/0"),
	ROW("TSIG: NOTIMP", BOTH, ONE SHOP "\0\372" IN, "NOTIMP rd ra 1/0/0/0"),
	ROW("MAILB: NOTIMP", BOTH, ONE SHOP "\0\375" IN, "NOTIMP rd ra 1/0/0/0"),
	ROW("type 256 is no meta type: NODATA", BOTH, ONE SHOP "\1\0" IN, NO_DATA),
	ROW("OPT is no type to ask for: FORMERR", BOTH, ONE SHOP "\0\51" IN, "FORMERR rd ra 1/0/0/0"),

	ROW("letters match whatever their case, and come back as they were sent", BOTH, ONE "\4sHOp\10iNteRNAL\0" AAAA, OK SHOP_ANSWER),
	ROW("the same for what is not there", BOTH, ONE "\6NoBoDy\10INTERNAL\0" AAAA, "NXDOMAIN aa rd ra 1/0/1/0 SOA INTERNAL. 5 min 5"),
	ROW("only A-Z have another case: a bracket is no brace", BOTH, ONE "\4sho[" INTERNAL AAAA, NEVER),
	ROW("nor is a control octet a digit", BOTH, ONE "\16" "0000000000000\21\2vm" SHOP AAAA, NEVER),
	ROW("nor has an octet above 127", BOTH, ONE "\4sho\360" INTERNAL AAAA, NEVER),
	ROW("a label may hold any octet: zero", BOTH, ONE "\4s\0op" INTERNAL AAAA, NEVER),
	ROW("a label may hold any octet: a dot, which is no separator", BOTH, ONE "\7shop.in" INTERNAL AAAA, NEVER),
	ROW("an owner is the pointer to the question, and nothing else", BOTH, ONE SHOP AAAA, OK SHOP_ANSWER),
	ROW("names inside records are not compressed: every resolver can read them", BOTH, ONE SHOP_PTR PTR,
	    OK "1/1/0/0 PTR 00000000000001.vm.shop.internal."),
};

static const struct row authority[] = {
	ROW("AA, RA, and RD as it was: set", BOTH, ONE SHOP AAAA, OK SHOP_ANSWER),
	ROW("AA, RA, and RD as it was: clear", BOTH, HEAD("\0\0", "\1", "\0", "\0", "\0") SHOP AAAA, "NOERROR aa ra " SHOP_ANSWER),
	ROW("CD is echoed (RFC 4035 3.2.2)", BOTH, HEAD("\1\20", "\1", "\0", "\0", "\0") SHOP AAAA, OK "cd " SHOP_ANSWER),
	ROW("A on a name with AAAA alone: NODATA with AA, RA and SOA, or glibc and Go call the server lame", BOTH, ONE SHOP A, NO_DATA),
	ROW("the name of an app without an instance: NODATA", BOTH, ONE "\5empty" INTERNAL AAAA, NO_DATA),
	ROW("an app with stopped instances alone: NODATA, never NXDOMAIN", BOTH, ONE "\4idle" INTERNAL AAAA, NO_DATA),
	ROW("a stopped instance: NODATA", BOTH, ONE "\16" "00000000000009\2vm\4idle" INTERNAL AAAA, NO_DATA),
	ROW("a known region without the app: NODATA", BOTH, ONE "\3lhr" SHOP AAAA, NO_DATA),
	ROW("an unknown region: NXDOMAIN", BOTH, ONE "\3qqq" SHOP AAAA, NEVER),
	ROW("vm.<app> has names below: NODATA (RFC 8020)", BOTH, ONE "\2vm" SHOP AAAA, NO_DATA),
	ROW("an instance that never was: NXDOMAIN", BOTH, ONE "\16" "0000000000ffff\2vm" SHOP AAAA, NEVER),
	ROW("process.<app> has groups below: NODATA", BOTH, ONE "\7process" SHOP AAAA, NO_DATA),
	ROW("a process group", BOTH, ONE "\3app\7process" SHOP AAAA, OK SHOP_ANSWER),
	ROW("one that is none: NXDOMAIN", BOTH, ONE "\3web\7process" SHOP AAAA, NEVER),
	ROW("of.<app>, nearest.of.<app> have names below: NODATA", BOTH, ONE "\2of" SHOP AAAA, NO_DATA),
	ROW("the same", BOTH, ONE "\7nearest\2of" SHOP AAAA, NO_DATA),
	ROW("of an app that is not there: NXDOMAIN", BOTH, ONE "\7nearest\2of" NOBODY AAAA, NEVER),
	ROW("the nearest three, of one", BOTH, ONE "\4top3\7nearest\2of" SHOP AAAA, OK SHOP_ANSWER),
	ROW("the nearest of a crowd are no sample: so many as were asked for", UDP, ONE "\5top16\7nearest\2of" CROWD AAAA,
	    OK "1/16/0/0 16 AAAA"),
	ROW("TC where they do not fit", UDP, ONE "\5top17\7nearest\2of" CROWD AAAA, "NOERROR aa tc rd ra 1/0/0/0"),
	ROW("and by TCP they come whole", TCP, ONE "\6top999\7nearest\2of" CROWD AAAA, OK "1/200/0/0 200 AAAA"),
	ROW("no number, no name", BOTH, ONE "\4top0\7nearest\2of" SHOP AAAA, NEVER),
	ROW("kv._metadata.<app>: NXDOMAIN, since this version has no names below it", BOTH, ONE "\2kv\11_metadata" SHOP AAAA, NEVER),
	ROW("and below", BOTH, ONE "\1a\1b\2kv\11_metadata" SHOP AAAA, NEVER),
	ROW("_tcp.<app>: the same", BOTH, ONE "\4_tcp" SHOP "\0\41" IN, NEVER),
	ROW("a peer has a name", BOTH, ONE "\6laptop\5_peer" INTERNAL AAAA, OK "1/1/0/0 AAAA fdaa:1234:5678:a111:1:0:a:2"),
	ROW("in any case", BOTH, ONE "\6LapTop\5_PEER" INTERNAL AAAA, OK "1/1/0/0 AAAA fdaa:1234:5678:a111:1:0:a:2"),
	ROW("of the network that asks", BOTH, ONE "\6laptop\5_peer" INTERNAL AAAA, NEVER, .source = OTHERS),
	ROW("a peer has no A: NODATA", BOTH, ONE "\6laptop\5_peer" INTERNAL A, NO_DATA),
	ROW("a suspended peer: NODATA", BOTH, ONE "\6asleep\5_peer" INTERNAL AAAA, NO_DATA),
	ROW("no peer: NXDOMAIN", BOTH, ONE "\6nobody\5_peer" INTERNAL AAAA, NEVER),
	ROW("_peer is their list, without the suspended", BOTH, ONE "\5_peer" INTERNAL TXT, OK "1/1/0/0 TXT \"laptop\""),
	ROW("and no address: NODATA", BOTH, ONE "\5_peer" INTERNAL AAAA, NO_DATA),
	ROW("a network without peers has that name too: NODATA", BOTH, ONE "\5_peer" INTERNAL TXT, NO_DATA, .source = OTHERS),
	ROW("and a network that is not here yet denies nothing: SERVFAIL", BOTH, ONE "\6laptop\5_peer" INTERNAL AAAA,
	    "SERVFAIL rd ra 1/0/0/0", .source = ZONELESS),
	ROW("below an instance there is nothing: NXDOMAIN", BOTH, ONE "\1x\16" "00000000000001\2vm" SHOP AAAA, NEVER),
	ROW("a name of nobody: NXDOMAIN with SOA, its TTL the smaller of 5 and MINIMUM (RFC 2308)", BOTH, ONE NOBODY AAAA, NEVER),
	ROW("<app>.flycast: NXDOMAIN with that tree's SOA", BOTH, ONE "\4shop\7flycast\0" AAAA,
	    "NXDOMAIN aa rd ra 1/0/1/0 SOA flycast. 5 min 5"),
	ROW("half an address backwards: NODATA", BOTH, ONE "\1" "8\1" "7\1" "6\1" "5\1" "4\1" "3\1" "2\1" "1\1a\1a\1d\1f\3ip6\4arpa\0" PTR,
	    "NOERROR aa rd ra 1/0/1/0 SOA a.a.d.f.ip6.arpa. 5 min 5"),
	ROW("an address of another network backwards: NXDOMAIN", BOTH,
	    ONE "\1" "f\1" "e\1" "d\1" "c\1" "b\1" "a\1" "0\1" "0\1a\1a\1d\1f\3ip6\4arpa\0" PTR,
	    "NXDOMAIN aa rd ra 1/0/1/0 SOA a.a.d.f.ip6.arpa. 5 min 5"),
	ROW("the apex has a SOA; its serial is the version of the network", BOTH, ONE INTERNAL SOA,
	    OK "1/1/0/0 SOA internal. hostmaster.internal. 77 5 5 86400 5"),
	ROW("the apex has an NS", BOTH, ONE INTERNAL NS, OK "1/1/0/0 NS internal."),
	ROW("whose name has an address: ours", BOTH, ONE INTERNAL AAAA, OK "1/1/0/0 AAAA fdaa::3"),
	ROW("the apex has no A: NODATA", BOTH, ONE INTERNAL A, NO_DATA),
	ROW("the asker's network decides: the same name is another's", BOTH, ONE SHOP AAAA, NO_DATA, .source = OTHERS),
	ROW("the name of another network's app: NXDOMAIN", BOTH, ONE "\6secret" INTERNAL AAAA, NEVER),
	ROW("which is there for its own", BOTH, ONE "\6secret" INTERNAL AAAA, NO_DATA, .source = OTHERS),
	ROW("who is in no 6PN: REFUSED, the node itself too", BOTH, ONE SHOP AAAA, "REFUSED rd ra 1/0/0/0", .source = "fdaa::3"),
	ROW("who comes from an address outside: REFUSED", BOTH, ONE SHOP AAAA, "REFUSED rd ra 1/0/0/0", .source = "::1"),
	ROW("a network without a zone: SERVFAIL, never NXDOMAIN", BOTH, ONE SHOP AAAA, "SERVFAIL rd ra 1/0/0/0", .source = ZONELESS),
	ROW("a list in one string", BOTH, ONE "\7regions" SHOP TXT, OK "1/1/0/0 TXT \"ord\""),
	ROW("an empty list: NODATA, since RDLENGTH 0 is illegal", BOTH, ONE "\3vms\5empty" INTERNAL TXT, NO_DATA),
	ROW("a long list in strings of at most 255 bytes that join to it", TCP, ONE "\3vms" CROWD TXT,
	    OK "1/1/0/0 TXT 16 strings, joined 3799 bytes, longest 247"),
	ROW("a list too long for any message goes on at p2: TC, though by TCP", TCP, ONE "\12_instances" INTERNAL TXT,
	    "NOERROR aa tc rd ra 1/1/0/0 TXT 261 strings, joined 59673 bytes, longest 231", .source = OTHERS),
	ROW("and p2 has the rest", TCP, ONE "\2p2\12_instances" INTERNAL TXT, OK "1/1/0/0 TXT 6 strings, joined 1385 bytes, longest 231",
	    .source = OTHERS),
};

static const struct row edns[] = {
	ROW("an OPT is answered with ours: 1232, version 0", BOTH, ONE_OPT SHOP AAAA PLAIN_OPT, OK SHOP_ANSWER_OPT),
	ROW("no OPT, none back", BOTH, ONE SHOP AAAA, OK SHOP_ANSWER),
	ROW("two OPT: FORMERR, with ours", BOTH, HEAD(RD, "\1", "\0", "\0", "\2") SHOP AAAA PLAIN_OPT PLAIN_OPT, "FORMERR rd ra 0/0/0/1 opt 1232"),
	ROW("an OPT of another owner than the root: FORMERR", BOTH, ONE_OPT SHOP AAAA "\1x" PLAIN_OPT, BARE_FORMERR),
	ROW("an OPT of a pointer: FORMERR", BOTH, ONE_OPT SHOP AAAA "\300\32\0\51\4\320\0\0\0\0\0\0", BARE_FORMERR),
	ROW("an OPT among the answers: FORMERR", BOTH, HEAD(RD, "\1", "\1", "\0", "\0") SHOP AAAA PLAIN_OPT, BARE_FORMERR),
	ROW("an OPT behind another additional record is found", BOTH,
	    HEAD(RD, "\1", "\0", "\0", "\2") SHOP AAAA "\1x\0" A "\0\0\0\0\0\0" PLAIN_OPT, OK SHOP_ANSWER_OPT),
	ROW("version 1: BADVERS with our OPT of version 0, and no answer", BOTH, ONE_OPT SHOP AAAA OPT("\4\320", "\1", "\0\0", "\0"),
	    "BADVERS rd ra 1/0/0/1 opt 1232"),
	ROW("version 255, DO: BADVERS, DO echoed", BOTH, ONE_OPT SHOP AAAA OPT("\4\320", "\377", "\200\0", "\0"),
	    "BADVERS rd ra 1/0/0/1 opt 1232 do"),
	ROW("an unknown option is ignored", BOTH, ONE_OPT SHOP AAAA OPT("\4\320", "\0", "\0\0", "\6") "\377\356\0\2zz", OK SHOP_ANSWER_OPT),
	ROW("the client's subnet is ignored", BOTH, ONE_OPT SHOP AAAA OPT("\4\320", "\0", "\0\0", "\13") "\0\10\0\7\0\1\30\0\1\2\3",
	    OK SHOP_ANSWER_OPT),
	ROW("an option longer than its OPT: FORMERR, with ours", BOTH, ONE_OPT SHOP AAAA OPT("\4\320", "\0", "\0\0", "\6") "\377\356\0\3zz",
	    "FORMERR rd ra 0/0/0/1 opt 1232"),
	ROW("DO is echoed, other flags are not", BOTH, ONE_OPT SHOP AAAA OPT("\4\320", "\0", "\377\377", "\0"), OK SHOP_ANSWER_OPT " do"),
	ROW("DO brings no signatures: the tree is private, there are none", BOTH, ONE_OPT NOBODY AAAA OPT("\4\320", "\0", "\200\0", "\0"),
	    "NXDOMAIN aa rd ra 1/0/1/1 SOA internal. 5 min 5 opt 1232 do"),
	ROW("a list above 512 bytes without EDNS: TC and no part of it", UDP, ONE "\3vms" CROWD TXT, "NOERROR aa tc rd ra 1/0/0/0"),
	ROW("a size below 512 counts as 512", UDP, ONE_OPT "\3vms\4four" INTERNAL TXT OPT("\0\12", "\0", "\0\0", "\0"),
	    OK "1/1/0/1 TXT 2 strings, joined 417 bytes, longest 246 opt 1232"),
	ROW("above 1232 we never go, whatever is offered: no IPv6 path fragments it", UDP,
	    ONE_OPT "\3vms" CROWD TXT OPT("\377\377", "\0", "\0\0", "\0"), "NOERROR aa tc rd ra 1/0/0/1 opt 1232"),
	ROW("up to 1232 it comes whole", UDP, ONE_OPT "\3vms\5fifty" INTERNAL TXT OPT("\4\320", "\0", "\0\0", "\0"),
	    OK "1/1/0/1 TXT 4 strings, joined 949 bytes, longest 247 opt 1232"),
	ROW("by TCP it comes whole, whatever the size in the OPT", TCP, ONE_OPT "\3vms" CROWD TXT OPT("\2\0", "\0", "\0\0", "\0"),
	    OK "1/1/0/1 TXT 16 strings, joined 3799 bytes, longest 247 opt 1232"),
	ROW("a service name is a sample of at most three of a crowd, no TC", BOTH, ONE CROWD AAAA, OK "1/3/0/0 3 AAAA"),
	ROW("sixteen where all are named, and all sixteen fit in 512 bytes", UDP, ONE "\4wide" INTERNAL AAAA, OK "1/16/0/0 16 AAAA"),
	ROW("a sample that is cut by a long name is still a whole answer: no TC (old musl has no TCP)", UDP,
	    ONE "\6global" A63 INTERNAL AAAA, OK "1/14/0/0 14 AAAA"),
	ROW("a cookie of the client alone is ignored: addresses cannot be forged here, so there are none", BOTH,
	    ONE_OPT SHOP AAAA OPT("\4\320", "\0", "\0\0", "\14") "\0\12\0\10abcdefgh", OK SHOP_ANSWER_OPT),
	ROW("a cookie of somebody's server is ignored", BOTH,
	    ONE_OPT SHOP AAAA OPT("\4\320", "\0", "\0\0", "\34") "\0\12\0\30abcdefghijklmnopqrstuvwx", OK SHOP_ANSWER_OPT),
	ROW("a cookie of 7 bytes: FORMERR (RFC 7873 5.2.2)", BOTH,
	    ONE_OPT SHOP AAAA OPT("\4\320", "\0", "\0\0", "\13") "\0\12\0\7abcdefg", "FORMERR rd ra 0/0/0/1 opt 1232"),
	ROW("a cookie of 15 bytes: FORMERR", BOTH,
	    ONE_OPT SHOP AAAA OPT("\4\320", "\0", "\0\0", "\23") "\0\12\0\17abcdefghijklmno", "FORMERR rd ra 0/0/0/1 opt 1232"),
	ROW("a cookie of 41 bytes: FORMERR", BOTH,
	    ONE_OPT SHOP AAAA OPT("\4\320", "\0", "\0\0", "\55") "\0\12\0\51abcdefghijklmnopqrstuvwxyzabcdefghijklmno",
	    "FORMERR rd ra 0/0/0/1 opt 1232"),
	ROW("who asks by TCP how long a connection may be idle is told (RFC 7828)", TCP,
	    ONE_OPT SHOP AAAA OPT("\4\320", "\0", "\0\0", "\4") "\0\13\0\0", OK SHOP_ANSWER_OPT " keepalive=20"),
	ROW("by UDP there is nothing to keep", UDP, ONE_OPT SHOP AAAA OPT("\4\320", "\0", "\0\0", "\4") "\0\13\0\0", OK SHOP_ANSWER_OPT),
	ROW("who does not ask is not told", TCP, ONE_OPT SHOP AAAA PLAIN_OPT, OK SHOP_ANSWER_OPT),
	ROW("A says why there is none (RFC 8914)", BOTH, ONE_OPT SHOP A PLAIN_OPT,
	    "NOERROR aa rd ra 1/0/1/1 SOA internal. 5 min 5 opt 1232 ede=0 6PN is IPv6-only: ask for AAAA"),
	ROW("so does an app that is there, but not running", BOTH, ONE_OPT "\4idle" INTERNAL AAAA PLAIN_OPT,
	    "NOERROR aa rd ra 1/0/1/1 SOA internal. 5 min 5 opt 1232 ede=0 the name exists, but nothing of it is running now"),
	ROW("and a region that is none", BOTH, ONE_OPT "\3qqq" SHOP AAAA PLAIN_OPT,
	    "NXDOMAIN aa rd ra 1/0/1/1 SOA internal. 5 min 5 opt 1232 ede=0 there is no such region"),
	ROW("but nobody's app says no more than nothing", BOTH, ONE_OPT "\3qqq\6secret" INTERNAL AAAA PLAIN_OPT,
	    "NXDOMAIN aa rd ra 1/0/1/1 SOA internal. 5 min 5 opt 1232"),
	ROW("a network without a zone is not ready", BOTH, ONE_OPT SHOP AAAA PLAIN_OPT,
	    "SERVFAIL rd ra 1/0/0/1 opt 1232 ede=14 the names of this network have not arrived here yet", .source = ZONELESS),
	ROW("a stranger is prohibited", BOTH, ONE_OPT SHOP AAAA PLAIN_OPT,
	    "REFUSED rd ra 1/0/0/1 opt 1232 ede=18 answers are for members of this 6PN", .source = "::1"),
	ROW("what is no question for us is not supported", BOTH, ONE_OPT INTERNAL "\0\374" IN PLAIN_OPT,
	    "REFUSED rd ra 1/0/0/1 opt 1232 ede=21 not a kind of question for this server"),
	ROW("without EDNS nothing is explained", BOTH, ONE SHOP A, NO_DATA),
};

static void header_and_parsing(void **state)
{
	(void)state;
	check_rows(header, ARRAY_LEN(header));
}

static void authoritative_semantics(void **state)
{
	(void)state;
	check_rows(authority, ARRAY_LEN(authority));
}

static void edns_and_sizes(void **state)
{
	(void)state;
	check_rows(edns, ARRAY_LEN(edns));
}

/* Another network's name, and one of nobody: the same bytes but for the question. */
static void what_others_have_is_the_very_answer_of_what_nobody_has(void **state)
{
	static const struct row pair[] = {
		ROW("another network's app", BOTH, ONE_OPT "\6secret" INTERNAL AAAA PLAIN_OPT, ""),
		ROW("nobody's app", BOTH, ONE_OPT "\6nobody" INTERNAL AAAA PLAIN_OPT, ""),
	};

	(void)state;
	for (int by = UDP; by <= TCP; by <<= 1) {
		uint8_t a[2048], b[2048];
		size_t n = exchange(&pair[0], by, a, sizeof a), m = exchange(&pair[1], by, b, sizeof b);

		assert_int_equal(n, m);
		assert_memory_equal(a, b, DNS_HEADER_LEN);
		assert_memory_equal(a + DNS_HEADER_LEN + 7, b + DNS_HEADER_LEN + 7, n - DNS_HEADER_LEN - 7);
	}
}

/* -- TCP as a stream; caps per source and who does not read his answers: test_server -- */

static const struct stream_row streams[] = {
	{ "glibc: A and AAAA in one write, both answered on one connection", ONE_WRITE, .n = 2, .answers = 2, .then = STAYS },
	{ "pipelining: a hundred in one write, in order", ONE_WRITE, .n = 100, .answers = 100, .then = STAYS },
	{ "one byte at a time", BYTE_BY_BYTE, .n = 3, .answers = 3, .then = STAYS },
	{ "one at a time, on one connection", ONE_BY_ONE, .n = 20, .answers = 20, .then = STAYS },
	{ "half closed: what was asked before is answered, then it ends", ONE_WRITE, .n = 5, .answers = 5, .half_close = true, .then = ENDS },
	{ "half closed while much waits to be read: all of it comes", ONE_WRITE, .n = 3, .answers = 3, .big = true, .half_close = true,
	  .then = ENDS },
	{ "half closed in the middle of a query: the whole ones are answered", ONE_WRITE, .n = 3, .cut = 4, .answers = 2, .half_close = true,
	  .then = ENDS },
	{ "a length of zero ends it", RAW, .raw = "\0\0", .raw_len = 2, .then = ENDS },
	{ "a length below a header ends it", RAW, .raw = "\0\13", .raw_len = 2, .then = ENDS },
	{ "a length that no query has ends it", RAW, .raw = "\377\377", .raw_len = 2, .then = ENDS },
	{ "nothing at all: ended when it is idle", RAW, .raw = "", .raw_len = 0, .then = ENDS_IDLE },
	{ "half a query: ended when it is idle", ONE_WRITE, .n = 1, .cut = 4, .then = ENDS_IDLE },
	{ "idle after an answer: ended", ONE_WRITE, .n = 1, .answers = 1, .then = ENDS_IDLE },
};

static void tcp_is_a_stream(void **state)
{
	(void)state;
	/* small buffers, or the kernel takes every answer off the server's hands at once */
	assert_int_equal(file_put("/proc/sys/net/ipv4/tcp_wmem", "4096 4096 4096"), 0);
	assert_int_equal(file_put("/proc/sys/net/ipv4/tcp_rmem", "4096 4096 4096"), 0);
	for (size_t i = 0; i < ARRAY_LEN(streams); i++)
		check_stream(&streams[i]);
	at_networks = true;
	for (size_t i = 0; i < ARRAY_LEN(streams); i++)
		if (streams[i].then != ENDS_IDLE) /* which takes seconds, and is the same timer */
			check_stream(&streams[i]);
	at_networks = false;
}

/* RRL is for sources that can be forged. Ours cannot be; how often one may ask is kept where packets come in (BPF), and what gets here is
 * answered. */
static void a_flood_of_local_questions_is_answered_in_full(void **state)
{
	int fd = client(SOCK_DGRAM, OURS, 0);

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		uint8_t bytes[512];

		for (uint16_t i = 0; i < 60; i++)
			assert_true(send(fd, bytes, make_query(bytes, i, "shop.internal", DNS_TYPE_AAAA, 0), 0) > 0);
		for (unsigned i = 0; i < 60; i++)
			assert_true(recv(fd, bytes, sizeof bytes, 0) > 0);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_and_parsing),
		cmocka_unit_test(authoritative_semantics),
		cmocka_unit_test(edns_and_sizes),
		cmocka_unit_test(what_others_have_is_the_very_answer_of_what_nobody_has),
		cmocka_unit_test(tcp_is_a_stream),
		cmocka_unit_test(a_flood_of_local_questions_is_answered_in_full),
	};

	if (own_network() != 0) {
		printf("skipped: no network namespace of our own here (%s)\n", strerror(errno));
		return 0;
	}
	add_more_addresses();
	return cmocka_run_group_tests(tests, start_conforming, stop_conforming);
}
