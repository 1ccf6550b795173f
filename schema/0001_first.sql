-- 0001_first - everything there is. House dialect: INTEGER, TEXT, BLOB, CHECK, UNIQUE indexes on expressions, foreign keys, UPSERT,
-- RETURNING; no hidden row numbers, no automatic counters. Drivers translate what their database spells otherwise: each CREATE
-- TABLE ends with a line that is just ");".
--
-- Ids are 8 random bytes unless said otherwise; times are Unix milliseconds in columns *_ms; booleans are 0 and 1; addresses are
-- 16-byte BLOBs. What must never happen is a CHECK, UNIQUE or REFERENCES here, never code alone.

-- The one row that counts: V, and who writes.
CREATE TABLE meta (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  v INTEGER NOT NULL CHECK (v >= 0),
  log_id BLOB NOT NULL CHECK (length(log_id) = 16),
  epoch INTEGER NOT NULL CHECK (epoch > 0),
  secret BLOB NOT NULL CHECK (length(secret) = 32),
  created_ms INTEGER NOT NULL
);

-- Every change, gap-free. body is the whole record, NULL for a tombstone. org is for audit and NULL for the fabric.
CREATE TABLE log (
  v INTEGER NOT NULL PRIMARY KEY CHECK (v > 0),
  kind INTEGER NOT NULL CHECK (kind > 0),
  key BLOB NOT NULL CHECK (length(key) BETWEEN 1 AND 32),
  network INTEGER NOT NULL DEFAULT 0,
  node INTEGER NOT NULL DEFAULT 0,
  org BLOB CHECK (org IS NULL OR length(org) = 8),
  deleted INTEGER NOT NULL CHECK (deleted IN (0, 1)),
  intent INTEGER NOT NULL DEFAULT 0 CHECK (intent BETWEEN 0 AND 255),
  body BLOB CHECK (body IS NULL OR length(body) <= 65536),
  principal TEXT NOT NULL CHECK (length(principal) > 0),
  request_id TEXT NOT NULL,
  committed_ms INTEGER NOT NULL,
  CHECK (deleted = 0 OR body IS NULL)
);
CREATE INDEX log_of_org ON log (org, v);

-- The newest version of every record that is not deleted, as bytes: what snapshots are made of, whatever becomes of old log rows.
CREATE TABLE record (
  kind INTEGER NOT NULL CHECK (kind > 0),
  key BLOB NOT NULL CHECK (length(key) BETWEEN 1 AND 32),
  v INTEGER NOT NULL UNIQUE CHECK (v > 0),
  network INTEGER NOT NULL,
  node INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (kind, key)
);

CREATE TABLE org (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 8),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
  strict_region INTEGER NOT NULL DEFAULT 0 CHECK (strict_region IN (0, 1)),
  suspended INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1)),
  deleting INTEGER NOT NULL DEFAULT 0 CHECK (deleting IN (0, 1)),
  quota_networks INTEGER NOT NULL CHECK (quota_networks >= 0),
  quota_apps INTEGER NOT NULL CHECK (quota_apps >= 0),
  quota_instances INTEGER NOT NULL CHECK (quota_instances >= 0),
  quota_peers INTEGER NOT NULL CHECK (quota_peers >= 0),
  quota_tokens INTEGER NOT NULL CHECK (quota_tokens >= 0),
  quota_writes INTEGER NOT NULL CHECK (quota_writes >= 0),
  created_ms INTEGER NOT NULL
);
CREATE UNIQUE INDEX org_name ON org (lower(name));

CREATE TABLE person (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 8),
  email TEXT NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
  name TEXT NOT NULL DEFAULT '',
  personal_org BLOB REFERENCES org (id) ON DELETE SET NULL,
  created_ms INTEGER NOT NULL
);
CREATE UNIQUE INDEX person_email ON person (lower(email));

CREATE TABLE membership (
  org BLOB NOT NULL REFERENCES org (id),
  person BLOB NOT NULL REFERENCES person (id),
  role INTEGER NOT NULL CHECK (role IN (1, 2, 3)), -- read, member, admin
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (org, person)
);
CREATE INDEX membership_of_person ON membership (person);

-- Who can act: a person, an org's robot, an operator. Tokens are their credentials.
CREATE TABLE principal (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 8),
  kind INTEGER NOT NULL CHECK (kind IN (1, 2, 3)), -- person, org, operator
  person BLOB REFERENCES person (id) ON DELETE CASCADE,
  org BLOB REFERENCES org (id) ON DELETE CASCADE,
  created_ms INTEGER NOT NULL,
  CHECK ((kind = 1) = (person IS NOT NULL)),
  CHECK ((kind = 2) = (org IS NOT NULL))
);

CREATE TABLE token (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 8),
  principal BLOB NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  kind INTEGER NOT NULL CHECK (kind IN (1, 2, 3)),
  profile INTEGER NOT NULL CHECK (profile BETWEEN 0 AND 4), -- none, read, peers, deploy, admin
  scope TEXT NOT NULL DEFAULT '', -- JSON, narrower than the profile; '' = all of it
  org BLOB REFERENCES org (id),
  person BLOB REFERENCES person (id),
  name TEXT NOT NULL DEFAULT '',
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL DEFAULT 0,
  last_use_ms INTEGER NOT NULL DEFAULT 0,
  revoked_ms INTEGER NOT NULL DEFAULT 0,
  CHECK ((kind = 1) = (person IS NOT NULL)),
  CHECK ((kind = 2) = (org IS NOT NULL)),
  CHECK (kind <> 2 OR profile > 0)
);
CREATE INDEX token_of_org ON token (org, id);

-- Given for ever: a row here is never deleted, so what it holds is never given again.
CREATE TABLE locator_given (
  locator INTEGER NOT NULL PRIMARY KEY CHECK (locator BETWEEN 40960 AND 45055), -- 0xA000 .. 0xAFFF
  given_ms INTEGER NOT NULL
);
CREATE TABLE host_given (
  host INTEGER NOT NULL PRIMARY KEY CHECK (host BETWEEN 2684354560 AND 2952790015 AND host % 65536 <> 0), -- 0xA.......
  given_ms INTEGER NOT NULL
);
CREATE TABLE network_given (
  network INTEGER NOT NULL PRIMARY KEY
    CHECK (network BETWEEN 65536 AND 4294967295 AND NOT network BETWEEN 2684354560 AND 2952790015),
  given_ms INTEGER NOT NULL
);

CREATE TABLE region (
  name TEXT NOT NULL PRIMARY KEY
    CHECK (length(name) = 3 AND substr(name, 1, 1) BETWEEN 'a' AND 'z' AND substr(name, 2, 1) BETWEEN 'a' AND 'z'
      AND substr(name, 3, 1) BETWEEN 'a' AND 'z' AND name NOT IN ('all', 'any', 'vms', 'not')),
  city TEXT NOT NULL,
  latitude_udeg INTEGER NOT NULL CHECK (latitude_udeg BETWEEN -90000000 AND 90000000),
  longitude_udeg INTEGER NOT NULL CHECK (longitude_udeg BETWEEN -180000000 AND 180000000),
  locator INTEGER NOT NULL UNIQUE REFERENCES locator_given (locator) CHECK (locator BETWEEN 40960 AND 45055),
  created_ms INTEGER NOT NULL
);

-- A deleted node stays, revoked: its keys and its number never come back. endpoints: 20 bytes each (length, 16 bytes of address,
-- port big-endian, lan).
CREATE TABLE node (
  host INTEGER NOT NULL PRIMARY KEY REFERENCES host_given (host)
    CHECK (host BETWEEN 2684354560 AND 2952790015 AND host % 65536 <> 0),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
  region TEXT REFERENCES region (name),
  roles INTEGER NOT NULL CHECK (roles BETWEEN 1 AND 3),
  link_key BLOB NOT NULL UNIQUE CHECK (length(link_key) = 32),
  mesh_key BLOB NOT NULL UNIQUE CHECK (length(mesh_key) = 32),
  endpoints BLOB NOT NULL CHECK (length(endpoints) % 20 = 0 AND length(endpoints) <= 160),
  gateway_host TEXT NOT NULL DEFAULT '' CHECK (length(gateway_host) <= 255),
  gateway_port INTEGER NOT NULL DEFAULT 0 CHECK (gateway_port BETWEEN 0 AND 65535),
  draining INTEGER NOT NULL DEFAULT 0 CHECK (draining IN (0, 1)),
  version TEXT NOT NULL DEFAULT '',
  boot_id BLOB CHECK (boot_id IS NULL OR length(boot_id) = 16),
  boot_count INTEGER NOT NULL DEFAULT 0 CHECK (boot_count >= 0),
  tai64n BLOB CHECK (tai64n IS NULL OR length(tai64n) = 12),
  last_seen_ms INTEGER NOT NULL DEFAULT 0,
  created_ms INTEGER NOT NULL,
  revoked_at INTEGER NOT NULL DEFAULT 0, -- Unix ms
  CHECK (region IS NOT NULL OR revoked_at > 0),
  CHECK (link_key <> mesh_key)
);
CREATE UNIQUE INDEX node_name ON node (lower(name)) WHERE revoked_at = 0;
CREATE INDEX node_of_region ON node (region);

CREATE TABLE node_token (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 8),
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  name TEXT NOT NULL DEFAULT '',
  region TEXT NOT NULL REFERENCES region (name) ON DELETE CASCADE,
  kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3), -- the roles it admits: bit 0 host, bit 1 gateway
  uses INTEGER NOT NULL CHECK (uses BETWEEN 1 AND 1000),
  used INTEGER NOT NULL DEFAULT 0 CHECK (used >= 0 AND used <= uses),
  refused INTEGER NOT NULL DEFAULT 0 CHECK (refused >= 0),
  link_key BLOB CHECK (link_key IS NULL OR length(link_key) = 32),
  source BLOB CHECK (source IS NULL OR length(source) = 16),
  source_bits INTEGER NOT NULL DEFAULT 0 CHECK (source_bits BETWEEN 0 AND 128),
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL DEFAULT 0,
  revoked_ms INTEGER NOT NULL DEFAULT 0,
  CHECK (name = '' OR uses = 1)
);
CREATE TABLE node_token_use (
  token BLOB NOT NULL REFERENCES node_token (id) ON DELETE CASCADE,
  link_key BLOB NOT NULL CHECK (length(link_key) = 32),
  node INTEGER NOT NULL REFERENCES node (host),
  used_ms INTEGER NOT NULL,
  PRIMARY KEY (token, link_key)
);

CREATE TABLE network (
  id INTEGER NOT NULL PRIMARY KEY REFERENCES network_given (network)
    CHECK (id BETWEEN 65536 AND 4294967295 AND NOT id BETWEEN 2684354560 AND 2952790015),
  org BLOB NOT NULL REFERENCES org (id),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
  deleting INTEGER NOT NULL DEFAULT 0 CHECK (deleting IN (0, 1)),
  created_ms INTEGER NOT NULL,
  UNIQUE (id, org)
);
CREATE UNIQUE INDEX network_name ON network (org, lower(name));

-- Nothing ever changes app.network: no statement does, and instances refer to the pair.
CREATE TABLE app (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 8),
  org BLOB NOT NULL,
  network INTEGER NOT NULL,
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
  deleting INTEGER NOT NULL DEFAULT 0 CHECK (deleting IN (0, 1)),
  created_ms INTEGER NOT NULL,
  UNIQUE (id, network, org),
  FOREIGN KEY (network, org) REFERENCES network (id, org)
);
CREATE UNIQUE INDEX app_name ON app (org, lower(name));
CREATE INDEX app_of_network ON app (network);

-- home_host, instance and address are for ever; host is where it runs now.
CREATE TABLE instance (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 14 AND id = lower(id)),
  org BLOB NOT NULL,
  app BLOB NOT NULL,
  network INTEGER NOT NULL,
  home_host INTEGER NOT NULL REFERENCES node (host),
  host INTEGER NOT NULL REFERENCES node (host),
  instance INTEGER NOT NULL CHECK (instance BETWEEN 65536 AND 4294967295),
  address BLOB NOT NULL UNIQUE CHECK (length(address) = 16 AND substr(address, 1, 2) = X'FDAA' AND substr(address, 15, 2) = X'0002'),
  desired INTEGER NOT NULL CHECK (desired IN (1, 2, 3)), -- started, stopped, destroyed
  generation INTEGER NOT NULL CHECK (generation > 0),
  instance_id TEXT NOT NULL DEFAULT '', -- of this generation of its configuration, for clients that compare versions
  observed_state INTEGER NOT NULL DEFAULT 0 CHECK (observed_state BETWEEN 0 AND 7),
  observed_generation INTEGER NOT NULL DEFAULT 0 CHECK (observed_generation >= 0),
  observed_exit_code INTEGER NOT NULL DEFAULT 0,
  observed_since_ms INTEGER NOT NULL DEFAULT 0,
  observed_restarts INTEGER NOT NULL DEFAULT 0 CHECK (observed_restarts >= 0),
  observed_message TEXT NOT NULL DEFAULT '',
  name TEXT NOT NULL DEFAULT '' CHECK (length(name) <= 63),
  group_name TEXT NOT NULL DEFAULT '' CHECK (length(group_name) <= 63),
  metadata TEXT NOT NULL DEFAULT '{}',
  dns_skip INTEGER NOT NULL DEFAULT 0 CHECK (dns_skip IN (0, 1)),
  cordoned INTEGER NOT NULL DEFAULT 0 CHECK (cordoned IN (0, 1)),
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  v INTEGER NOT NULL CHECK (v > 0), -- of its record now
  UNIQUE (network, instance),
  FOREIGN KEY (app, network, org) REFERENCES app (id, network, org)
);
CREATE INDEX instance_of_app ON instance (app, id);
CREATE INDEX instance_of_org ON instance (org, id);
CREATE INDEX instance_of_host ON instance (host, id);
CREATE INDEX instance_of_home ON instance (home_host);

-- Instance fields that may not be given again before until_ms: caches still know the old address.
CREATE TABLE instance_resting (
  network INTEGER NOT NULL,
  instance INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  PRIMARY KEY (network, instance)
);
CREATE INDEX instance_resting_until ON instance_resting (until_ms);

-- Apart from instance: only its host may know.
CREATE TABLE workload (
  instance TEXT NOT NULL PRIMARY KEY REFERENCES instance (id) ON DELETE CASCADE,
  spec BLOB NOT NULL CHECK (length(spec) <= 61440)
);

-- A peer owns prefix/120: host word of its home gateway, instance 0x0a + n, low 16 bits slot << 8 | 2.
CREATE TABLE peer (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 8),
  org BLOB NOT NULL,
  network INTEGER NOT NULL,
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
  label TEXT NOT NULL CHECK (length(label) BETWEEN 1 AND 63),
  home_gateway INTEGER NOT NULL REFERENCES node (host),
  gateway INTEGER NOT NULL REFERENCES node (host),
  instance INTEGER NOT NULL CHECK (instance BETWEEN 10 AND 65535),
  slot INTEGER NOT NULL CHECK (slot BETWEEN 0 AND 255),
  prefix BLOB NOT NULL UNIQUE CHECK (length(prefix) = 16 AND substr(prefix, 1, 2) = X'FDAA' AND substr(prefix, 16, 1) = X'00'),
  requested_region TEXT NOT NULL CHECK (length(requested_region) = 3),
  ephemeral INTEGER NOT NULL DEFAULT 0 CHECK (ephemeral IN (0, 1)),
  suspended INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1)),
  made_by BLOB, -- principal, for tokens that may touch only what they made
  expires_at INTEGER NOT NULL DEFAULT 0, -- Unix ms
  created_ms INTEGER NOT NULL,
  UNIQUE (network, home_gateway, instance, slot),
  FOREIGN KEY (network, org) REFERENCES network (id, org)
);
CREATE UNIQUE INDEX peer_name ON peer (org, lower(name));
CREATE UNIQUE INDEX peer_label ON peer (network, label);
CREATE INDEX peer_of_gateway ON peer (gateway);

-- Apart from peer: only its gateway may know.
CREATE TABLE peer_key (
  peer BLOB NOT NULL PRIMARY KEY REFERENCES peer (id) ON DELETE CASCADE,
  public_key BLOB NOT NULL UNIQUE CHECK (length(public_key) = 32),
  preshared_key BLOB CHECK (preshared_key IS NULL OR length(preshared_key) = 32)
);
