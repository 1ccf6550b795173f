-- 0002_peers - what WireGuard peers need beside the tables of 0001.

-- Of the gateway's own device, which customers' files name. A revoked node's stays: it is never given to anybody again.
ALTER TABLE node ADD COLUMN gateway_key BLOB CHECK (gateway_key IS NULL OR length(gateway_key) = 32);
CREATE UNIQUE INDEX node_gateway_key ON node (gateway_key);

ALTER TABLE peer ADD COLUMN made_by_text TEXT NOT NULL DEFAULT ''; -- made_by for people
ALTER TABLE peer ADD COLUMN used_ms INTEGER NOT NULL DEFAULT 0 CHECK (used_ms >= 0); -- when its first handshake was heard of; 0 = never
ALTER TABLE peer ADD COLUMN v INTEGER NOT NULL DEFAULT 0 CHECK (v >= 0); -- of its record now
CREATE INDEX peer_of_org ON peer (org, id);
CREATE INDEX peer_by_name ON peer (lower(name)); -- for whoever does not say of which org
CREATE INDEX peer_expiry ON peer (expires_at) WHERE expires_at > 0;
CREATE INDEX peer_ephemeral ON peer (created_ms) WHERE ephemeral = 1;

-- Prefixes that may not be given again before until_ms: caches still know the old address.
CREATE TABLE peer_resting (
  network INTEGER NOT NULL,
  home_gateway INTEGER NOT NULL,
  instance INTEGER NOT NULL,
  slot INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  PRIMARY KEY (network, home_gateway, instance, slot)
);
CREATE INDEX peer_resting_until ON peer_resting (until_ms);

-- Whoever holds such a token may change only the peers that were made with it.
ALTER TABLE token ADD COLUMN own_only INTEGER NOT NULL DEFAULT 0 CHECK (own_only IN (0, 1));
