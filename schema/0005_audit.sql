-- 0005_audit - who changed what: one row for each change that somebody made, written in the transaction of the change. Each row's hash
-- covers the hash before it and the row itself, so that no row can be changed, taken out or put in between unnoticed.
CREATE TABLE audit (
  n INTEGER NOT NULL PRIMARY KEY CHECK (n > 0), -- gap-free
  at_ms INTEGER NOT NULL,
  v INTEGER NOT NULL CHECK (v >= 0), -- of the change; 0 = it is none of the log
  org BLOB CHECK (org IS NULL OR length(org) = 8), -- NULL = of operators
  org_name TEXT NOT NULL,
  principal TEXT NOT NULL CHECK (length(principal) > 0),
  token TEXT NOT NULL, -- id of the API token; '' = none
  address TEXT NOT NULL, -- from where; '' = the controller itself
  request_id TEXT NOT NULL,
  verb TEXT NOT NULL CHECK (length(verb) > 0),
  noun TEXT NOT NULL CHECK (length(noun) > 0),
  object TEXT NOT NULL, -- its id
  name TEXT NOT NULL,
  before TEXT, -- JSON without secrets; NULL = it was not there
  after TEXT,  -- the same; NULL = it is gone
  hash BLOB NOT NULL CHECK (length(hash) = 32)
);
CREATE INDEX audit_of_org ON audit (org, n);

-- Both ends of the chain. Rows up to base_n were let go; base_hash is that of the last of them (zeros: none was).
CREATE TABLE audit_chain (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  base_n INTEGER NOT NULL CHECK (base_n >= 0),
  base_hash BLOB NOT NULL CHECK (length(base_hash) = 32),
  head_n INTEGER NOT NULL CHECK (head_n >= base_n),
  head_hash BLOB NOT NULL CHECK (length(head_hash) = 32)
);
