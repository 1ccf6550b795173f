-- 0003_peer_move - a peer on its way to another gateway: that one has its key already, and once the peer has shown up there the two columns
-- become one. NULL = it is where it belongs.
ALTER TABLE peer ADD COLUMN next_gateway INTEGER REFERENCES node (host)
  CHECK (next_gateway IS NULL OR next_gateway <> gateway);
CREATE INDEX peer_of_next_gateway ON peer (next_gateway) WHERE next_gateway IS NOT NULL;
